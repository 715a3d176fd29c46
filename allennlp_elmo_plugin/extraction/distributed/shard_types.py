"""
The sums of the vectors of frequent words in a shard.
"""

import json
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Type
from typing import Counter as CounterType

from overrides import overrides

from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.outputs.arrow import (
    import_pyarrow,
    nested_lists,
    nested_type,
    write_parquet,
)
from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.outputs.table import NUM_BATCH_BYTES, NUM_ROW_BYTES
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.sums import SumsOutput, require_one_vector
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.io.journaled_file import JournaledFile

__all__ = ["WordSumsOutput", "WordSumsTask"]


class WordSumsTask(ExtractionTask[ElmoExtractor]):
    """
    A task that writes a Parquet file of the sums of the vectors of frequent words in a shard.

    `gather_types` makes of such files what a `WordTypesTask` makes of the whole text. The task
    holds the sums of the words of the shard alone.

    # Parameters

    numbers : `Mapping[str, int]`
        The number of each word in the list of all frequent words, from 0. Tasks can share it.
    output : `Path`
        Path of the table, which ends in `.parquet`.
    """

    def __init__(self, numbers: Mapping[str, int], output: Path) -> None:
        super().__init__(output)
        self._numbers = numbers
        self._counts: CounterType[str] = Counter()

    @overrides
    def find_output_class(self) -> Type[Output]:
        return WordSumsOutput

    @overrides
    def require_fit(self, engine: ElmoExtractor) -> None:
        require_one_vector(engine)

    @overrides
    def count(self, sentence: Sentence) -> None:
        self._counts.update(token for token in sentence.tokens if token in self._numbers)

    @overrides
    def shape(self, num_sentences: int, num_tokens: int, engine: ElmoExtractor) -> ResultShape:
        return super().shape(num_sentences, len(self._counts), engine)

    @overrides
    def open_output(self, file: JournaledFile, shape: ResultShape) -> Output:
        return WordSumsOutput(file, shape, self._table())

    @overrides
    def settings(self) -> Dict[str, Any]:
        digest = blake2b(json.dumps(self._table()).encode("ascii"), digest_size=16)
        return {**super().settings(), "words": digest.hexdigest()}

    def _table(self) -> Dict[str, List[int]]:
        """Returns the number and the count of each word of the shard, by the numbers."""
        words = sorted(self._counts, key=self._numbers.__getitem__)
        return {word: [self._numbers[word], self._counts[word]] for word in words}


class WordSumsOutput(SumsOutput):
    """
    A table with the columns `word`, `count` and `sum`, of the words that occur in the shard.

    A row has the number of the word, the number of its occurrences, and the sum of their vectors, a
    list in float64.

    # Parameters

    file : `JournaledFile`
        The unfinished file: the sums so far.
    shape : `ResultShape`
        Shape of all results. Its tokens are the words.
    words : `Dict[str, List[int]]`
        The number and the count of each word.
    """

    endings = (".parquet",)

    def __init__(
        self, file: JournaledFile, shape: ResultShape, words: Dict[str, List[int]]
    ) -> None:
        self._facts = list(words.values())
        super().__init__(file, shape, list(words))

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        return shape.num_tokens * (8 * shape.dim * 21 // 20 + NUM_ROW_BYTES)

    @overrides
    def _open(self, is_new: bool) -> None:
        import_pyarrow()
        super()._open(is_new)

    @overrides
    def _write_sums(self, output: Path) -> None:
        arrow = import_pyarrow()
        schema = arrow.schema(
            [
                ("word", arrow.int32()),
                ("count", arrow.int64()),
                ("sum", nested_type(arrow, "float64", 1)),
            ]
        )
        with write_atomically(output) as partial:
            write_parquet(partial, schema, self._batches(arrow, schema))

    def _batches(self, arrow: Any, schema: Any) -> Iterator[Any]:
        num_rows = max(NUM_BATCH_BYTES // max(self._sums.shape[1] * 8, 1), 1)
        for start in range(0, len(self._sums), num_rows):
            numbers, counts = zip(*self._facts[start : start + num_rows])
            columns = [
                arrow.array(numbers, arrow.int32()),
                arrow.array(counts, arrow.int64()),
                nested_lists(arrow, self._sums[start : start + num_rows]),
            ]
            yield arrow.RecordBatch.from_arrays(columns, schema=schema)
