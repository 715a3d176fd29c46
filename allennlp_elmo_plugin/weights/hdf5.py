"""
Reading and writing the HDF5 file of a biLM.
"""

import logging
import os
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Tuple, Union

import h5py
import numpy
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.weights.weight_table import WeightRow, weight_table

__all__ = ["WeightFile", "read_array", "write_weights"]

logger = logging.getLogger(__name__)


class WeightFile:
    """
    An HDF5 file with the weights of a biLM, as bilm-tf writes it, opened for reading and checked.
    Iterating over it gives the weights a few at a time: the float32 parameters of an `ElmoBilm`
    by name. To be used as a context manager.

    # Parameters

    path : `Union[str, PathLike]`
        The file.
    options : `ElmoOptions`
        The shape that the weights are to have.

    # Raises

    `ConfigurationError`
        When the file is no HDF5 file, is cut off, or does not fit the options. In the last case
        every missing, unexpected and mis-shaped dataset is listed.
    """

    options: ElmoOptions
    """The options, with the projections that the file has."""

    def __init__(self, path: Union[str, "os.PathLike[str]"], options: ElmoOptions) -> None:
        self._path = path
        with self._explained():
            self._file = h5py.File(path, "r")
        try:
            with self._explained():
                shapes = _dataset_shapes(self._file)
            self.options = _with_projections_as_in(shapes, options)
            self._table = weight_table(self.options)
            _check(path, shapes, self._table)
        except ConfigurationError:
            self._file.close()
            raise

    def __iter__(self) -> Iterator[Dict[str, torch.Tensor]]:
        for row in self._table:
            with self._explained():
                arrays = [read_array(self._file[dataset.name]) for dataset in row.datasets]
            yield _to_tensors(row, arrays)

    def __enter__(self) -> "WeightFile":
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigurationError(
                f"Expected ELMo weights in HDF5, but '{self._path}' cannot be read ({error}). Is "
                "it another kind of file, or a download that broke off?"
            ) from error


def write_weights(
    path: Union[str, "os.PathLike[str]"],
    options: ElmoOptions,
    weights: Mapping[str, torch.Tensor],
) -> None:
    """
    Writes the weights of a biLM in bilm-tf's layout, so that AllenNLP's built-in and
    `WeightFile` read back each parameter to the bit (of a trained forget bias nearer to 0 than
    2 ** -29, the bits that survive the addition of 1 in double precision).

    # Parameters

    path : `Union[str, PathLike]`
        Where the file is to be. It is replaced in one step when it is complete.
    options : `ElmoOptions`
        The shape of the biLM.
    weights : `Mapping[str, torch.Tensor]`
        The float32 parameters of an `ElmoBilm` by name, such as its `state_dict()`.
    """
    path = Path(path)
    arrays = {name: tensor.detach().cpu().float().numpy() for name, tensor in weights.items()}
    with write_atomically(path) as partial, h5py.File(partial, "w") as file:
        for row in weight_table(options):
            for dataset, array in zip(row.datasets, _to_datasets(row, arrays)):
                file.create_dataset(dataset.name, data=array)


def read_array(dataset: h5py.Dataset) -> numpy.ndarray:
    """
    # Parameters

    dataset : `h5py.Dataset`
        Of any byte order: PyTorch takes the machine's own alone.

    # Returns

    `numpy.ndarray`
        All of it, in the machine's own byte order.
    """
    return numpy.asarray(dataset[()], dtype=dataset.dtype.newbyteorder("="))


def _to_tensors(row: WeightRow, arrays: List[numpy.ndarray]) -> Dict[str, torch.Tensor]:
    return {
        name: torch.from_numpy(array).to(torch.float32).contiguous()
        for name, array in row.to_parameters(arrays).items()
    }


def _to_datasets(row: WeightRow, arrays: Mapping[str, numpy.ndarray]) -> List[numpy.ndarray]:
    parameters = {p.name: arrays[p.name] for p in row.parameters}
    datasets = row.to_datasets(parameters)
    restored = row.to_parameters(datasets)
    if all(numpy.array_equal(restored[name], array) for name, array in parameters.items()):
        return datasets
    # A trained forget bias less one may have no float32, but it has a double.
    return row.to_datasets({name: array.astype("float64") for name, array in parameters.items()})


def _dataset_shapes(file: h5py.File) -> Dict[str, Tuple[int, ...]]:
    shapes: Dict[str, Tuple[int, ...]] = {}

    def visit(name: str, item: Union[h5py.Group, h5py.Dataset]) -> None:
        if isinstance(item, h5py.Dataset):
            shapes[name] = tuple(item.shape)

    file.visititems(visit)
    return shapes


def _with_projections_as_in(
    shapes: Mapping[str, Tuple[int, ...]], options: ElmoOptions
) -> ElmoOptions:
    # Where two sizes are equal, bilm-tf trains without the projection from one to the other.
    names = {name.rsplit("/", 1)[-1] for name in shapes}
    if options.cell_size == options.projection_dim and "W_P_0" not in names:
        options = replace(options, state_projection=False)
    if options.num_filters == options.projection_dim and "W_proj" not in names:
        options = replace(options, word_projection=False)
    return options


def _check(
    path: Union[str, "os.PathLike[str]"],
    shapes: Mapping[str, Tuple[int, ...]],
    table: List[WeightRow],
) -> None:
    expected = {dataset.name: dataset.shape for row in table for dataset in row.datasets}
    problems = [
        f"missing: {name}, expected shape {shape}"
        for name, shape in expected.items()
        if name not in shapes
    ]
    problems += [
        f"mis-shaped: {name}, expected {shape}, got {shapes[name]}"
        for name, shape in expected.items()
        if name in shapes and shapes[name] != shape
    ]
    unexpected = [name for name in shapes if name not in expected]
    # What has no place in any biLM (a softmax, say) is left alone, as the built-in leaves it.
    foreign = [name for name in unexpected if not name.startswith(("CNN", "RNN_", "char_embed"))]
    problems += [
        f"unexpected: {name}, shape {shapes[name]}" for name in unexpected if name not in foreign
    ]
    if problems:
        raise ConfigurationError(
            f"The weights in '{path}' do not fit the options:\n  "
            + "\n  ".join(problems)
            + "\nGive the options file that belongs to these weights."
        )
    if foreign:
        logger.warning("'%s' holds datasets that no biLM has, left unread: %s", path, foreign)
