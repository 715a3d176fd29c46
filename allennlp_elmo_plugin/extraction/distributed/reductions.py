"""
The results of a distributed extraction: all vectors, those of target words, or one for each word.
"""

from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Callable, ClassVar, Dict, Iterable, List, Sequence, Tuple

from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.distributed.counting import Count, count_shard
from allennlp_elmo_plugin.extraction.distributed.gathering import gather_targets, gather_types
from allennlp_elmo_plugin.extraction.distributed.open_shard import InputOptions
from allennlp_elmo_plugin.extraction.distributed.shard import Receipt, Shard
from allennlp_elmo_plugin.extraction.distributed.shard_targets import OccurrencesTask
from allennlp_elmo_plugin.extraction.distributed.shard_types import WordSumsTask
from allennlp_elmo_plugin.extraction.distributed.store import Store, write_to
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.outputs.by_ending import BY_ENDING
from allennlp_elmo_plugin.extraction.targets import TargetsOutput, TargetsTask
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.extraction.word_counts import WordCounts
from allennlp_elmo_plugin.extraction.word_types import WordTypesTask

__all__ = ["PARTS", "AllVectors", "Reduction", "TargetVectors", "TypeVectors"]

TaskMaker = Callable[[Path], ExtractionTask]

PART = Path("part.parquet")
PARTS = "parts"
"""Folder of the work with the files of the shards, if they are not the output."""


class Reduction(ABC):
    """
    A kind of result, made of the vectors of all shards.

    # Parameters

    output : `str`
        Absolute path or URL of the output.
    """

    keeps_parts: ClassVar[bool] = False
    """If `True`, the files of the shards are the output."""
    chooses_words: ClassVar[bool] = False
    """If `True`, the words of the output are chosen by the counts of all shards."""

    def __init__(self, output: str) -> None:
        self.output = output

    def paths(self) -> List[str]:
        """Returns the paths or URLs of all files and folders of the output."""
        return [self.output]

    def parts(self, work: Store) -> Store:
        """
        Returns the folder for the files of the shards.

        # Parameters

        work : `Store`
            The folder of the work.
        """
        return Store(f"{work.location}/{PARTS}")

    @abstractmethod
    def task_maker(self, words: Sequence[str]) -> TaskMaker:
        """
        Returns what makes the task of a shard from the path of its file. It is sent to workers.

        # Parameters

        words : `Sequence[str]`
            The words that were chosen.
        """

    @abstractmethod
    def settings(self) -> Dict[str, Any]:
        """Returns what the output depends on, values of JSON by their names."""

    def require_fit(self, extractor: ElmoExtractor) -> None:
        """
        Checks that the output can hold an extractor's results.

        # Parameters

        extractor : `ElmoExtractor`
            The extractor.

        # Raises

        `ConfigurationError`
            If it cannot.
        """
        self.task_maker([])(PART).require_fit(extractor)

    def count(self, options: InputOptions, shard: Shard) -> Tuple[Count, Dict[str, int]]:
        """
        Counts a shard, in a process of its own.

        # Parameters

        options : `InputOptions`
            Options of the input.
        shard : `Shard`
            The shard.

        # Returns

        `Tuple[Count, Dict[str, int]]`
            The counts, and those of its words if words are to be chosen.
        """
        return count_shard(shard, options), {}

    def choose_words(self, counts: Iterable[Dict[str, int]]) -> List[str]:
        """
        Chooses the words of the output.

        # Parameters

        counts : `Iterable[Dict[str, int]]`
            The counts of the words of each shard, in the order of the shards.

        # Returns

        `List[str]`
            The words, none if all count.
        """
        return []

    @abstractmethod
    def gather(
        self,
        parts: Store,
        receipts: Sequence[Receipt],
        words: Sequence[str],
        row_shape: Tuple[int, ...],
    ) -> List[str]:
        """
        Writes the output from the files of the shards.

        # Parameters

        parts : `Store`
            The folder of these files.
        receipts : `Sequence[Receipt]`
            Receipts of all finished shards, in their order.
        words : `Sequence[str]`
            The words that were chosen.
        row_shape : `Tuple[int, ...]`
            Shape of the vectors of a token: (layers, dim), or (dim,) without layers.

        # Returns

        `List[str]`
            Paths or URLs of the output.
        """


class AllVectors(Reduction):
    """
    A folder with a Parquet file for each shard, and a row for each sentence.

    # Parameters

    output : `str`
        Absolute path or URL of the folder.
    dtype : `str`, optional (default = `"float32"`)
        `"float32"` or `"float16"`.
    """

    keeps_parts = True

    def __init__(self, output: str, dtype: str = "float32") -> None:
        super().__init__(output)
        self._dtype = dtype
        ending = PurePosixPath(output).suffix.lower()
        if ending in BY_ENDING:
            raise ConfigurationError(
                f"Expected a folder for the vectors of an extraction in several processes, which "
                f"write Parquet files, got '{output}'. Leave out the ending '{ending}'."
            )

    @overrides
    def parts(self, work: Store) -> Store:
        return Store(self.output)

    @overrides
    def task_maker(self, words: Sequence[str]) -> TaskMaker:
        return partial(ExtractionTask, dtype=self._dtype)

    @overrides
    def settings(self) -> Dict[str, Any]:
        return {"result": "vectors", "dtype": self._dtype}

    @overrides
    def gather(
        self,
        parts: Store,
        receipts: Sequence[Receipt],
        words: Sequence[str],
        row_shape: Tuple[int, ...],
    ) -> List[str]:
        return [self.output]


class TargetVectors(Reduction):
    """
    The vectors of all occurrences of some words, in an `.npz` file.

    # Parameters

    output : `str`
        Absolute path or URL of the file.
    words : `Sequence[str]`
        The words.
    dtype : `str`, optional (default = `"float32"`)
        `"float32"` or `"float16"`.
    """

    def __init__(self, output: str, words: Sequence[str], dtype: str = "float32") -> None:
        super().__init__(output)
        self._words, self._dtype = words, dtype
        # It checks the words and the ending.
        TargetsTask(words, Path(output), dtype)

    @overrides
    def paths(self) -> List[str]:
        folder, slash, name = self.output.rpartition("/")
        return [f"{folder}{slash}{path}" for path in TargetsOutput.paths(Path(name))]

    @overrides
    def task_maker(self, words: Sequence[str]) -> TaskMaker:
        return partial(OccurrencesTask, self._words, dtype=self._dtype)

    @overrides
    def gather(
        self,
        parts: Store,
        receipts: Sequence[Receipt],
        words: Sequence[str],
        row_shape: Tuple[int, ...],
    ) -> List[str]:
        names = [receipt.path for receipt in receipts]

        def write(output: Path) -> List[Path]:
            gather_targets(names, parts.open, self._words, row_shape, self._dtype, output)
            return TargetsOutput.paths(output)

        return write_to(self.output, write)

    @overrides
    def settings(self) -> Dict[str, Any]:
        return {"result": "targets", "targets": list(self._words), "dtype": self._dtype}


class TypeVectors(Reduction):
    """
    The mean vector of each frequent word, in word2vec's formats.

    # Parameters

    output : `str`
        Absolute path or URL of the file.
    num_types : `int`
        The largest number of words.
    """

    chooses_words = True

    def __init__(self, output: str, num_types: int) -> None:
        super().__init__(output)
        self._num_types = num_types
        # As above.
        WordTypesTask(num_types, Path(output))

    @overrides
    def task_maker(self, words: Sequence[str]) -> TaskMaker:
        return partial(WordSumsTask, {word: number for number, word in enumerate(words)})

    @overrides
    def gather(
        self,
        parts: Store,
        receipts: Sequence[Receipt],
        words: Sequence[str],
        row_shape: Tuple[int, ...],
    ) -> List[str]:
        names = [receipt.path for receipt in receipts]

        def write(output: Path) -> List[Path]:
            gather_types(names, parts.open, words, row_shape[-1], output)
            return [output]

        return write_to(self.output, write)

    @overrides
    def settings(self) -> Dict[str, Any]:
        return {"result": "types", "types": self._num_types}

    @overrides
    def count(self, options: InputOptions, shard: Shard) -> Tuple[Count, Dict[str, int]]:
        words = WordCounts()
        count = count_shard(shard, options, lambda sentence: words.update(sentence.tokens))
        return count, dict(words)

    @overrides
    def choose_words(self, counts: Iterable[Dict[str, int]]) -> List[str]:
        total = WordCounts()
        for words in counts:
            total.update(words)
        return total.most_frequent(self._num_types)
