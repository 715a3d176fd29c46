"""The shortest decimals of numbers of little precision."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.outputs.short_decimals import short_decimals


def _num_digits(number: float) -> int:
    return len(repr(number).split("e")[0].replace(".", "").replace("-", "").strip("0"))


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=20))
def test_float32_comes_back_with_as_few_digits_as_numpy_needs(numbers: list) -> None:
    """Any finite number does, and the digits fit nine."""
    array = numpy.array(numbers, dtype="float32")
    found = short_decimals(array)
    assert (found.astype("float32") == array).all()
    for number, short in zip(array, found.tolist()):
        assert _num_digits(short) <= _num_digits(float(str(number))) <= 9
        assert float(f"{short:.9g}") == short


def test_every_float16_comes_back() -> None:
    """There are few enough to try."""
    array = numpy.arange(1 << 16, dtype="uint16").view("float16")
    array = array[numpy.isfinite(array)]
    found = short_decimals(array)
    assert (found.astype("float16") == array).all()
    for number, short in list(zip(array, found.tolist()))[::7]:
        assert _num_digits(short) <= _num_digits(float(str(number))) <= 5


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3)])
def test_the_shape_stays(shape: tuple) -> None:
    """Arrays may be empty."""
    assert short_decimals(numpy.full(shape, 0.1, "float32")).shape == shape
