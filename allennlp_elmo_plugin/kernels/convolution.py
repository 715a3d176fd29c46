"""
Convolutions over the characters of words, max-pooled, on the compiled kernels.

There are few characters, so what a filter makes of a character at each of its places is computed
once, into a table; a window is then a sum of rows of that table.
"""

from typing import Any, List, NamedTuple, Optional, Tuple

import torch
from torch.autograd.function import once_differentiable

from allennlp_elmo_plugin.kernels.abi import ConvolutionArguments
from allennlp_elmo_plugin.kernels.dispatch import Kernels

__all__ = ["CharacterProducts", "character_products", "kernel_convolutions"]


class CharacterProducts(NamedTuple):
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


def character_products(
    characters: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> CharacterProducts:
    """
    # Parameters

    characters : `torch.Tensor`
        Shape (characters, dim), float32: the vector of each character.
    weight : `torch.Tensor`
        Shape (filters, dim, width), float32: that of a `torch.nn.Conv1d`.
    bias : `torch.Tensor`
        Shape (filters,), float32.

    # Returns

    `CharacterProducts`
    """
    # The kernels read float32, also under autocast.
    with torch.autocast("cpu", enabled=False):
        products = torch.matmul(characters, weight.permute(2, 1, 0))
    return CharacterProducts(products.contiguous(), bias.contiguous())


def kernel_convolutions(
    kernels: Kernels, words: torch.Tensor, tables: List[CharacterProducts], padding: int
) -> torch.Tensor:
    """
    With gradients of first order for the tables, if autograd follows them.

    # Parameters

    kernels : `Kernels`
        Which kernels run.
    words : `torch.Tensor`
        Shape (words, places), int64: the characters of each word.
    tables : `List[CharacterProducts]`
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
    if torch.is_grad_enabled() and any(part.requires_grad for table in tables for part in table):
        flat = [part for table in tables for part in table]
        return _ConvolutionFunction.apply(kernels, words, padding, *flat)
    return _run(kernels, words, tables, padding, None)


class _ConvolutionFunction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kernels: Kernels, words: torch.Tensor, padding: int, *flat: torch.Tensor
    ) -> torch.Tensor:
        tables = [CharacterProducts(*parts) for parts in zip(flat[::2], flat[1::2])]
        num_filters = [len(table.bias) for table in tables]
        argmax = torch.empty(len(words), sum(num_filters), dtype=torch.int32)
        outputs = _run(kernels, words, tables, padding, argmax)
        ctx.save_for_backward(words, argmax)
        ctx.shapes = [table.products.shape for table in tables]
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Tuple[Optional[torch.Tensor], ...]:
        words, argmax = ctx.saved_tensors
        num_filters = [filters for _, _, filters in ctx.shapes]
        gradients: List[Optional[torch.Tensor]] = []
        for shape, share, places in zip(
            ctx.shapes, gradient.split(num_filters, 1), argmax.long().split(num_filters, 1)
        ):
            products = share.new_zeros(shape)
            # Of a word's windows only the largest takes part: one row of the table for each place.
            for place, rows in enumerate(products):
                rows.scatter_add_(0, words.gather(1, places + place), share)
            gradients += [products, share.sum(dim=0)]
        return (None, None, None, *gradients)


def _run(
    kernels: Kernels,
    words: torch.Tensor,
    tables: List[CharacterProducts],
    padding: int,
    argmax: Optional[torch.Tensor],
) -> torch.Tensor:
    """Gives the outputs; writes the places where the largest windows begin to `argmax`."""
    num_filters = [len(table.bias) for table in tables]
    outputs = torch.empty(len(words), sum(num_filters))
    first = 0
    for table in tables:
        width, num_characters, filters = table.products.shape
        kernels.run(
            "convolution",
            ConvolutionArguments(
                num_words=len(words),
                num_places=words.size(1),
                num_characters=num_characters,
                width=width,
                num_filters=filters,
                padding=padding,
                words=words.data_ptr(),
                products=table.products.data_ptr(),
                bias=table.bias.data_ptr(),
                outputs=outputs[:, first:].data_ptr(),
                argmax=None if argmax is None else argmax[:, first:].data_ptr(),
                stride=outputs.size(1),
            ),
        )
        first += filters
    return outputs
