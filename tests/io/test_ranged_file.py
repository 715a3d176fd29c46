"""Reading a file by ranges of bytes."""

import io
from typing import List, Tuple

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.ranged_file import open_ranges

CONTENT = bytes(range(256)) * 40


class Store:
    """
    A store of one file that writes down what is asked for.

    # Parameters

    content : `bytes`
        Content of the file.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: List[Tuple[int, int]] = []

    def cat_file(self, path: str, start: int, end: int) -> bytes:
        """Returns a part of the file."""
        self.asked.append((start, end))
        return self.content[start:end]


class StoreOfWholes(Store):
    """
    A store that ignores ranges.
    """

    def cat_file(self, path: str, start: int, end: int) -> bytes:
        """Returns the whole file."""
        return self.content


def opened(store: Store, size: int = len(CONTENT), block: int = 1000, start: int = 0) -> io.IOBase:
    """Opens the file of a store."""
    return open_ranges(store, "a", "s3://b/a", size, block, start)


@pytest.mark.parametrize("start", [0, 1, 999, len(CONTENT)])
@pytest.mark.parametrize("block", [1, 300, 1 << 20])
def test_bytes_are_those_of_the_file(start: int, block: int) -> None:
    """Whatever the blocks are, lines begin where the reading begins."""
    assert b"".join(opened(Store(CONTENT), block=block, start=start)) == CONTENT[start:]


def test_blocks_are_as_long_as_asked_for() -> None:
    """A short read is one request, and none reaches behind the end."""
    store = Store(CONTENT)
    with open_ranges(store, "a", "s3://b/a", len(CONTENT), 6000, 10) as file:
        assert file.read(5) == CONTENT[10:15]
        assert store.asked == [(10, 6010)]
        assert file.read(7000) == CONTENT[15:7015]
    assert all(0 <= start < end <= len(CONTENT) for start, end in store.asked)


@pytest.mark.parametrize("store", [Store(CONTENT[:-1]), StoreOfWholes(CONTENT)])
def test_other_bytes_than_asked_for_are_refused(store: Store) -> None:
    """A shorter file and a server without ranges are explained."""
    with pytest.raises(ConfigurationError, match="'s3://b/a' from byte 10,000 on, got "):
        list(opened(store, start=10000))


def test_an_error_names_the_file() -> None:
    """It is not the one of the store."""
    with pytest.raises(ConfigurationError, match=r"'s3://b/a', but it cannot be read \(Attribute"):
        list(open_ranges(None, "a", "s3://b/a", 3, 100))
