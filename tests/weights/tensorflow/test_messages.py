"""The messages that describe tensors."""

import pytest

from allennlp_elmo_plugin.weights.tensorflow.messages import (
    read_entry,
    read_header,
    read_varint,
)
from tests.support.tensorflow_bundle import message, varint


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**32, 2**63, 2**64 - 1])
def test_numbers_of_any_length(number: int) -> None:
    """A number is read from its place, and the place after it is known."""
    content = b"\xff" + varint(number) + b"\x01"
    assert read_varint(content, 1) == (number, len(content) - 1)


@pytest.mark.parametrize("content", [b"", b"\x80", b"\xff" * 10, b"\xff" * 9 + b"\x7f"])
def test_numbers_that_do_not_end(content: bytes) -> None:
    """A number that is cut off or has more than 64 bits is an error."""
    with pytest.raises(ValueError, match="cut off or too long"):
        read_varint(content, 0)


def test_absent_fields_are_zero() -> None:
    """Fields that are not written have the value zero, and the shape no dimensions."""
    entry = read_entry(b"")
    assert entry == (0, (), 0, 0, 0, 0, False)
    assert read_header(b"") == (0, True)


def test_unknown_fields_are_skipped() -> None:
    """Fields of later versions do not disturb, whatever their type."""
    content = message((1, 3), (9, 5), (10, b"text"), (11, bytearray(4))) + b"\x61" + bytes(8)
    assert read_header(content) == (3, True)
    assert read_header(message((2, 1))).is_little_endian is False


@pytest.mark.parametrize(
    "content",
    [
        b"\x0b",  # the start of a group
        b"\x12\x05abc",  # a shape of five bytes, of which three are there
        b"\x35\x00",  # a checksum that is cut off
        message((1, b"float")),  # a message in place of the type
        message((2, 7)),  # a number in place of the shape
        message((2, message((2, 7)))),  # a number in place of a dimension
        message((2, message((2, message((1, 2**64 - 1)))))),  # a size of -1
        message((2, message(*[(2, b"")] * 33))),  # 33 dimensions
    ],
)
def test_damaged_messages(content: bytes) -> None:
    """Anything that is no such message is an error."""
    with pytest.raises(ValueError, match=r"field|message|dimensions"):
        read_entry(content)
