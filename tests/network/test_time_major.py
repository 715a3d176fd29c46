"""The time-major order of a padded batch, against loops over its rows and timesteps."""

from typing import Dict, List, Tuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin.network.time_major import TimeMajorLayout

CPU = torch.device("cpu")
LENGTHS = st.lists(st.integers(0, 6), max_size=6)
PROPERTY = settings(max_examples=100, deadline=None, derandomize=True, database=None)


def _layout(lengths: List[int], more: int = 0) -> TimeMajorLayout:
    """Computes the layout of a batch with columns of padding at its end."""
    return TimeMajorLayout.from_lengths(lengths, max(lengths, default=0) + more, CPU)


def _tokens(lengths: List[int]) -> List[Tuple[int, int]]:
    """Lists the row and the timestep of each token in time-major order."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    steps = range(max(lengths, default=0))
    return [(row, step) for step in steps for row in order if step < lengths[row]]


def _indices(lengths: List[int]) -> Dict[Tuple[int, int], int]:
    """Maps the row and the timestep of each token to its time-major index."""
    return {token: index for index, token in enumerate(_tokens(lengths))}


@PROPERTY
@given(lengths=LENGTHS)
def test_rows_are_ordered_from_the_longest(lengths: List[int]) -> None:
    """Longer rows come first, rows of one length keep their order, and ranks are the inverse."""
    layout = _layout(lengths)
    order = layout.row_order.tolist()
    assert order == sorted(range(len(lengths)), key=lambda row: -lengths[row])
    assert [layout.row_ranks[row].item() for row in order] == list(range(len(lengths)))


@PROPERTY
@given(lengths=LENGTHS, more=st.integers(0, 3))
def test_batch_sizes_count_the_live_rows(lengths: List[int], more: int) -> None:
    """A timestep has as many tokens as there are rows that reach it, and padding has none."""
    sizes = _layout(lengths, more).batch_sizes
    assert (sizes.dtype, sizes.device.type) == (torch.int64, "cpu")
    steps = range(max(lengths, default=0))
    assert sizes.tolist() == [sum(length > step for length in lengths) for step in steps]
    assert sizes.tolist() == sorted(sizes.tolist(), reverse=True)


@PROPERTY
@given(lengths=LENGTHS, more=st.integers(0, 3))
def test_positions_are_those_of_the_flattened_batch(lengths: List[int], more: int) -> None:
    """Tokens stand timestep by timestep, and in a timestep from the longest row to the shortest."""
    layout = _layout(lengths, more)
    timesteps = max(lengths, default=0) + more
    assert layout.positions.dtype == torch.int64
    assert layout.positions.tolist() == [row * timesteps + step for row, step in _tokens(lengths)]
    assert layout.padded_shape == (len(lengths), timesteps)


@PROPERTY
@given(lengths=LENGTHS)
def test_the_reversal_reads_each_row_backwards(lengths: List[int]) -> None:
    """The token at a timestep of a row is exchanged for the one as far from the row's end."""
    reversal, indices = _layout(lengths).reversal, _indices(lengths)
    expected = [indices[row, lengths[row] - 1 - step] for row, step in _tokens(lengths)]
    assert reversal.dtype == torch.int64 and reversal.tolist() == expected


@PROPERTY
@given(lengths=LENGTHS)
def test_the_reversal_is_its_own_inverse(lengths: List[int]) -> None:
    """Reading backwards twice is reading forwards."""
    reversal = _layout(lengths).reversal
    assert reversal[reversal].tolist() == list(range(sum(lengths)))


@PROPERTY
@given(lengths=LENGTHS)
def test_reading_order_is_forward_and_backward(lengths: List[int]) -> None:
    """The first direction reads tokens as they are, the second each row from its end."""
    tokens = torch.arange(2.0 * sum(lengths)).view(-1, 2)
    read = _layout(lengths).in_reading_order(tokens)
    indices = _indices(lengths)
    assert read.shape == (2, sum(lengths), 2)
    assert torch.equal(read[0], tokens)
    for (row, step), index in indices.items():
        assert torch.equal(read[1, index], tokens[indices[row, lengths[row] - 1 - step]])


@PROPERTY
@given(lengths=LENGTHS, more=st.integers(0, 3), num_layers=st.integers(1, 3))
def test_padding_moves_each_token_to_its_position(
    lengths: List[int], more: int, num_layers: int
) -> None:
    """Both directions' vectors of a token stand side by side, and all else is exactly 0."""
    generator = torch.Generator().manual_seed(sum(lengths) + more)
    layers = torch.randn(num_layers, 2, sum(lengths), 3, generator=generator)
    expected = torch.zeros(num_layers, len(lengths), max(lengths, default=0) + more, 6)
    indices = _indices(lengths)
    for (row, step), index in indices.items():
        expected[:, row, step, :3] = layers[:, 0, index]
        expected[:, row, step, 3:] = layers[:, 1, indices[row, lengths[row] - 1 - step]]
    assert torch.equal(_layout(lengths, more).pad(layers), expected)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_padding_is_zero_beside_numbers_that_are_not_finite(value: float) -> None:
    """A vector that is not finite stays with its token."""
    padded = _layout([1, 3]).pad(torch.full((1, 2, 4, 2), value))
    assert not padded[:, 0, 1:].any()
    assert not padded[:, 0, :1].isfinite().any() and not padded[:, 1].isfinite().any()


def test_gradients_come_back_from_the_padded_batch() -> None:
    """Each token gets the gradient of its own position, and padding gives none."""
    lengths = [2, 0, 3]
    layout, indices = _layout(lengths, more=1), _indices(lengths)
    layers = torch.randn(2, 2, 5, 1, requires_grad=True)
    gradient = torch.randn(2, 3, 4, 2)
    layout.pad(layers).backward(gradient)
    assert layers.grad is not None
    for (row, step), index in indices.items():
        assert torch.equal(layers.grad[:, 0, index], gradient[:, row, step, :1])
        mirrored = indices[row, lengths[row] - 1 - step]
        assert torch.equal(layers.grad[:, 1, mirrored], gradient[:, row, step, 1:])


def test_the_callers_layers_stay_as_they_are() -> None:
    """Padding writes nothing into the layers that it is given."""
    layers = torch.randn(1, 2, 4, 2)
    before = layers.clone()
    _layout([1, 3]).pad(layers).zero_()
    assert torch.equal(layers, before)
