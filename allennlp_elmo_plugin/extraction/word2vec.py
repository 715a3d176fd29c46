"""
Files of word vectors in word2vec's text and binary formats.
"""

from pathlib import Path
from typing import BinaryIO, Iterable

import numpy

from allennlp_elmo_plugin.io.atomic import write_atomically

__all__ = ["BINARY_ENDING", "TEXT_ENDINGS", "write_mean_vectors"]

TEXT_ENDINGS, BINARY_ENDING = (".txt", ".vec"), ".bin"


def write_mean_vectors(output: Path, words: Iterable[str], sums: numpy.ndarray) -> None:
    """
    Writes the mean vectors of words, normalized to length 1, as float32.

    # Parameters

    output : `Path`
        Path of the file: `.txt` or `.vec` for the text format, `.bin` for the binary one.
    words : `Iterable[str]`
        The words, none with white space.
    sums : `numpy.ndarray`
        Sums of the vectors of each word: (words, dim), float64. A mean has the direction of its
        sum.

    # Raises

    `OSError`
        If the file cannot be written, for example because the disk is full.
    """
    lengths = numpy.linalg.norm(sums, axis=1, keepdims=True)
    # The length of a sum of zeros is 0.
    vectors = (sums / numpy.maximum(lengths, numpy.finfo(sums.dtype).tiny)).astype("float32")
    write = _write_binary if output.suffix.lower() == BINARY_ENDING else _write_text
    with write_atomically(output) as partial, open(partial, "wb") as file:
        file.write(f"{len(vectors)} {vectors.shape[1]}\n".encode())
        for word, vector in zip(words, vectors):
            write(file, word, vector)


def _write_text(file: BinaryIO, word: str, vector: numpy.ndarray) -> None:
    # Nine digits tell all numbers in float32 apart.
    numbers = " ".join(f"{number:.9g}" for number in vector.tolist())
    file.write(f"{word} {numbers}\n".encode("utf-8", "replace"))


def _write_binary(file: BinaryIO, word: str, vector: numpy.ndarray) -> None:
    file.write(f"{word} ".encode("utf-8", "replace") + vector.astype("<f4").tobytes() + b"\n")
