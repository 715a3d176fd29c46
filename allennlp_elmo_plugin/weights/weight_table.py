"""
The weight table, which maps HDF5 datasets to the parameters of an `ElmoBilm`.

Each row of the table also has the datasets' shapes and the layout steps between the two. The names
and shapes of the datasets are those that bilm-tf's `dump_weights` writes; the names of the
parameters are those of AllenNLP's `_ElmoBiLm`. Only a biLM with a dictionary, which bilm-tf lacks,
has datasets of other names.
"""

from dataclasses import dataclass
from typing import Dict, Iterator, List, Tuple

import numpy

from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.spelling import NUM_CHARACTERS
from allennlp_elmo_plugin.weights.layout_steps import (
    AddToForgetGate,
    DropLastAxis,
    LayoutStep,
    Negate,
    PrependZeroRow,
    SwapForgetAndCellGates,
    Transpose,
)
from allennlp_elmo_plugin.weights.parameters import parameter_shapes

__all__ = ["PARAMETERS_GROUP", "DatasetSpec", "WeightRow", "parameter_names", "weight_table"]

PARAMETERS_GROUP = "parameters/"
"""Group of the parameters of a biLM with a dictionary."""


@dataclass(frozen=True)
class DatasetSpec:
    """
    A dataset of the HDF5 file.

    # Parameters

    name : `str`
        Name of the dataset.
    shape : `Tuple[int, ...]`
        Shape of the dataset.
    layout_steps : `Tuple[LayoutStep, ...]`
        Steps from the dataset's layout to the parameter's, in the order in which they are applied.
    """

    name: str
    shape: Tuple[int, ...]
    layout_steps: Tuple[LayoutStep, ...] = ()


@dataclass(frozen=True)
class WeightRow:
    """
    One row of the weight table: datasets and the parameters that they form together.

    The arrays of all datasets, with their layout steps applied, are concatenated along `axis` and
    then split along `axis` into parameters of equal size. Most rows have one of each.

    # Parameters

    datasets : `Tuple[DatasetSpec, ...]`
        Datasets, all of the same shape.
    parameters : `Tuple[str, ...]`
        Names of the parameters in the state dict of `ElmoBilm`, all of the same shape.
    axis : `int`, optional (default = `0`)
        Axis of the concatenation and the split.
    """

    datasets: Tuple[DatasetSpec, ...]
    parameters: Tuple[str, ...]
    axis: int = 0

    def to_parameters(self, arrays: List[numpy.ndarray]) -> Dict[str, numpy.ndarray]:
        """
        Converts datasets to parameters.

        # Parameters

        arrays : `List[numpy.ndarray]`
            Content of each dataset, in the order of `datasets`.

        # Returns

        `Dict[str, numpy.ndarray]`
            Arrays of the parameters by name. Some are views of `arrays`.
        """
        converted = []
        for dataset, array in zip(self.datasets, arrays):
            for step in dataset.layout_steps:
                array = step.apply(array)
            converted.append(array)
        joined = converted[0] if len(converted) == 1 else numpy.concatenate(converted, self.axis)
        pieces = numpy.split(joined, len(self.parameters), axis=self.axis)
        return dict(zip(self.parameters, pieces))

    def to_datasets(self, parameters: Dict[str, numpy.ndarray]) -> List[numpy.ndarray]:
        """
        Converts parameters to datasets.

        # Parameters

        parameters : `Dict[str, numpy.ndarray]`
            Arrays of the row's parameters by name.

        # Returns

        `List[numpy.ndarray]`
            Content of each dataset, in the order of `datasets`.
        """
        joined = numpy.concatenate([parameters[name] for name in self.parameters], axis=self.axis)
        pieces = numpy.split(joined, len(self.datasets), axis=self.axis)
        arrays = []
        for dataset, array in zip(self.datasets, pieces):
            for step in reversed(dataset.layout_steps):
                array = step.invert(array)
            arrays.append(array)
        return arrays


def weight_table(options: ElmoOptions) -> List[WeightRow]:
    """
    Returns the weight table of a biLM.

    # Parameters

    options : `ElmoOptions`
        Options of the biLM.

    # Returns

    `List[WeightRow]`
        Rows with every dataset and every parameter exactly once. If the biLM has a dictionary, each
        parameter is a dataset.
    """
    if options.num_words:
        return [
            WeightRow((DatasetSpec(PARAMETERS_GROUP + name, shape),), (name,))
            for name, shape in parameter_shapes(options).items()
        ]
    return [*_char_cnn_rows(options), *_lstm_rows(options)]


def parameter_names(options: ElmoOptions) -> List[str]:
    """
    Returns the names of the parameters of an `ElmoBilm`.

    # Parameters

    options : `ElmoOptions`
        Options of the biLM.

    # Returns

    `List[str]`
        Names in the state dict, which are those in AllenNLP's `_ElmoBiLm`.
    """
    return [name for row in weight_table(options) for name in row.parameters]


def _char_cnn_rows(options: ElmoOptions) -> Iterator[WeightRow]:
    dim = options.char_embedding_dim
    yield WeightRow(
        (DatasetSpec("char_embed", (NUM_CHARACTERS, dim), (PrependZeroRow(),)),),
        ("_token_embedder._char_embedding_weights",),
    )
    for i, (width, number) in enumerate(options.filters):
        name, steps = f"_token_embedder.char_conv_{i}.", (Transpose(), DropLastAxis())
        yield WeightRow(
            (DatasetSpec(f"CNN/W_cnn_{i}", (1, width, dim, number), steps),),
            (name + "weight",),
        )
        yield WeightRow((DatasetSpec(f"CNN/b_cnn_{i}", (number,)),), (name + "bias",))
    for k in range(options.num_highways):
        yield from _highway_rows(k, options.num_filters)
    if options.word_projection:
        shape, name = (options.num_filters, options.projection_dim), "_token_embedder._projection."
        yield WeightRow(
            (DatasetSpec("CNN_proj/W_proj", shape, (Transpose(),)),), (name + "weight",)
        )
        yield WeightRow((DatasetSpec("CNN_proj/b_proj", shape[1:]),), (name + "bias",))


def _highway_rows(k: int, size: int) -> Iterator[WeightRow]:
    group, name = f"CNN_high_{k}/", f"_token_embedder._highways._layers.{k}."
    yield WeightRow(
        (
            DatasetSpec(group + "W_transform", (size, size), (Transpose(),)),
            DatasetSpec(group + "W_carry", (size, size), (Transpose(), Negate())),
        ),
        (name + "weight",),
    )
    yield WeightRow(
        (
            DatasetSpec(group + "b_transform", (size,)),
            DatasetSpec(group + "b_carry", (size,), (Negate(),)),
        ),
        (name + "bias",),
    )


def _lstm_rows(options: ElmoOptions) -> Iterator[WeightRow]:
    cell_size, dim = options.cell_size, options.projection_dim
    for i, direction in enumerate(("forward", "backward")):
        for k in range(options.num_layers):
            group = f"RNN_{i}/RNN/MultiRNNCell/Cell{k}/LSTMCell/"
            name = f"_elmo_lstm.{direction}_layer_{k}."
            steps = (SwapForgetAndCellGates(), Transpose())
            yield WeightRow(
                (DatasetSpec(group + "W_0", (2 * dim, 4 * cell_size), steps),),
                (name + "input_linearity.weight", name + "state_linearity.weight"),
                axis=1,
            )
            bias_steps = (SwapForgetAndCellGates(), AddToForgetGate(1.0))
            yield WeightRow(
                (DatasetSpec(group + "B", (4 * cell_size,), bias_steps),),
                (name + "state_linearity.bias",),
            )
            if options.state_projection:
                yield WeightRow(
                    (DatasetSpec(group + "W_P_0", (cell_size, dim), (Transpose(),)),),
                    (name + "state_projection.weight",),
                )
