"""
ELMo in plain NumPy, one sentence and one timestep at a time, in float64.

Tests compare the package with this oracle, which reads the files itself and shares no code with the
package. Its matrices keep TensorFlow's layout: inputs times matrix, gates in the order i, g, f, o.
"""

import json
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import h5py
import numpy

__all__ = [
    "Layers",
    "Oracle",
    "RowState",
    "carry_states",
    "character_ids",
    "mix_layers",
    "mix_without_boundaries",
]

Array = numpy.ndarray

# Recurrent state of a sentence: (direction, layer) -> (hidden, cell). A missing entry is zero.
RowState = Dict[Tuple[int, int], Tuple[Array, Array]]


class Layers(NamedTuple):
    """
    Layers and states of a batch.

    # Parameters

    layers : `numpy.ndarray`
        Shape (num_layers + 1, batch, timesteps + 2, 2 * projection_dim), zero outside of the mask.
    mask : `numpy.ndarray`
        Shape (batch, timesteps + 2), bool: `True` at every token and boundary.
    states : `List[RowState]`
        State of each sentence after its last timestep.
    """

    layers: Array
    mask: Array
    states: List[RowState]


def character_ids(
    word: str, max_characters: int = 50, tokens_to_add: Optional[Dict[str, int]] = None
) -> List[int]:
    """
    Returns a word's characters as rows of the file's character embedding, without the raise by 1.
    """
    if tokens_to_add and word in tokens_to_add:
        inner = [tokens_to_add[word]]
    elif word == "<S>":
        inner = [256]
    elif word == "</S>":
        inner = [257]
    else:
        inner = list(word.encode("utf-8", "ignore"))[: max_characters - 2]
    ids = [258] + inner + [259]
    return ids + [260] * (max_characters - len(ids))


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + numpy.exp(-x))


def relu(x: Array) -> Array:
    return numpy.maximum(x, 0.0)


def clip(x: Array, limit: Optional[float]) -> Array:
    return numpy.clip(x, -limit, limit) if limit else x


class Oracle:
    """
    A biLM that computes what its two files describe.

    # Parameters

    options_file : `str`
        Path of `options.json`.
    weight_file : `str`
        Path of the HDF5 file.
    """

    def __init__(self, options_file: str, weight_file: str) -> None:
        with open(options_file) as options_in:
            self.options: Dict[str, Any] = json.load(options_in)
        self.weights: Dict[str, Array] = {}

        def keep(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                self.weights[name] = item[...].astype("float64")

        with h5py.File(weight_file, "r") as weights_in:
            weights_in.visititems(keep)
        self.max_characters: int = self.options["char_cnn"]["max_characters_per_token"]
        self.dim: int = self.options["lstm"]["projection_dim"]
        self.cell_size: int = self.options["lstm"]["dim"]
        self.n_layers: int = self.options["lstm"]["n_layers"]

    def word_vector(self, word: str, tokens_to_add: Optional[Dict[str, int]] = None) -> Array:
        """
        Returns the context-free vector of a word, of shape (projection_dim,).
        """
        options = self.options["char_cnn"]
        activation = numpy.tanh if options["activation"] == "tanh" else relu
        characters = self.weights["char_embed"][
            character_ids(word, self.max_characters, tokens_to_add)
        ]
        pieces = []
        for index, (width, _) in enumerate(options["filters"]):
            kernel = self.weights[f"CNN/W_cnn_{index}"][0]
            bias = self.weights[f"CNN/b_cnn_{index}"]
            values = []
            for start in range(self.max_characters - width + 1):
                value = bias.copy()
                for offset in range(width):
                    value = value + characters[start + offset] @ kernel[offset]
                values.append(value)
            pieces.append(activation(numpy.max(values, axis=0)))
        vector = numpy.concatenate(pieces)
        for index in range(options["n_highway"]):
            group = f"CNN_high_{index}/"
            carry = sigmoid(
                vector @ self.weights[group + "W_carry"] + self.weights[group + "b_carry"]
            )
            transformed = relu(
                vector @ self.weights[group + "W_transform"] + self.weights[group + "b_transform"]
            )
            vector = carry * transformed + (1.0 - carry) * vector
        if "CNN_proj/W_proj" in self.weights:
            vector = vector @ self.weights["CNN_proj/W_proj"] + self.weights["CNN_proj/b_proj"]
        return vector

    def step(
        self, direction: int, layer: int, x: Array, hidden: Array, cell: Array
    ) -> Tuple[Array, Array]:
        """
        Returns the hidden and cell state of one cell after one timestep.
        """
        options = self.options["lstm"]
        group = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell/"
        sums = numpy.concatenate([x, hidden]) @ self.weights[group + "W_0"]
        i, g, f, o = numpy.split(sums + self.weights[group + "B"], 4)
        cell = sigmoid(f + 1.0) * cell + sigmoid(i) * numpy.tanh(g)
        cell = clip(cell, options.get("cell_clip"))
        hidden = sigmoid(o) * numpy.tanh(cell)
        if group + "W_P_0" in self.weights:
            hidden = clip(hidden @ self.weights[group + "W_P_0"], options.get("proj_clip"))
        return hidden, cell

    def sentence_layers(
        self,
        words: Sequence[str],
        state: RowState,
        tokens_to_add: Optional[Dict[str, int]] = None,
    ) -> Tuple[Array, RowState]:
        """
        Computes all layers of one sentence with its boundaries.

        # Returns

        `Tuple[Array, RowState]`
            Layers of shape (num_layers + 1, len(words) + 2, 2 * projection_dim), and the state
            after the last timestep.
        """
        vectors = [
            self.word_vector(word, tokens_to_add if 0 < position <= len(words) else None)
            for position, word in enumerate(["<S>"] + list(words) + ["</S>"])
        ]
        final: RowState = {}
        halves = []
        for direction in (0, 1):
            inputs = vectors if direction == 0 else vectors[::-1]
            layers = [inputs]
            for layer in range(self.n_layers):
                hidden, cell = state.get(
                    (direction, layer), (numpy.zeros(self.dim), numpy.zeros(self.cell_size))
                )
                outputs = []
                for x in inputs:
                    hidden, cell = self.step(direction, layer, x, hidden, cell)
                    residual = layer > 0 and self.options["lstm"].get("use_skip_connections")
                    outputs.append(hidden + x if residual else hidden)
                final[direction, layer] = (hidden, cell)
                layers.append(outputs)
                inputs = outputs
            halves.append([layer if direction == 0 else layer[::-1] for layer in layers])
        return numpy.concatenate([numpy.array(half) for half in halves], axis=-1), final

    def batch_layers(
        self,
        sentences: Sequence[Sequence[str]],
        states: Optional[Sequence[RowState]] = None,
        tokens_to_add: Optional[Dict[str, int]] = None,
        timesteps: Optional[int] = None,
    ) -> Layers:
        """
        Computes all layers of a batch. Row i starts from `states[i]`, or from zero without one.
        """
        if timesteps is None:
            timesteps = max([len(words) for words in sentences] + [0])
        layers = numpy.zeros((self.n_layers + 1, len(sentences), timesteps + 2, 2 * self.dim))
        mask = numpy.zeros((len(sentences), timesteps + 2), dtype=bool)
        ends = []
        for row, words in enumerate(sentences):
            start = states[row] if states is not None and row < len(states) else {}
            sentence, end = self.sentence_layers(words, start, tokens_to_add)
            layers[:, row, : len(words) + 2] = sentence
            mask[row, : len(words) + 2] = True
            ends.append(end)
        return Layers(layers, mask, ends)


def carry_states(before: Sequence[RowState], after: Sequence[RowState]) -> List[RowState]:
    """
    Returns the carried states after a batch: new ones of its rows, and old ones of further rows.
    """
    return list(after) + list(before[len(after) :])


def mix_layers(
    layers: Array,
    mask: Array,
    scalar_parameters: Optional[Sequence[float]] = None,
    gamma: float = 1.0,
    do_layer_norm: bool = False,
) -> Array:
    """
    Returns the weighted sum of the layers with boundaries, of shape (batch, timesteps + 2, dim).
    """
    if scalar_parameters is None:
        scalar_parameters = [0.0] * len(layers)
    shifted = numpy.exp(numpy.array(scalar_parameters) - numpy.max(scalar_parameters))
    total = numpy.zeros(layers.shape[1:])
    for weight, layer in zip(shifted / shifted.sum(), layers):
        if do_layer_norm:
            mean, variance = layer[mask].mean(), layer[mask].var()
            layer = (layer - mean) / numpy.sqrt(variance + 1e-13)
        total = total + weight * layer
    return gamma * total


def mix_without_boundaries(
    result: Layers,
    scalar_parameters: Optional[Sequence[float]] = None,
    gamma: float = 1.0,
    do_layer_norm: bool = False,
) -> Array:
    """
    Returns the embedder's vectors before dropout and projection, of shape (batch, timesteps, dim).
    """
    mixed = mix_layers(result.layers, result.mask, scalar_parameters, gamma, do_layer_norm)
    batch, timesteps, dim = mixed.shape
    output = numpy.zeros((batch, timesteps - 2, dim))
    for row, length in enumerate(result.mask.sum(axis=1) - 2):
        output[row, :length] = mixed[row, 1 : length + 1]
    return output
