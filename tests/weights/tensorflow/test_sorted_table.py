"""The table in which a checkpoint lists its tensors."""

from typing import Dict, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.weights.tensorflow import sorted_table
from allennlp_elmo_plugin.weights.tensorflow.sorted_table import read_table
from tests.support.tensorflow_bundle import MAGIC, block, table, varint

PAIRS = [(f"lm/variable_{number:02d}".encode(), bytes([number]) * number) for number in range(20)]


@given(
    entries=st.dictionaries(st.binary(max_size=9), st.binary(max_size=200), max_size=20),
    per_block=st.integers(1, 20),
    restart_interval=st.integers(1, 20),
)
def test_any_entries(entries: Dict[bytes, bytes], per_block: int, restart_interval: int) -> None:
    """All entries are read, however they are laid out in blocks."""
    content = table(sorted(entries.items()), per_block, restart_interval)
    assert list(read_table(content).items()) == sorted(entries.items())


@pytest.mark.parametrize("keep", [0, 1, 47, 48, 100])
def test_a_cut_table(keep: int) -> None:
    """A table that is cut off is told by its end."""
    with pytest.raises(ValueError, match="does not end as"):
        read_table(table(PAIRS)[:keep])


def test_a_damaged_block() -> None:
    """A changed byte in a block is noticed."""
    content = bytearray(table(PAIRS))
    content[10] ^= 1
    with pytest.raises(ValueError, match="checksum of a block does not match"):
        read_table(bytes(content))


def _table_of(entries: bytes, compression: int = 0) -> bytes:
    """Returns a table with one block of given content."""
    content = block(entries, compression)
    handle = varint(0) + varint(len(entries))
    index = varint(0) + varint(1) + varint(len(handle)) + b"z" + handle + bytes(4)
    footer = bytes(2) + varint(len(content)) + varint(len(index))
    return content + block(index) + footer.ljust(40, b"\0") + MAGIC


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        (b"", "shorter than it says"),
        (b"\x01\x00\x00\x00", "shorter than it says"),
        (varint(0) + varint(5) + varint(0) + b"abc" + bytes(4), "entry is cut off"),
        (varint(0) + varint(2) + varint(2**60) + b"abc" + bytes(4), "entry is cut off"),
        (varint(3) + varint(2) + varint(0) + b"ab" + bytes(4), "entry is cut off"),
        (varint(0) + varint(1001) + varint(0) + bytes(1005), "more than 1000 bytes"),
    ],
)
def test_entries_that_make_no_sense(entries: bytes, reason: str) -> None:
    """Entries that reach beyond their block are errors, although the checksum is right."""
    with pytest.raises(ValueError, match=reason):
        read_table(_table_of(entries))


def test_a_compressed_block() -> None:
    """A compressed block is an error that says so."""
    with pytest.raises(ValueError, match="compressed"):
        read_table(_table_of(bytes(4), compression=1))


@pytest.mark.parametrize("pairs", [[PAIRS[1], PAIRS[0]], [PAIRS[1], PAIRS[1]]])
def test_keys_out_of_order(pairs: List[Tuple[bytes, bytes]]) -> None:
    """Keys that repeat or go back are an error, in one block or in two."""
    for per_block in (1, 2):
        with pytest.raises(ValueError, match="not in order"):
            read_table(table(pairs, per_block))


def test_too_many_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with more entries than any model has is an error."""
    monkeypatch.setattr(sorted_table, "MAX_ENTRIES", 19)
    with pytest.raises(ValueError, match="more than 19 entries"):
        read_table(table(PAIRS))
