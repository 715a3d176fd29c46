"""
The names of a biLM's variables in checkpoints, and their names in bilm-tf's HDF5 files.

Two programs make them. bilm-tf's training names the LSTMs
`lm/RNN_0/rnn/multi_rnn_cell/cell_1/lstm_cell/kernel`, or `lm/RNN_0/rnn/lstm_cell/kernel` if there
is one layer. bilm-tf's reader of HDF5 files names them
`bilm/RNN_0/RNN/MultiRNNCell/Cell1/rnn/lstm_cell/kernel`, and so do the modules of TF-Hub that were
made with it: google/elmo and DeepPavlov's. Other variables have the same names everywhere, after a
prefix such as `lm/` or `bilm/`.
"""

import re
from pathlib import PurePosixPath
from typing import Collection, Dict, List, NamedTuple

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.weights.dataset_file import listed

__all__ = ["CHAR_EMBED", "BilmVariables", "find_bilm_variables"]

CHAR_EMBED = "char_embed"

LSTM = re.compile(
    r"RNN_(?P<direction>[01])/"
    r"(?:rnn/(?:multi_rnn_cell/cell_(?P<trained>\d+)/)?|RNN/MultiRNNCell/Cell(?P<read>\d+)/rnn/)"
    r"lstm_cell/(?P<weight>kernel|bias|projection/kernel)"
)
LSTM_DATASETS = {"kernel": "W_0", "bias": "B", "projection/kernel": "W_P_0"}


class BilmVariables(NamedTuple):
    """
    The variables of a biLM.

    # Parameters

    names : `Dict[str, str]`
        Names in the checkpoint by the names in an HDF5 file.
    is_padded : `bool`
        If `True`, `char_embed` begins with a row for padding, as bilm-tf's reader adds one.
    """

    names: Dict[str, str]
    is_padded: bool


def find_bilm_variables(names: Collection[str]) -> BilmVariables:
    """
    Finds the variables of a biLM among those of a checkpoint.

    Slots of an optimizer, such as `lm/char_embed/Adagrad`, are left out. So is everything outside
    the scope of the biLM.

    # Parameters

    names : `Collection[str]`
        Names of all variables.

    # Returns

    `BilmVariables`
        All variables in the scope that has a `char_embed`. One with an unknown name keeps it.

    # Raises

    `ConfigurationError`
        If no scope or several have a `char_embed`, or if two variables stand for the same weights.
    """
    scope = _scope(names)
    found: Dict[str, str] = {}
    is_padded = False
    present = set(names)
    for name in names:
        if not name.startswith(scope) or _is_slot(name, present):
            continue
        dataset = name[len(scope) :]
        match = LSTM.fullmatch(dataset)
        if match:
            layer = match["trained"] or match["read"] or "0"
            group = f"RNN_{match['direction']}/RNN/MultiRNNCell/Cell{layer}/LSTMCell/"
            dataset = group + LSTM_DATASETS[match["weight"]]
            is_padded = is_padded or match["read"] is not None
        if dataset in found:
            raise ConfigurationError(
                f"Expected the variables of one biLM, but '{found[dataset]}' and '{name}' stand "
                "for the same weights. Save the biLM alone."
            )
        found[dataset] = name
    return BilmVariables(found, is_padded)


def _scope(names: Collection[str]) -> str:
    """Returns the names' prefix up to `char_embed`."""
    scopes: List[str] = [
        name[: -len(CHAR_EMBED)] for name in names if PurePosixPath(name).name == CHAR_EMBED
    ]
    if len(scopes) == 1:
        return scopes[0]
    if scopes:
        raise ConfigurationError(
            "Expected the variables of one biLM, got several scopes with a 'char_embed': "
            f"{', '.join(scopes)[:500]}. Save one of them alone."
        )
    raise ConfigurationError(
        "Expected the variables of a biLM that reads characters, with 'lm/char_embed' or another "
        f"'char_embed' among them, got:\n  {listed(sorted(names)) or 'none'}\n"
        "Models that read ids of words ('lm/embedding') and other networks cannot be used."
    )


def _is_slot(name: str, names: Collection[str]) -> bool:
    """Returns `True` for what an optimizer keeps below the name of a variable."""
    return any(str(parent) in names for parent in PurePosixPath(name).parents)
