"""
The dataset reader for training a biLM.
"""

import random
from itertools import islice
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Field, Instance, Token, TokenIndexer
from allennlp.data.fields import MetadataField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer

from allennlp_elmo_plugin.embedder.indexer import ElmoCharactersIndexer
from allennlp_elmo_plugin.io.text_files import Paths, find_files
from allennlp_elmo_plugin.language_model.corpus import Corpus, shuffle_by_buffer
from allennlp_elmo_plugin.language_model.windows import Window, sentence_window, stream_windows

__all__ = ["BilmCorpusReader"]

INPUTS = ("forward_inputs", "backward_inputs")


@DatasetReader.register("bilm_corpus")
class BilmCorpusReader(DatasetReader):
    """
    A dataset reader for `bidirectional_lm`. It reads text files with one tokenized sentence a line.

    The data path is a file, a pattern such as `corpus/*.txt.gz`, or a list of these. The reader
    puts each sentence between `<S>` and `</S>`, fills one stream for each row of a batch, and cuts
    the streams into windows. The windows of a stream follow each other from batch to batch, so the
    model can carry its state. Memory does not grow with the corpus if the data loader has
    `max_instances_in_memory`.

    Several workers or processes read different files, or different sentences if there are fewer
    files than readers. Processes of a distributed training also read different sentences if their
    readers cannot have equally many files, since an epoch ends when the first process has no more
    text. Each reader fills streams of its own.

    An instance is one window. Its fields are `forward_inputs` and `backward_inputs` (`TextField`s
    of the tokens, indexed as characters), `forward_targets` and `backward_targets` (`TextField`s
    of the tokens that follow in the direction of reading, indexed as words), and `metadata` with
    the keys `stream` and `window` (the number of the stream, and of the window in the stream) and
    `share_read` (the share of the corpus that has been read, from 0 to 1).

    Registered as a `DatasetReader` with name "bilm_corpus".

    # Parameters

    batch_size : `int`, optional (default = `128`)
        Number of streams. It must equal the `batch_size` of the data loader, which must not
        shuffle.
    num_steps : `int`, optional (default = `20`)
        Number of targets in a window. With `None`, every sentence is a window and starts from the
        model's `initial_state`. Its last token, `</S>`, is then an input as well, as in an
        embedder, but has no target.
    shuffle_buffer : `int`, optional (default = `0`)
        Number of sentences in the buffer from which the next one is drawn at random. With 1 or
        more, the files are shuffled as well, and every pass over the corpus has another order. 0
        keeps the order.
    seed : `int`, optional (default = `13370`)
        Seed of the random order.
    token_indexers : `Dict[str, TokenIndexer]`, optional (default = `None`)
        Indexers of the inputs. `None` is `{"elmo": ElmoCharactersIndexer()}`.
    namespace : `str`, optional (default = `"tokens"`)
        Namespace of the targets in the vocabulary.

    # Raises

    `ConfigurationError`
        If a number is out of range. While reading: if a path or pattern finds no file, if a file
        is not text in UTF-8, or if there is no sentence, also if there is none for one of several
        processes.
    """

    def __init__(
        self,
        batch_size: int = 128,
        num_steps: Optional[int] = 20,
        shuffle_buffer: int = 0,
        seed: int = 13370,
        token_indexers: Optional[Dict[str, TokenIndexer]] = None,
        namespace: str = "tokens",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            manual_distributed_sharding=True, manual_multiprocess_sharding=True, **kwargs
        )
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("num_steps", num_steps, 1),
            ("shuffle_buffer", shuffle_buffer, 0),
        ):
            if value is not None and value < least:
                raise ConfigurationError(
                    f"Expected '{name}' of 'bilm_corpus' to be at least {least}, got {value}."
                )
        self._batch_size = batch_size
        self._num_steps = num_steps
        self._shuffle_buffer = shuffle_buffer
        self._seed = seed
        # Passes over the corpus that have begun. The order of each depends on its number.
        self.num_passes = 0
        self._input_indexers: Dict[str, TokenIndexer] = token_indexers or {
            "elmo": ElmoCharactersIndexer()
        }
        self._target_indexers: Dict[str, TokenIndexer] = {
            "tokens": SingleIdTokenIndexer(namespace=namespace)
        }

    def _read(self, file_path: Paths) -> Iterable[Instance]:
        files = find_files(file_path)
        generator = random.Random(f"{self._seed} {self.num_passes}")
        self.num_passes += 1
        if self._shuffle_buffer:
            generator.shuffle(files)
        num_shards, shard = self._shards()
        corpus, sentences = self._share(files, num_shards, shard)
        sentences = shuffle_by_buffer(sentences, self._shuffle_buffer, generator)
        first_stream = self._batch_size * (self._worker_info.id if self._worker_info else 0)
        is_empty = True
        for window_number, windows in self._windows_of_streams(sentences):
            is_empty = False
            share_read = corpus.share_read
            for stream, window in enumerate(windows, start=first_stream):
                yield self._window_to_instance(window, stream, window_number, share_read)
        if is_empty:
            self._require_sentences(files)

    def text_to_instance(self, tokens: List[Token]) -> Instance:
        """
        Makes an instance of one whole sentence.

        # Parameters

        tokens : `List[Token]`
            Tokens of the sentence, without its boundaries.

        # Returns

        `Instance`
            The instance without token indexers, which `apply_token_indexers` sets.
        """
        return self._window_to_instance(sentence_window([str(token) for token in tokens]))

    def apply_token_indexers(self, instance: Instance) -> None:
        """
        Sets the token indexers of an instance.

        # Parameters

        instance : `Instance`
            Instance made by this reader. It is changed in place.
        """
        for name, field in instance.fields.items():
            if isinstance(field, TextField):
                field.token_indexers = (
                    self._input_indexers if name in INPUTS else self._target_indexers
                )

    def _shards(self) -> Tuple[int, int]:
        """Returns the number of shards of the corpus and the shard that this reader reads."""
        num_shards, shard = 1, 0
        if self._distributed_info is not None:
            num_shards = self._distributed_info.world_size
            shard = self._distributed_info.global_rank
        if self._worker_info is not None:
            shard = shard * self._worker_info.num_workers + self._worker_info.id
            num_shards *= self._worker_info.num_workers
        return num_shards, shard

    def _share(
        self, files: List[str], num_shards: int, shard: int
    ) -> Tuple[Corpus, Iterator[List[str]]]:
        """Returns the corpus that a shard reads, and the sentences of it that are the shard's."""
        is_even = self._distributed_info is None or len(files) % num_shards == 0
        if len(files) >= num_shards and is_even:
            corpus = Corpus(files[shard::num_shards])
            return corpus, iter(corpus)
        corpus = Corpus(files)
        return corpus, islice(corpus, shard, None, num_shards)

    def _require_sentences(self, files: List[str]) -> None:
        """Requires a sentence for this process. One of its workers may have none."""
        num_shards, shard = self._shards()
        num_workers = self._worker_info.num_workers if self._worker_info else 1
        first = shard - shard % num_workers
        for other in range(first, first + num_workers):
            if next(self._share(files, num_shards, other)[1], None) is not None:
                return
        listed = ", ".join(f"'{file}'" for file in files[:10])
        if len(files) > 10:
            listed += f" and {len(files) - 10} more"
        num_processes = num_shards // num_workers
        # With none for one process, AllenNLP ends each epoch of all of them before it begins.
        problem = (
            "found none"
            if num_processes == 1
            else f"found none for process {first // num_workers} of {num_processes}, which read "
            "different files, or different sentences if files cannot be divided evenly"
        )
        raise ConfigurationError(
            f"Expected one tokenized sentence a line in {listed}, {problem}. Check the data path "
            "of 'bilm_corpus', and that the files have text."
        )

    def _windows_of_streams(
        self, sentences: Iterator[List[str]]
    ) -> Iterator[Tuple[int, Sequence[Window]]]:
        """Yields the number of the windows in their streams, and the next window of each stream."""
        if self._num_steps is None:
            while True:
                windows = [sentence_window(s) for s in islice(sentences, self._batch_size)]
                if not windows:
                    return
                yield 0, windows
        yield from enumerate(stream_windows(sentences, self._batch_size, self._num_steps))

    def _window_to_instance(
        self, window: Window, stream: int = 0, window_number: int = 0, share_read: float = 1.0
    ) -> Instance:
        forward, backward = ([Token(token) for token in tokens] for tokens in window)
        num_inputs = len(forward) if self._num_steps is None else len(forward) - 1
        fields: Dict[str, Field] = {
            "forward_inputs": TextField(forward[: max(0, num_inputs)]),
            "forward_targets": TextField(forward[1:]),
            "backward_inputs": TextField(backward[: max(0, num_inputs)]),
            "backward_targets": _UncountedTextField(backward[1:]),
            "metadata": MetadataField(
                {"stream": stream, "window": window_number, "share_read": share_read}
            ),
        }
        return Instance(fields)


class _UncountedTextField(TextField):
    """
    A `TextField` whose tokens are not counted for the vocabulary.

    Another field has the same tokens.
    """

    def count_vocab_items(self, counter: Dict[str, Dict[str, int]]) -> None:
        """Counts nothing."""
