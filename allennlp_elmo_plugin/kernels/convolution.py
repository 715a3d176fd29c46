"""
Convolutions over the characters of words, max-pooled, on the compiled kernels.

There are few distinct characters, so the product of each character with each column of each filter
is computed once. The value at a filter position is then a sum of such products.
"""

from typing import Any, List, NamedTuple, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from torch.autograd.function import once_differentiable

from allennlp_elmo_plugin.kernels.abi import ConvolutionArguments, Filters
from allennlp_elmo_plugin.kernels.dispatch import Kernels

__all__ = ["CharacterProducts", "character_products", "kernel_convolutions"]


class CharacterProducts(NamedTuple):
    """
    The products of every character with every filter of one width, and the filters' biases.

    # Parameters

    products : `torch.Tensor`
        Products of shape (width, characters, filters), float32, contiguous.
    bias : `torch.Tensor`
        Biases of shape (filters,), float32, contiguous.
    """

    products: torch.Tensor
    bias: torch.Tensor


def character_products(
    characters: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> CharacterProducts:
    """
    Multiplies the vector of every character with every column of every filter.

    # Parameters

    characters : `torch.Tensor`
        Vectors of shape (characters, dim), float32.
    weight : `torch.Tensor`
        Weight of a `torch.nn.Conv1d`, of shape (filters, dim, width), float32.
    bias : `torch.Tensor`
        Biases of shape (filters,), float32.

    # Returns

    `CharacterProducts`
        Products and biases. Autograd reaches the three tensors through them.
    """
    # The kernels read float32, also under autocast.
    with torch.autocast("cpu", enabled=False):
        products = torch.matmul(characters, weight.permute(2, 1, 0))
    return CharacterProducts(products.contiguous(), bias.contiguous())


def kernel_convolutions(
    kernels: Kernels, words: torch.Tensor, filters: List[CharacterProducts], padding: int
) -> torch.Tensor:
    """
    Computes the largest value of each filter over all filter positions in each word.

    While autograd records, the products and biases get gradients of first order.

    # Parameters

    kernels : `Kernels`
        Kernels that run.
    words : `torch.Tensor`
        Characters of each word, of shape (words, characters), in any integer type. There are at
        least as many characters as the widest filter has columns.
    filters : `List[CharacterProducts]`
        Products for each width of filters, all over the same characters. The number of filters of
        each width is a multiple of 16.
    padding : `int`
        Character that follows the end of a word. Filter positions with nothing but padding all have
        the same value, so at most one of them is computed.

    # Returns

    `torch.Tensor`
        Largest values, of shape (words, all filters), float32.

    # Raises

    `ConfigurationError`
        If a word has a character without products.
    """
    words = words.to(torch.int64).contiguous()
    if torch.is_grad_enabled() and any(part.requires_grad for one in filters for part in one):
        flat = [part for one in filters for part in one]
        return _ConvolutionFunction.apply(kernels, words, padding, *flat)
    return _run(kernels, words, filters, padding, None)


class _ConvolutionFunction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kernels: Kernels, words: torch.Tensor, padding: int, *flat: torch.Tensor
    ) -> torch.Tensor:
        filters = [CharacterProducts(*parts) for parts in zip(flat[::2], flat[1::2])]
        ctx.shapes = [one.products.shape for one in filters]
        num_outputs = sum(num_filters for _, _, num_filters in ctx.shapes)
        argmax = torch.empty(len(words), num_outputs, dtype=torch.int32)
        outputs = _run(kernels, words, filters, padding, argmax)
        ctx.save_for_backward(words, argmax)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Tuple[Optional[torch.Tensor], ...]:
        words, argmax = ctx.saved_tensors
        num_filters = [filters for _, _, filters in ctx.shapes]
        gradients: List[Optional[torch.Tensor]] = []
        for shape, share, positions in zip(
            ctx.shapes, gradient.split(num_filters, 1), argmax.long().split(num_filters, 1)
        ):
            products = share.new_zeros(shape)
            # Only the argmax of the filter positions gets a gradient: one character for each
            # column of the filter.
            for column, of_column in enumerate(products):
                of_column.scatter_add_(0, words.gather(1, positions + column), share)
            gradients += [products, share.sum(dim=0)]
        return (None, None, None, *gradients)


def _run(
    kernels: Kernels,
    words: torch.Tensor,
    filters: List[CharacterProducts],
    padding: int,
    argmax: Optional[torch.Tensor],
) -> torch.Tensor:
    """Returns the outputs, and writes the argmax of the filter positions to `argmax`, if given."""
    pointers = (Filters * len(filters))()
    num_outputs = 0
    for pointer, (products, bias) in zip(pointers, filters):
        pointer.width, num_characters, pointer.num_filters = products.shape
        pointer.products, pointer.bias = products.data_ptr(), bias.data_ptr()
        num_outputs += pointer.num_filters
    num_words, word_length = words.shape
    outputs = torch.empty(num_words, num_outputs)
    arguments = ConvolutionArguments(
        num_words=num_words,
        word_length=word_length,
        num_characters=num_characters,
        padding=padding,
        words=words.data_ptr(),
        num_widths=len(pointers),
        filters=pointers,
        num_outputs=num_outputs,
        outputs=outputs.data_ptr(),
        argmax=None if argmax is None else argmax.data_ptr(),
    )
    if not kernels.run("convolution", arguments):
        raise ConfigurationError(f"Expected characters from 0 to {num_characters - 1}, got others.")
    return outputs
