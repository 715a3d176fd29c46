"""The facts that follow from the lengths of a batch's rows, shared by batches of one shape."""

from typing import List

import pytest
import torch

from allennlp_elmo_plugin.network.batch_shape import MOST_POSITIONS_KEPT, BatchShape
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch
from tests.support.sentences import spell

CPU = torch.device("cpu")


def test_batches_of_one_shape_share_it() -> None:
    """A small shape that was there before is returned again."""
    assert BatchShape.of([2, 1], 2, True, CPU) is BatchShape.of([2, 1], 2, True, CPU)


@pytest.mark.parametrize(
    "num_tokens, width, adds", [([1, 2], 2, True), ([2, 1], 3, True), ([2, 1], 2, False)]
)
def test_other_shapes_are_told_apart(num_tokens: List[int], width: int, adds: bool) -> None:
    """The order of the rows, the width and the boundaries belong to a shape."""
    shape, other = BatchShape.of([2, 1], 2, True, CPU), BatchShape.of(num_tokens, width, adds, CPU)
    assert (shape.lengths, shape.timesteps) == ((4, 3), 4)
    extra = 2 if adds else 0
    assert other.lengths == tuple(number + extra for number in num_tokens)
    assert other.mask.shape == (2, width + extra)


@pytest.mark.parametrize(
    "rows, width", [(1, MOST_POSITIONS_KEPT - 1), (MOST_POSITIONS_KEPT // 2 + 1, 0)]
)
def test_large_shapes_are_not_kept(rows: int, width: int) -> None:
    """Shapes of large batches hardly come back and would take much memory, empty rows as well."""
    first, second = (BatchShape.of([width] * rows, width, True, CPU) for _ in range(2))
    assert first is not second


def test_a_callers_lengths_are_its_own() -> None:
    """Writing to the lengths of a batch changes no other batch of the same shape."""
    first, second = (SentenceBatch.from_padded(spell("the cat"), 50) for _ in range(2))
    first.lengths.append(7)
    assert first.lengths == second.lengths == [4]


def test_a_callers_mask_is_its_own() -> None:
    """Writing to the mask of a batch changes no other batch of the same shape."""
    first, second = (SentenceBatch.from_padded(spell("the cat"), 50) for _ in range(2))
    first.mask.zero_()
    assert first.mask.all() and second.mask.all()


def test_a_shape_first_seen_in_inference_mode_serves_training() -> None:
    """Its tensors are no inference tensors, which autograd would refuse."""
    with torch.inference_mode():
        shape = BatchShape.of([3, 1, 2], 4, True, CPU)
        padded = shape.layout.pad(torch.zeros(1, 2, 12, 2))
    assert padded.shape == (1, 3, 6, 4)
    layers = torch.randn(1, 2, 12, 2, requires_grad=True)
    read = shape.layout.in_reading_order(layers[0, 0])
    (shape.layout.pad(layers).sum() + read.sum()).backward()
    assert layers.grad is not None
    tensors = (shape.ends, shape.mask, shape.sources)
    assert not any(tensor.is_inference() for tensor in tensors)
