"""The checksum of TensorFlow's files."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.weights.tensorflow.crc32c import BLOCK_SIZE, crc32c, unmask
from tests.support.tensorflow_bundle import crc32c_by_bits, masked


def _crc32c(content: bytes, previous: int = 0) -> int:
    return crc32c(numpy.frombuffer(content, "uint8"), previous)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_published_checksums(content: bytes, expected: int) -> None:
    """The examples of RFC 3720 have the checksums that it gives."""
    assert _crc32c(content) == expected


@given(content=st.binary(max_size=300), cut=st.integers(0, 300))
def test_any_bytes(content: bytes, cut: int) -> None:
    """The checksum is that of the definition, in one piece or in two."""
    expected = crc32c_by_bits(content)
    assert _crc32c(content) == expected
    assert _crc32c(content[cut:], _crc32c(content[:cut])) == expected


def test_several_blocks() -> None:
    """Long content gives the same checksum in one call as in pieces of other sizes."""
    content = numpy.random.RandomState(0).bytes(2 * BLOCK_SIZE + 5)
    pieces = 0
    for start in range(0, len(content), 300_001):
        pieces = _crc32c(content[start : start + 300_001], pieces)
    assert _crc32c(content) == pieces


@given(st.integers(0, 2**32 - 1))
def test_masked_checksums(checksum: int) -> None:
    """A stored checksum is unmasked."""
    assert unmask(masked(checksum)) == checksum
