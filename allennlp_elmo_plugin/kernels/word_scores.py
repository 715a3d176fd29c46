"""The log probabilities and ranks of words by a softmax, on the compiled kernels."""

from typing import NamedTuple

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.kernels.abi import BLOCK_PANELS, WordScoresArguments, matrix_pointers
from allennlp_elmo_plugin.kernels.dispatch import Kernels
from allennlp_elmo_plugin.kernels.tiling import PANEL, PRECISIONS, TiledMatrix

__all__ = ["WordScores", "kernel_word_scores"]


class WordScores(NamedTuple):
    """
    The scores of some words, each by its own vector.

    # Parameters

    log_probabilities : `torch.Tensor`
        Shape (vectors,), float64, in nats.
    ranks : `torch.Tensor`
        Shape (vectors,), int64. Rank 1 is the most probable word; words of equal probability share
        the better rank.
    """

    log_probabilities: torch.Tensor
    ranks: torch.Tensor


def kernel_word_scores(
    kernels: Kernels,
    inputs: torch.Tensor,
    matrix: TiledMatrix,
    bias: torch.Tensor,
    words: torch.Tensor,
) -> WordScores:
    """
    Computes the log probability and the rank of a word for each vector, without gradients.

    # Parameters

    kernels : `Kernels`
        Kernels that run.
    inputs : `torch.Tensor`
        Vectors of shape (vectors, columns of the matrix), float32.
    matrix : `TiledMatrix`
        Matrix of a softmax with a multiple of 64 rows, tiled without `is_gates`.
    bias : `torch.Tensor`
        Bias of shape (rows of the matrix,), float32; -infinity for a row that is no word.
    words : `torch.Tensor`
        Shape (vectors,), int64: the row of the word that is looked at.

    # Returns

    `WordScores`

    # Raises

    `ConfigurationError`
        If the inputs do not fit the matrix, if the matrix has another number of rows, or if a word
        is not among them.
    """
    num_rows, num_inputs = inputs.shape
    _, units, _, unit = matrix.weight.shape
    fits = num_inputs == units * unit and inputs.dtype == torch.float32
    if not fits or words.shape != (num_rows,) or words.dtype != torch.int64 or matrix.rows % PANEL:
        raise ConfigurationError(
            f"Expected float32 inputs of size {units * unit}, the columns of the matrix, an int64 "
            f"word for each, and rows in multiples of {PANEL}, got shape {tuple(inputs.shape)} and "
            f"dtype {inputs.dtype}, words of shape {tuple(words.shape)} and {matrix.rows} rows."
        )
    inputs, words = inputs.contiguous(), words.contiguous()
    logits = inputs.new_empty(num_rows)
    maxima = inputs.new_empty(num_rows, -(-matrix.rows // (BLOCK_PANELS * PANEL)))
    sums, num_greater = torch.empty_like(maxima), torch.empty_like(maxima, dtype=torch.int32)
    arguments = WordScoresArguments(
        precision=PRECISIONS.index(matrix.precision),
        num_rows=num_rows,
        num_inputs=num_inputs,
        num_words=matrix.rows,
        matrix=matrix_pointers(matrix),
        bias=bias.data_ptr(),
        inputs=inputs.data_ptr(),
        words=words.data_ptr(),
        logits=logits.data_ptr(),
        maxima=maxima.data_ptr(),
        sums=sums.data_ptr(),
        num_greater=num_greater.data_ptr(),
    )
    if not kernels.run("word_scores", arguments):
        raise ConfigurationError(
            f"Expected words from 0 to {matrix.rows - 1}, the rows of the softmax, got words from "
            f"{int(words.min())} to {int(words.max())}."
        )
    largest = maxima.double().amax(dim=1, keepdim=True)
    totals = (sums * (maxima - largest).exp()).sum(dim=1)
    log_normalizers = totals.log() + largest.squeeze(1)
    return WordScores(logits.double() - log_normalizers, 1 + num_greater.sum(dim=1))
