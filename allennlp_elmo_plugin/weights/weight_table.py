"""
Which HDF5 dataset holds which parameter of an `ElmoBilm`, with its shape and the steps between
the two, and the name of the same parameter in AllenNLP's built-in ELMo.

The names and shapes of the datasets are those that bilm-tf's `dump_weights` writes.
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

__all__ = ["DatasetSpec", "ParameterSpec", "WeightRow", "builtin_names", "weight_table"]


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset of the HDF5 file, and the steps that lead from it to its parameter."""

    name: str
    shape: Tuple[int, ...]
    steps: Tuple[LayoutStep, ...]


@dataclass(frozen=True)
class ParameterSpec:
    """
    A parameter of `ElmoBilm`, its name in AllenNLP's `_ElmoBiLm`, and its size along the axis on
    which its row joins and splits.
    """

    name: str
    builtin_name: str
    size: int


@dataclass(frozen=True)
class WeightRow:
    """
    Datasets and the parameters that they make up together: the arrays of all datasets are joined
    along `axis`, then split along `axis` into the parameters.
    """

    datasets: Tuple[DatasetSpec, ...]
    parameters: Tuple[ParameterSpec, ...]
    axis: int = 0

    def to_parameters(self, arrays: List[numpy.ndarray]) -> Dict[str, numpy.ndarray]:
        """From the arrays of the datasets to those of the parameters."""
        converted = []
        for dataset, array in zip(self.datasets, arrays):
            for step in dataset.steps:
                array = step.apply(array)
            converted.append(array)
        joined = converted[0] if len(converted) == 1 else numpy.concatenate(converted, self.axis)
        cuts = numpy.cumsum([parameter.size for parameter in self.parameters])[:-1]
        parts = numpy.split(joined, cuts, axis=self.axis)
        return {parameter.name: part for parameter, part in zip(self.parameters, parts)}

    def to_datasets(self, parameters: Dict[str, numpy.ndarray]) -> List[numpy.ndarray]:
        """From the arrays of the parameters to those of the datasets."""
        joined = numpy.concatenate([parameters[p.name] for p in self.parameters], axis=self.axis)
        arrays = []
        for dataset, array in zip(
            self.datasets, numpy.split(joined, len(self.datasets), axis=self.axis)
        ):
            for step in reversed(dataset.steps):
                array = step.invert(array)
            arrays.append(array)
        return arrays


def weight_table(options: ElmoOptions) -> List[WeightRow]:
    """
    The table of a biLM.

    # Parameters

    options : `ElmoOptions`
        The shape of the biLM.

    # Returns

    `List[WeightRow]`
        Every dataset and every parameter, each once.
    """
    return [*_char_cnn(options), *_lstms(options)]


def builtin_names(options: ElmoOptions) -> Dict[str, str]:
    """
    What AllenNLP's built-in calls each parameter.

    # Parameters

    options : `ElmoOptions`
        The shape of the biLM.

    # Returns

    `Dict[str, str]`
        From the name in AllenNLP's `_ElmoBiLm` to the name in `ElmoBilm`. The arrays are the same.
    """
    return {
        parameter.builtin_name: parameter.name
        for row in weight_table(options)
        for parameter in row.parameters
    }


def _single(
    dataset: str,
    shape: Tuple[int, ...],
    steps: Tuple[LayoutStep, ...],
    name: str,
    builtin_name: str,
) -> WeightRow:
    return WeightRow((DatasetSpec(dataset, shape, steps),), (ParameterSpec(name, builtin_name, 0),))


def _char_cnn(options: ElmoOptions) -> Iterator[WeightRow]:
    builtin = "_token_embedder."
    dim = options.char_embedding_dim
    num_filters = options.num_filters

    yield _single(
        "char_embed",
        (NUM_CHARACTERS, dim),
        (PrependZeroRow(),),
        "char_cnn.char_embedding.weight",
        builtin + "_char_embedding_weights",
    )
    for i, (width, number) in enumerate(options.filters):
        name, builtin_name = f"char_cnn.convolutions.{i}.", builtin + f"char_conv_{i}."
        yield _single(
            f"CNN/W_cnn_{i}",
            (1, width, dim, number),
            (Transpose(), DropLastAxis()),
            name + "weight",
            builtin_name + "weight",
        )
        yield _single(f"CNN/b_cnn_{i}", (number,), (), name + "bias", builtin_name + "bias")
    for k in range(options.num_highways):
        group = f"CNN_high_{k}/"
        name, builtin_name = f"char_cnn.highways.{k}.", builtin + f"_highways._layers.{k}."
        square = (num_filters, num_filters)
        yield WeightRow(
            (
                DatasetSpec(group + "W_transform", square, (Transpose(),)),
                DatasetSpec(group + "W_carry", square, (Transpose(), Negate())),
            ),
            (ParameterSpec(name + "weight", builtin_name + "weight", 2 * num_filters),),
        )
        yield WeightRow(
            (
                DatasetSpec(group + "b_transform", (num_filters,), ()),
                DatasetSpec(group + "b_carry", (num_filters,), (Negate(),)),
            ),
            (ParameterSpec(name + "bias", builtin_name + "bias", 2 * num_filters),),
        )
    if options.word_projection:
        name, builtin_name = "char_cnn.projection.", builtin + "_projection."
        dim = options.projection_dim
        yield _single(
            "CNN_proj/W_proj",
            (num_filters, dim),
            (Transpose(),),
            name + "weight",
            builtin_name + "weight",
        )
        yield _single("CNN_proj/b_proj", (dim,), (), name + "bias", builtin_name + "bias")


def _lstms(options: ElmoOptions) -> Iterator[WeightRow]:
    cell, hidden = options.cell_size, options.projection_dim
    for i, direction in enumerate(("forward", "backward")):
        for k in range(options.num_layers):
            group = f"RNN_{i}/RNN/MultiRNNCell/Cell{k}/LSTMCell/"
            name = f"lstm.layers.{k}.{direction}_lstm."
            builtin_name = f"_elmo_lstm.{direction}_layer_{k}."
            yield WeightRow(
                (
                    DatasetSpec(
                        group + "W_0",
                        (2 * hidden, 4 * cell),
                        (SwapForgetAndCellGates(), Transpose()),
                    ),
                ),
                (
                    ParameterSpec(
                        name + "weight_ih", builtin_name + "input_linearity.weight", hidden
                    ),
                    ParameterSpec(
                        name + "weight_hh", builtin_name + "state_linearity.weight", hidden
                    ),
                ),
                axis=1,
            )
            yield _single(
                group + "B",
                (4 * cell,),
                (SwapForgetAndCellGates(), AddToForgetGate(1.0)),
                name + "bias",
                builtin_name + "state_linearity.bias",
            )
            if options.state_projection:
                yield _single(
                    group + "W_P_0",
                    (cell, hidden),
                    (Transpose(),),
                    name + "weight_hr",
                    builtin_name + "state_projection.weight",
                )
