"""Layers as they are stored: a row of numbers for each token."""

from typing import List

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin import EncodedSentences
from allennlp_elmo_plugin.embedder.activation_cache.layer_rows import LayerRows

SIZE = 6


def _encoded(lengths: List[int], num_layers: int, doubles: bool, more: int) -> EncodedSentences:
    """Draws the layers of a batch, with columns of padding at its end."""
    generator = torch.Generator().manual_seed(sum(lengths) + num_layers)
    timesteps = max(lengths, default=0) + more
    mask = torch.arange(timesteps) < torch.tensor(lengths, dtype=torch.long).unsqueeze(1)
    layers = torch.randn(num_layers, len(lengths), timesteps, SIZE, generator=generator)
    if doubles:
        layers[0, ..., SIZE // 2 :] = layers[0, ..., : SIZE // 2]
    return EncodedSentences(layers * mask.unsqueeze(-1), mask)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    lengths=st.lists(st.integers(2, 6), max_size=4),
    num_layers=st.integers(1, 4),
    doubles=st.booleans(),
    dtype=st.sampled_from(["float32", "float16"]),
    more=st.integers(0, 2),
)
def test_layers_come_back(
    lengths: List[int], num_layers: int, doubles: bool, dtype: str, more: int
) -> None:
    """Layers that become rows and layers again are the same, rounded to the stored type."""
    encoded = _encoded(lengths, num_layers, doubles, more)
    converter = LayerRows(num_layers, SIZE, doubles, dtype)
    rows = converter.from_layers(encoded, lengths)
    width = num_layers * SIZE - (SIZE // 2 if doubles else 0)
    assert [row.shape for row in rows] == [(length, width) for length in lengths]
    assert all(row.dtype == dtype for row in rows)
    found = converter.to_layers(rows, encoded.mask.size(1))
    assert found.dtype == torch.float32
    assert torch.equal(found, encoded.layers.to(getattr(torch, dtype)).float())


@pytest.mark.parametrize("dtype, itemsize", [("float32", 4), ("float16", 2)])
def test_the_token_layer_takes_half_its_bytes(dtype: str, itemsize: int) -> None:
    """The rows of a biLM of two layers are a sixth smaller than all of its numbers."""
    encoded, tokens = _encoded([5, 3], 3, True, 0), 8
    sizes = [
        sum(row.nbytes for row in LayerRows(3, SIZE, doubles, dtype).from_layers(encoded, [5, 3]))
        for doubles in (False, True)
    ]
    assert sizes[0] == tokens * 3 * SIZE * itemsize
    assert sizes[1] * 6 == sizes[0] * 5


def test_rows_may_stand_in_another_batch() -> None:
    """Rows of one batch are put into a wider batch in any order, with zeros at padding."""
    encoded, converter = _encoded([2, 4], 3, True, 0), LayerRows(3, SIZE, True, "float32")
    first, second = converter.from_layers(encoded, [2, 4])
    found = converter.to_layers([second, first, second], 6)
    assert torch.equal(found[:, 0, :4], encoded.layers[:, 1])
    assert torch.equal(found[:, 1, :2], encoded.layers[:, 0, :2])
    assert torch.equal(found[:, 2], found[:, 0])
    assert not found[:, 0, 4:].any() and not found[:, 1, 2:].any()


def test_rows_and_layers_share_no_memory() -> None:
    """Writing to layers changes no row, and the rows of a batch do not keep all its layers."""
    encoded, converter = _encoded([2, 4], 3, True, 0), LayerRows(3, SIZE, True, "float32")
    rows = converter.from_layers(encoded, [2, 4])
    copies = [row.copy() for row in rows]
    encoded.layers.zero_()
    converter.to_layers(rows, 4).zero_()
    assert all((row == copy).all() and row.base is None for row, copy in zip(rows, copies))


def test_layers_with_gradients_are_detached() -> None:
    """Rows are numbers, also of layers that autograd follows."""
    encoded, converter = _encoded([2], 2, False, 0), LayerRows(2, SIZE, False, "float32")
    tracked = EncodedSentences(encoded.layers.requires_grad_(), encoded.mask)
    (row,) = converter.from_layers(tracked, [2])
    assert torch.equal(converter.to_layers([row], 2), encoded.layers.detach())
