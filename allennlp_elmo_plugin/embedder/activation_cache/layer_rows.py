"""
The form in which layers are stored: one row of numbers for each token.

A row holds the token vector once, if both of its halves are the same, and then the LSTM layers.
"""

from typing import List, Sequence

import numpy
import torch

from allennlp_elmo_plugin.embedder.encoder import EncodedSentences

__all__ = ["LayerRows"]


class LayerRows:
    """
    Converts layers to rows and back.

    # Parameters

    num_representations : `int`
        The number of layers, the token layer included.
    size : `int`
        The size of each vector of each layer.
    doubles_token_layer : `bool`
        If `True`, both halves of a token's vector in layer 0 are the same, and one is stored.
    dtype : `str`
        `"float32"` or `"float16"`.
    """

    def __init__(
        self, num_representations: int, size: int, doubles_token_layer: bool, dtype: str
    ) -> None:
        self.num_representations = num_representations
        self.size = size
        self.skipped = size // 2 if doubles_token_layer else 0
        self.row_size = num_representations * size - self.skipped
        self.dtype = dtype

    def from_layers(self, encoded: EncodedSentences, lengths: Sequence[int]) -> List[numpy.ndarray]:
        """
        Converts the layers of a batch to rows.

        # Parameters

        encoded : `EncodedSentences`
            The layers.
        lengths : `Sequence[int]`
            The number of tokens in each row of the batch, boundaries included.

        # Returns

        `List[numpy.ndarray]`
            For each sentence, shape (tokens, row size).
        """
        layers = encoded.layers.detach().permute(1, 2, 0, 3).flatten(2)[..., self.skipped :]
        arrays = layers.to("cpu", getattr(torch, self.dtype)).numpy()
        return [array[:length].copy() for array, length in zip(arrays, lengths)]

    def to_layers(self, rows: Sequence[numpy.ndarray], timesteps: int) -> torch.Tensor:
        """
        Converts the rows of a batch to layers.

        # Parameters

        rows : `Sequence[numpy.ndarray]`
            For each sentence, shape (tokens, row size).
        timesteps : `int`
            The width of the batch, boundaries included.

        # Returns

        `torch.Tensor`
            Shape (num_representations, batch, timesteps, size), float32, on the CPU, exactly 0 at
            padded positions.
        """
        # Layer by layer, so a scalar mix is one product of matrices.
        layers = torch.empty(self.num_representations, len(rows), timesteps, self.size)
        memory = layers.numpy()
        rest, num_lstm_layers = self.size - self.skipped, self.num_representations - 1
        # If half of layer 0 is stored, it stands for both.
        halves = memory[0].reshape(len(rows), timesteps, self.size // rest, rest)
        for row, array in enumerate(rows):
            length = len(array)
            halves[row, :length] = array[:, None, :rest]
            lstm_layers = array[:, rest:].reshape(length, num_lstm_layers, self.size)
            memory[1:, row, :length] = lstm_layers.swapaxes(0, 1)
            if length < timesteps:
                memory[:, row, length:] = 0.0
        return layers
