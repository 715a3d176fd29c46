"""
Convolutions over the characters of words, max-pooled, on the compiled kernels.

There are few characters, so what a filter makes of a character at each of its places is computed
once, into a table; a window is then a sum of rows of that table.
"""

from typing import List, NamedTuple

import torch

from allennlp_elmo_plugin.kernels.calls import Convolution
from allennlp_elmo_plugin.kernels.levels import Kernels

__all__ = ["ConvolutionTable", "convolution_table", "kernel_convolutions"]


class ConvolutionTable(NamedTuple):
    """
    Filters of one width, applied to every character.

    # Parameters

    products : `torch.Tensor`
        Shape (width, characters, filters), float32.
    bias : `torch.Tensor`
        Shape (filters,), float32.
    """

    products: torch.Tensor
    bias: torch.Tensor


def convolution_table(
    characters: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> ConvolutionTable:
    """
    # Parameters

    characters : `torch.Tensor`
        Shape (characters, dim), float32: the vector of each character.
    weight : `torch.Tensor`
        Shape (filters, dim, width), float32: that of a `torch.nn.Conv1d`.
    bias : `torch.Tensor`
        Shape (filters,), float32.

    # Returns

    `ConvolutionTable`
    """
    products = torch.matmul(characters.detach(), weight.detach().permute(2, 1, 0))
    return ConvolutionTable(products.contiguous(), bias.detach().contiguous())


def kernel_convolutions(
    kernels: Kernels, words: torch.Tensor, tables: List[ConvolutionTable], padding: int
) -> torch.Tensor:
    """
    Without gradients.

    # Parameters

    kernels : `Kernels`
        Which kernels run.
    words : `torch.Tensor`
        Shape (words, places), int64: the characters of each word.
    tables : `List[ConvolutionTable]`
        Filters, in multiples of 16 for each width.
    padding : `int`
        The character that fills places behind a word's end. Of the windows of nothing but padding,
        which are all the same, at most one is computed.

    # Returns

    `torch.Tensor`
        Shape (words, all filters), float32: for each filter the largest value over all windows.

    # Raises

    `IndexError`
        When there is a character that the tables do not have.
    """
    words = words.to(torch.int64).contiguous()
    num_characters = tables[0].products.size(1)
    if len(words) and not (int(words.min()) >= 0 and int(words.max()) < num_characters):
        raise IndexError(f"Expected characters from 0 to {num_characters - 1}, got others.")
    num_filters = [len(table.bias) for table in tables]
    outputs = torch.empty(len(words), sum(num_filters))
    for table, output in zip(tables, outputs.split(num_filters, dim=1)):
        width, _, filters = table.products.shape
        kernels.run(
            "convolution",
            Convolution(
                num_words=len(words),
                num_places=words.size(1),
                num_characters=num_characters,
                width=width,
                num_filters=filters,
                padding=padding,
                words=words.data_ptr(),
                products=table.products.data_ptr(),
                bias=table.bias.data_ptr(),
                outputs=output.data_ptr(),
                stride=outputs.size(1),
            ),
        )
    return outputs
