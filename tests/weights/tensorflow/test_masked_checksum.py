"""The stored form of the checksums of TensorFlow's files."""

from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.weights.tensorflow.masked_checksum import unmask
from tests.support.tensorflow_bundle import masked


@given(st.integers(0, 2**32 - 1))
def test_masked_checksums(checksum: int) -> None:
    """A stored checksum is unmasked."""
    assert unmask(masked(checksum)) == checksum
