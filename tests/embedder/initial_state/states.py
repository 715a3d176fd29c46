"""Small recurrent states whose numbers are all the same in a row."""

from typing import List

import torch

from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState

__all__ = ["full_state", "row_values"]


def full_state(value: float, rows: int) -> LstmState:
    """
    Returns a state of one number.

    # Parameters

    value : `float`
        The number.
    rows : `int`
        Number of rows of the batch.

    # Returns

    `LstmState`
        One layer of cells of size 5 and a projection of size 3.
    """
    return LstmState(torch.full((2, 1, rows, 3), value), torch.full((2, 1, rows, 5), value))


def row_values(state: LstmState) -> List[float]:
    """
    Returns the number of each row.

    # Parameters

    state : `LstmState`
        A state with one number in each row.

    # Returns

    `List[float]`
    """
    values = state.hidden[0, 0, :, 0]
    for part in state:
        assert torch.equal(part, values.view(1, 1, -1, 1).expand_as(part))
    return values.tolist()
