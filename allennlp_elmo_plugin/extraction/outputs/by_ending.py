"""
Choosing the format of an output by the ending of its name.
"""

from pathlib import Path
from typing import Dict, Tuple, Type

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.outputs.hdf5 import Hdf5Output
from allennlp_elmo_plugin.extraction.outputs.jsonl import JsonLinesOutput
from allennlp_elmo_plugin.extraction.outputs.npy import NpyOutput
from allennlp_elmo_plugin.extraction.outputs.npz import NpzOutput
from allennlp_elmo_plugin.extraction.outputs.parquet import ParquetOutput

__all__ = ["output_by_ending"]

OUTPUTS: Tuple[Type[Output], ...] = (
    Hdf5Output,
    NpzOutput,
    NpyOutput,
    ParquetOutput,
    JsonLinesOutput,
)
BY_ENDING: Dict[str, Type[Output]] = {
    ending: output for output in OUTPUTS for ending in output.endings
}


def output_by_ending(path: Path) -> Type[Output]:
    """
    Returns the class that writes files of a name.

    # Parameters

    path : `Path`
        Path of the output.

    # Returns

    `Type[Output]`
        A class of `Output`.

    # Raises

    `ConfigurationError`
        If no format has this ending.
    """
    ending = path.suffix.lower()
    if ending not in BY_ENDING:
        raise ConfigurationError(
            f"Expected the path of an output that ends with {', '.join(BY_ENDING)}, but got "
            f"'{path}'. Choose a format by its ending."
        )
    return BY_ENDING[ending]
