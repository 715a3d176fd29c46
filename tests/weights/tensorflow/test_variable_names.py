"""The names of a biLM's variables in checkpoints."""

from typing import List

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.weights.tensorflow.variable_names import find_bilm_variables

MULTI_CELL = "multi_rnn_cell/cell_0/"
CELL = "RNN_1/RNN/MultiRNNCell/Cell{}/LSTMCell/{}"


@pytest.mark.parametrize(
    ("variable", "dataset", "is_padded"),
    [
        ("RNN_1/rnn/multi_rnn_cell/cell_3/lstm_cell/kernel", CELL.format(3, "W_0"), False),
        ("RNN_1/rnn/multi_rnn_cell/cell_0/lstm_cell/bias", CELL.format(0, "B"), False),
        ("RNN_1/rnn/lstm_cell/projection/kernel", CELL.format(0, "W_P_0"), False),
        ("RNN_1/RNN/MultiRNNCell/Cell1/rnn/lstm_cell/kernel", CELL.format(1, "W_0"), True),
        ("CNN_high_0/W_carry", "CNN_high_0/W_carry", False),
        ("RNN_2/rnn/lstm_cell/kernel", "RNN_2/rnn/lstm_cell/kernel", False),
    ],
)
@pytest.mark.parametrize("scope", ["lm/", "bilm/", "module/bilm/", ""])
def test_names_of_both_programs(scope: str, variable: str, dataset: str, is_padded: bool) -> None:
    """Each program's names become those of the HDF5 files, in any scope."""
    found = find_bilm_variables([scope + "char_embed", scope + variable])
    assert found.names == {"char_embed": scope + "char_embed", dataset: scope + variable}
    assert found.is_padded is is_padded


def test_other_variables_are_left_out() -> None:
    """Slots of optimizers and variables outside of the scope are no weights of the biLM."""
    names = ["global_step", "lm/char_embed", "lm/char_embed/Adam", "lm/char_embed/Adam_1"]
    assert list(find_bilm_variables([*names, "aggregation/weights"]).names) == ["char_embed"]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "got:\n  none"),
        (["lm/embedding"], "'lm/embedding'"),
        (["a/char_embed", "b/char_embed"], "a/, b/"),
        (
            [
                "char_embed",
                "RNN_0/rnn/lstm_cell/bias",
                "RNN_0/rnn/multi_rnn_cell/cell_0/lstm_cell/bias",
            ],
            "stand for the same weights",
        ),
    ],
)
def test_variables_of_no_bilm_or_several(names: List[str], reason: str) -> None:
    """The error says what was found instead of the variables of one biLM."""
    with pytest.raises(ConfigurationError) as raised:
        find_bilm_variables(names)
    assert reason in str(raised.value)
