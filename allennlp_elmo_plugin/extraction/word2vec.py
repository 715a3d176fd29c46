"""
Files of word vectors in word2vec's text and binary formats.
"""

from pathlib import Path
from typing import BinaryIO, Iterable, List, NamedTuple

import numpy

from allennlp_elmo_plugin.io.atomic import write_atomically

__all__ = [
    "BINARY_ENDING",
    "TEXT_ENDINGS",
    "MeanVectors",
    "read_mean_vectors",
    "write_mean_vectors",
]

TEXT_ENDINGS, BINARY_ENDING = (".txt", ".vec"), ".bin"


class MeanVectors(NamedTuple):
    """
    The first words of a file of word vectors.

    # Parameters

    words : `List[str]`
        The words.
    vectors : `numpy.ndarray`
        Shape (words, dim), float32.
    num_words : `int`
        The number of words in the file.
    """

    words: List[str]
    vectors: numpy.ndarray
    num_words: int


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


def read_mean_vectors(path: Path, max_words: int) -> MeanVectors:
    """
    Reads the first words of a file that `write_mean_vectors` has written.

    # Parameters

    path : `Path`
        Path of the file, with the ending that it was written with.
    max_words : `int`
        The largest number of words to read.

    # Returns

    `MeanVectors`
    """
    read = _read_binary if path.suffix.lower() == BINARY_ENDING else _read_text
    with open(path, "rb") as file:
        num_words, dim = map(int, file.readline().split())
        words: List[str] = []
        vectors = numpy.empty((min(num_words, max_words), dim), "float32")
        for vector in vectors:
            words.append(read(file, vector).decode("utf-8"))
    return MeanVectors(words, vectors, num_words)


def _read_text(file: BinaryIO, vector: numpy.ndarray) -> bytes:
    word, *numbers = file.readline().split(b" ")
    vector[:] = [float(number) for number in numbers]
    return word


def _read_binary(file: BinaryIO, vector: numpy.ndarray) -> bytes:
    word = b"".join(iter(lambda: file.read(1), b" "))
    vector[:] = numpy.frombuffer(file.read(4 * len(vector)), "<f4")
    # The line break after the numbers.
    file.read(1)
    return word


def _write_text(file: BinaryIO, word: str, vector: numpy.ndarray) -> None:
    # Nine digits tell all numbers in float32 apart.
    numbers = " ".join(f"{number:.9g}" for number in vector.tolist())
    file.write(f"{word} {numbers}\n".encode("utf-8", "replace"))


def _write_binary(file: BinaryIO, word: str, vector: numpy.ndarray) -> None:
    file.write(f"{word} ".encode("utf-8", "replace") + vector.astype("<f4").tobytes() + b"\n")
