"""
Reading the weights of a biLM, and writing them as an HDF5 file.
"""

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Union

import numpy
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.io.hdf5_files import write_hdf5
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.spelling import Dictionary
from allennlp_elmo_plugin.weights.dataset_file import DatasetFile, listed
from allennlp_elmo_plugin.weights.open_datasets import open_datasets
from allennlp_elmo_plugin.weights.weight_table import (
    PARAMETERS_GROUP,
    WeightRow,
    weight_table,
)

__all__ = ["WeightFile", "write_weights"]

logger = logging.getLogger(__name__)

DICTIONARY_GROUP = "dictionary/"
"""Group of the texts of a dictionary."""

BILM_PREFIXES = ("CNN", "RNN_", "char_embed", DICTIONARY_GROUP, PARAMETERS_GROUP)
"""Prefixes of the names of a biLM's datasets."""

DICTIONARY_TEXTS = {name: DICTIONARY_GROUP + name for name in ("words", "characters")}
"""Datasets of the fields of a `Dictionary`."""


class WeightFile:
    """
    An open file with the weights of a biLM, as bilm-tf writes it: HDF5 or a checkpoint.

    The constructor checks that every dataset fits the options. Iterating over the file reads the
    weights in small portions, each a dictionary of float32 parameters of an `ElmoBilm` by name. Use
    it as a context manager.

    # Parameters

    path : `Union[str, PathLike]`
        Path of an HDF5 file, or of the index of a TensorFlow checkpoint.
    options : `ElmoOptions`
        Options of the biLM.

    # Raises

    `ConfigurationError`
        If the file is of another format, is damaged, holds a number that is not finite, or does not
        fit the options. In the last case the message lists the missing, unexpected, unreadable and
        mis-shaped datasets.
    """

    options: ElmoOptions
    """The given options, with the file's dictionary, `state_projection` and `word_projection`."""

    def __init__(self, path: Union[str, "os.PathLike[str]"], options: ElmoOptions) -> None:
        self._file = open_datasets(path, "ELMo weights")
        try:
            if options.num_words:
                self.options = _with_dictionary_of(self._file, path, options)
            else:
                self.options = _with_projections_of(self._file.names, options)
            self._table = weight_table(self.options)
            _require_fit(path, self._file, self.options)
        except ConfigurationError:
            self._file.close()
            raise

    def __iter__(self) -> Iterator[Dict[str, torch.Tensor]]:
        for row in self._table:
            yield _to_tensors(row, [self._file.read(dataset.name) for dataset in row.datasets])

    def __enter__(self) -> "WeightFile":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def write_weights(
    path: Union[str, "os.PathLike[str]"],
    options: ElmoOptions,
    weights: Mapping[str, torch.Tensor],
) -> None:
    """
    Writes the weights of a biLM in bilm-tf's layout.

    AllenNLP's built-in ELMo and `WeightFile` read back the same bits. The only exception is a
    forget bias nearer to 0 than 2 ** -29: the file stores it minus 1, which rounds its last bits.
    A biLM with a dictionary has other datasets, which AllenNLP's ELMo cannot read: its parameters
    in the group `parameters`, and its dictionary in the group `dictionary`.

    # Parameters

    path : `Union[str, PathLike]`
        Path of the file. The file appears in one step, when it is complete.
    options : `ElmoOptions`
        Options of the biLM.
    weights : `Mapping[str, torch.Tensor]`
        Float32 parameters of an `ElmoBilm` by name, such as its `state_dict()`.

    # Raises

    `OSError`
        If the file cannot be written, for example because the disk is full.
    """
    path = Path(path)
    arrays = {name: tensor.detach().cpu().float().numpy() for name, tensor in weights.items()}
    with write_atomically(path) as partial, write_hdf5(partial) as file:
        for row in weight_table(options):
            for dataset, array in zip(row.datasets, _to_datasets(row, arrays)):
                file.create_dataset(dataset.name, data=array)
        for name, dataset_name in DICTIONARY_TEXTS.items() if options.dictionary else ():
            text = getattr(options.dictionary, name).encode("utf-8", "surrogatepass")
            file.create_dataset(dataset_name, data=numpy.frombuffer(text, "uint8"))


def _to_tensors(row: WeightRow, arrays: List[numpy.ndarray]) -> Dict[str, torch.Tensor]:
    return {
        name: torch.from_numpy(array).to(torch.float32).contiguous()
        for name, array in row.to_parameters(arrays).items()
    }


def _to_datasets(row: WeightRow, arrays: Mapping[str, numpy.ndarray]) -> List[numpy.ndarray]:
    parameters = {name: arrays[name] for name in row.parameters}
    datasets = row.to_datasets(parameters)
    restored = row.to_parameters(datasets)
    if all(numpy.array_equal(restored[name], array) for name, array in parameters.items()):
        return datasets
    # Float32 may not represent a trained forget bias minus 1, but float64 does.
    return row.to_datasets({name: array.astype("float64") for name, array in parameters.items()})


def _with_projections_of(names: List[str], options: ElmoOptions) -> ElmoOptions:
    """Switches off the projections that bilm-tf omits between two equal sizes."""
    names = [name.rsplit("/", 1)[-1] for name in names]
    if options.cell_size == options.projection_dim and "W_P_0" not in names:
        options = replace(options, state_projection=False)
    if options.num_filters == options.projection_dim and "W_proj" not in names:
        options = replace(options, word_projection=False)
    return options


def _with_dictionary_of(
    file: DatasetFile, path: Union[str, "os.PathLike[str]"], options: ElmoOptions
) -> ElmoOptions:
    texts = {name: file.read_text(dataset) for name, dataset in DICTIONARY_TEXTS.items()}
    try:
        return replace(options, dictionary=Dictionary(**texts))
    except ConfigurationError as error:
        raise ConfigurationError(
            f"The dictionary in '{path}' does not fit the options: {error} Use the options file "
            "that belongs to these weights."
        ) from error


def _require_fit(
    path: Union[str, "os.PathLike[str]"], file: DatasetFile, options: ElmoOptions
) -> None:
    table = weight_table(options)
    expected = {dataset.name: dataset.shape for row in table for dataset in row.datasets}
    known = {*expected, *(DICTIONARY_TEXTS.values() if options.num_words else ())}
    unexpected = [name for name in file.names if name not in known]
    # Datasets that belong to no biLM, such as a softmax, are ignored as the built-in ignores them.
    foreign = [name for name in unexpected if not name.startswith(BILM_PREFIXES)]
    problems = file.problems(expected) + [
        f"unexpected: {file.title(name)}, shape {file.shape(name)}"
        for name in unexpected
        if name.startswith(BILM_PREFIXES)
    ]
    if problems:
        raise ConfigurationError(
            f"The weights in '{path}' do not fit the options:\n  {listed(problems)}\n"
            f"Use the options file that belongs to these weights. {file.remedy}"
        )
    if foreign:
        logger.warning(
            "Ignored the datasets of '%s' that belong to no biLM:\n  %s", path, listed(foreign)
        )
