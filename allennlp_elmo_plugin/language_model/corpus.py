"""
A corpus on disk: text files of tokenized sentences, one a line, plain or gzipped.
"""

import gzip
import os
import random
from io import TextIOWrapper
from typing import BinaryIO, Iterable, Iterator, List, Sequence, TypeVar, cast

from allennlp.common.checks import ConfigurationError

__all__ = ["Corpus", "shuffled_by_buffer"]

T = TypeVar("T")


class Corpus:
    """
    Reads sentences from files, one after the other, and knows how far it is.

    # Parameters

    files : `Sequence[str]`
        Local files in UTF-8, gzipped if their name ends in `.gz`. A line is a sentence, its tokens
        separated by white space; empty lines are skipped.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files
        self._size = sum(map(os.path.getsize, files))
        self._size_before = 0
        self._current: List[BinaryIO] = []

    @property
    def share_read(self) -> float:
        """How much of the files' bytes was read, from 0 to 1."""
        size_read = self._size_before + sum(file.tell() for file in self._current)
        return size_read / self._size if self._size else 1.0

    def __iter__(self) -> Iterator[List[str]]:
        """
        # Returns

        `Iterator[List[str]]`
            The tokens of each sentence.

        # Raises

        `ConfigurationError`
            When a file is not UTF-8, or not whole. The message names the file and the line.
        """
        for path in self._files:
            with open(path, "rb") as file:
                self._current = [file]
                yield from _sentences(path, file)
            self._current = []
            self._size_before += os.path.getsize(path)


def shuffled_by_buffer(items: Iterable[T], size: int, generator: random.Random) -> Iterator[T]:
    """
    Shuffles what is too long for memory: each item waits in a buffer until it is drawn.

    # Parameters

    items : `Iterable[T]`
        What is shuffled.
    size : `int`
        How many items wait at most. With 0 or 1 they keep their order.
    generator : `random.Random`
        Draws.

    # Returns

    `Iterator[T]`
    """
    if size < 2:
        yield from items
        return
    buffer: List[T] = []
    for item in items:
        if len(buffer) < size:
            buffer.append(item)
        else:
            drawn = generator.randrange(size)
            buffer[drawn], item = item, buffer[drawn]
            yield item
    generator.shuffle(buffer)
    yield from buffer


def _sentences(path: str, file: BinaryIO) -> Iterator[List[str]]:
    # BinaryIO says less of GzipFile than it can do.
    unzipped = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if path.endswith(".gz") else file
    num_lines = 0
    try:
        for line in TextIOWrapper(unzipped, encoding="utf-8-sig"):
            num_lines += 1
            tokens = line.split()
            if tokens:
                yield tokens
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"Expected text in UTF-8 (gzipped, if the name ends in .gz), but '{path}' cannot be "
            f"read beyond line {num_lines}: {error}"
        ) from error
