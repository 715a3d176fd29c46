"""The reversible layout steps between a dataset and a parameter."""

from typing import Any, Tuple

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin.weights.layout_steps import (
    AddToForgetGate,
    DropLastAxis,
    LayoutStep,
    Negate,
    PrependZeroRow,
    SwapForgetAndCellGates,
    Transpose,
)

SIZES = st.integers(min_value=1, max_value=6)
SHAPES = st.lists(SIZES, min_size=1, max_size=4).map(tuple)
GATES = SIZES.map(lambda size: 4 * size)

# The steps with the shapes of the datasets that they are applied to.
STEPS = st.one_of(
    st.tuples(st.just(Transpose()), SHAPES),
    st.tuples(st.just(DropLastAxis()), SHAPES.map(lambda shape: (*shape, 1))),
    st.tuples(st.just(Negate()), SHAPES),
    st.tuples(st.just(PrependZeroRow()), SHAPES),
    st.tuples(st.just(SwapForgetAndCellGates()), st.tuples(SIZES, GATES)),
    st.tuples(st.just(SwapForgetAndCellGates()), st.tuples(GATES)),
    st.tuples(st.just(AddToForgetGate(1.0)), st.tuples(GATES)),
)


def _random_array(shape: Tuple[int, ...]) -> numpy.ndarray:
    """Multiples of 1/256, to which 1 can be added without rounding."""
    return (numpy.random.RandomState(0).randint(-999, 999, shape) / 256).astype("float32")


@settings(deadline=None)
@given(STEPS)
def test_a_step_inverts_itself(case: Tuple[LayoutStep, Tuple[int, ...]]) -> None:
    """`invert` restores shape, type and numbers, and neither direction changes its argument."""
    step, shape = case
    array = _random_array(shape)
    applied = step.apply(array)
    before = applied.copy()
    restored = step.invert(applied)
    assert restored.shape == shape and restored.dtype == array.dtype
    assert numpy.array_equal(restored, array)
    assert numpy.array_equal(array, _random_array(shape))
    assert numpy.array_equal(applied, before)


@pytest.mark.parametrize(
    ("step", "array", "expected"),
    [
        (Transpose(), [[1, 2, 3], [4, 5, 6]], [[1, 4], [2, 5], [3, 6]]),
        (DropLastAxis(), [[[1], [2]]], [[1, 2]]),
        (Negate(), [1, -2], [-1, 2]),
        (PrependZeroRow(), [[1, 2], [3, 4]], [[0, 0], [1, 2], [3, 4]]),
        (SwapForgetAndCellGates(), [1, 2, 3, 4], [1, 3, 2, 4]),
        (SwapForgetAndCellGates(), [[1, 1, 2, 2, 3, 3, 4, 4]], [[1, 1, 3, 3, 2, 2, 4, 4]]),
        (AddToForgetGate(1.5), [1, 1, 2, 2, 3, 3, 4, 4], [1, 1, 3.5, 3.5, 3, 3, 4, 4]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_step_changes_the_layout(step: LayoutStep, array: Any, expected: Any) -> None:
    """Each step does to a small array what its name says."""
    applied = step.apply(numpy.array(array, dtype="float32"))
    assert applied.tolist() == numpy.array(expected, dtype="float32").tolist()
