"""
Choosing the format of an output by the ending of its name.
"""

from pathlib import Path
from typing import Iterable, Tuple, Type

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
BY_ENDING = {ending: output for output in OUTPUTS for ending in output.endings}


def output_by_ending(path: Path, outputs: Iterable[Type[Output]] = OUTPUTS) -> Type[Output]:
    """
    Returns the class that writes files of a name.

    # Parameters

    path : `Path`
        Path of the output.
    outputs : `Iterable[Type[Output]]`, optional (default = `OUTPUTS`)
        The classes to choose from. The default is all that write vectors.

    # Returns

    `Type[Output]`
        A class of `Output`.

    # Raises

    `ConfigurationError`
        If no format has this ending.
    """
    by_ending = {ending: output for output in outputs for ending in output.endings}
    ending = path.suffix.lower()
    if ending not in by_ending:
        raise ConfigurationError(
            f"Expected the path of an output that ends with {', '.join(by_ending)}, but got "
            f"'{path}'. Choose a format by its ending."
        )
    return by_ending[ending]
