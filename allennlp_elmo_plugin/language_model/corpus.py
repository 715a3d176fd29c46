"""
A corpus on disk: text files with one tokenized sentence a line, plain or gzipped.
"""

import os
import random
from typing import BinaryIO, Iterable, Iterator, List, Sequence, TypeVar

from allennlp_elmo_plugin.io.regular_file import require_regular_file
from allennlp_elmo_plugin.io.text_lines import decode_lines, open_text

__all__ = ["Corpus", "shuffle_by_buffer"]

T = TypeVar("T")


class Corpus:
    """
    An iterable over the sentences of text files that knows the share of them that is read.

    # Parameters

    files : `Sequence[str]`
        Local paths of text files in UTF-8, compressed if their names end in `.gz`, `.bz2` or `.xz`.
        Each line is a sentence. White space of any kind in Unicode separates its tokens, as in
        bilm-tf. Empty lines are skipped.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files
        self._size = sum(require_regular_file(file, "a text file") for file in files)
        self._size_before = 0
        self._current: List[BinaryIO] = []

    @property
    def share_read(self) -> float:
        """
        Share of the files' bytes that has been read, from 0 to 1.
        """
        size_read = self._size_before + sum(file.tell() for file in self._current)
        return size_read / self._size if self._size else 1.0

    def __iter__(self) -> Iterator[List[str]]:
        """
        Reads the files one after the other.

        # Returns

        `Iterator[List[str]]`
            The tokens of each sentence.

        # Raises

        `ConfigurationError`
            If a file is not text in UTF-8 or is damaged. The message names the file and the line.
        """
        for path in self._files:
            with open_text(path) as file:
                self._current = [file]
                for line in decode_lines(file, path):
                    tokens = line.split()
                    if tokens:
                        yield tokens
            self._current = []
            self._size_before += os.path.getsize(path)


def shuffle_by_buffer(items: Iterable[T], size: int, generator: random.Random) -> Iterator[T]:
    """
    Shuffles items that do not all fit into memory.

    Each item waits in a buffer. When the buffer is full, the next item replaces a random one, which
    is yielded.

    # Parameters

    items : `Iterable[T]`
        Items to shuffle.
    size : `int`
        Number of items in the buffer. With 0 or 1, the items keep their order.
    generator : `random.Random`
        Source of the random numbers.

    # Returns

    `Iterator[T]`
        The items in random order.
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
