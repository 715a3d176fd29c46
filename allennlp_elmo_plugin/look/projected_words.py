"""
The vectors of words in TensorBoard's projector, from the files that `allennlp elmo` writes.
"""

import zipfile
from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

import numpy
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.targets import TargetsTask
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.extraction.word2vec import read_mean_vectors
from allennlp_elmo_plugin.io.counted import counted
from allennlp_elmo_plugin.look.projector import MAX_POINTS, write_projector

__all__ = ["Points", "TargetPoints", "TypePoints", "prepare_points"]

MAX_TOKENS_ASIDE = 20
"""The number of tokens that are shown on each side of an occurrence."""


class Points(ABC):
    """
    The points that become of an output of `allennlp elmo`, which is still to be written.
    """

    @abstractmethod
    def write(self, output: Path, folder: Path) -> str:
        """
        Writes the files of the projector.

        # Parameters

        output : `Path`
            Path of the finished output.
        folder : `Path`
            Path of the folder of the projector.

        # Returns

        `str`
            A sentence on what was written.

        # Raises

        `ConfigurationError`
            If there are fewer than two points.
        `OSError`
            If the files cannot be written, for example because the disk is full.
        """


class TypePoints(Points):
    """
    The most frequent words, each one point.
    """

    @overrides
    def write(self, output: Path, folder: Path) -> str:
        """
        Writes the words of a file in word2vec's format.

        # Parameters

        output : `Path`
            Path of the file.
        folder : `Path`
            Path of the folder of the projector.

        # Returns

        `str`
            A sentence on what was written.
        """
        words, vectors, num_words = read_mean_vectors(output, MAX_POINTS)
        write_projector(folder, vectors, {"word": words, "rank": range(1, len(words) + 1)})
        return _summary(folder, len(words), num_words, "the most frequent ones")


class TargetPoints(Points):
    """
    The occurrences of target words, each one point.

    If there are more than `MAX_POINTS`, the frequent words have equally many, spread evenly over
    their occurrences.

    # Parameters

    words : `Sequence[str]`
        The words.
    sentences : `Iterable[Sentence]`
        The sentences of the input, read twice.

    # Raises

    `ConfigurationError`
        If there are fewer than two occurrences.
    """

    def __init__(self, words: Sequence[str], sentences: Iterable[Sentence]) -> None:
        wanted = frozenset(words)
        counts = Counter(found.word for found in _occurrences(sentences, wanted))
        self._num_occurrences = sum(counts.values())
        if self._num_occurrences < 2:
            raise ConfigurationError(
                "Expected two or more occurrences of the target words for the projector, found "
                f"{self._num_occurrences}. Add words, or leave the projector out."
            )
        self._rows = {word: _spread(counts[word], n) for word, n in _shares(counts).items()}
        self._labels = _labels(sentences, self._rows)

    @overrides
    def write(self, output: Path, folder: Path) -> str:
        """
        Writes the occurrences of an `.npz` file, with the sentences around them.

        # Parameters

        output : `Path`
            Path of the file.
        folder : `Path`
            Path of the folder of the projector.

        # Returns

        `str`
            A sentence on what was written.
        """
        columns = {"word": 0, "sentence": 1, "key": 2, "position": 3}
        labels = [label for word in self._rows for label in self._labels[word]]
        with zipfile.ZipFile(output) as archive:
            vectors = [_read_rows(archive, word, rows) for word, rows in self._rows.items()]
        write_projector(
            folder,
            numpy.concatenate(vectors),
            {name: [label[column] for label in labels] for name, column in columns.items()},
        )
        return _summary(folder, len(labels), self._num_occurrences, "spread evenly over the words")


def prepare_points(task: ExtractionTask, sentences: Iterable[Sentence]) -> Points:
    """
    Chooses the points of a task's output, and remembers their labels.

    # Parameters

    task : `ExtractionTask`
        A `TargetsTask` or a `WordTypesTask`.
    sentences : `Iterable[Sentence]`
        The sentences of the input.

    # Returns

    `Points`

    # Raises

    `ConfigurationError`
        If there are fewer than two occurrences of target words.
    """
    if isinstance(task, TargetsTask):
        return TargetPoints(task.words, sentences)
    return TypePoints()


class _Occurrence(NamedTuple):
    word: str
    sentence: Sentence
    position: int


Label = Tuple[str, str, str, int]


def _occurrences(sentences: Iterable[Sentence], words: Iterable[str]) -> Iterator[_Occurrence]:
    for sentence in sentences:
        for position, token in enumerate(sentence.tokens):
            if token in words:
                yield _Occurrence(token, sentence, position)


def _shares(counts: Mapping[str, int]) -> Dict[str, int]:
    """Returns how many points each word gets: all, or as many as every frequent word."""
    left, shares = MAX_POINTS, {}
    for number, word in enumerate(sorted(counts, key=lambda word: counts[word])):
        shares[word] = min(counts[word], left // (len(counts) - number))
        left -= shares[word]
    # In the order of the text.
    return {word: shares[word] for word in counts if shares[word]}


def _spread(count: int, num_chosen: int) -> List[int]:
    return [k * count // num_chosen for k in range(num_chosen)]


def _labels(
    sentences: Iterable[Sentence], rows: Mapping[str, Sequence[int]]
) -> Dict[str, List[Label]]:
    """Returns word, text around it, key and position of the chosen occurrences of each word."""
    left = {word: iter(chosen) for word, chosen in rows.items()}
    due = {word: next(numbers) for word, numbers in left.items()}
    seen: Dict[str, int] = dict.fromkeys(rows, 0)
    labels: Dict[str, List[Label]] = {word: [] for word in rows}
    for word, sentence, position in _occurrences(sentences, rows):
        if seen[word] == due[word]:
            text = _context(sentence.tokens, position)
            labels[word].append((word, text, sentence.key, position))
            due[word] = next(left[word], -1)
        seen[word] += 1
    return labels


def _context(tokens: Sequence[str], position: int) -> str:
    start, end = position - MAX_TOKENS_ASIDE, position + MAX_TOKENS_ASIDE + 1
    shown = list(tokens[max(start, 0) : end])
    return " ".join(["\u2026"] * (start > 0) + shown + ["\u2026"] * (end < len(tokens)))


def _read_rows(archive: zipfile.ZipFile, word: str, rows: Sequence[int]) -> numpy.ndarray:
    """Returns some rows of an array, in rising order, without reading the others to memory."""
    with archive.open(f"{word}.npy") as entry:
        numpy.lib.format.read_magic(entry)
        shape, _, dtype = numpy.lib.format.read_array_header_1_0(entry)
        start, chosen = entry.tell(), numpy.empty((len(rows), *shape[1:]), dtype)
        for number, row in zip(rows, chosen):
            entry.seek(start + number * row.nbytes)
            row[...] = numpy.frombuffer(entry.read(row.nbytes), dtype).reshape(row.shape)
    return chosen.astype("float32")


def _summary(folder: Path, num_points: int, num_all: int, which: str) -> str:
    left_out = ""
    if num_points < num_all:
        left_out = f" of {num_all:,}, {which}"
    return (
        f"Wrote {counted(num_points, 'point')}{left_out} to '{folder}'. Look at them with: "
        f"tensorboard --logdir {folder}"
    )
