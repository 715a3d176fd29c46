"""
The dataset reader of a biLM's training.
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
from allennlp_elmo_plugin.language_model.corpus import Corpus, shuffled_by_buffer
from allennlp_elmo_plugin.language_model.windows import Window, pack_into_windows, sentence_window

__all__ = ["BilmCorpusReader"]

INPUTS = ("forward_inputs", "backward_inputs")


@DatasetReader.register("bilm_corpus")
class BilmCorpusReader(DatasetReader):
    """
    Reads text files of tokenized sentences, one a line, for `bidirectional_lm`: a file, a pattern
    such as `corpus/*.txt.gz`, or a list of either. Sentences are put between `<S>` and `</S>` and
    packed into one stream for each row of a batch; a stream is cut into windows, which follow each
    other from batch to batch, so that the model can carry its state on. What is in memory does not
    grow with the corpus, if the data loader has `max_instances_in_memory`.

    With several workers or processes each reads files of its own, or sentences of its own where
    there are fewer files, and packs streams of its own.

    An instance is a window, with the fields `forward_inputs` and `backward_inputs` (`TextField`s of
    the characters of its tokens), `forward_targets` and `backward_targets` (`TextField`s of the ids
    of the tokens that follow each, in the direction of reading), and `metadata` with the keys
    `stream` and `window` (two numbers that say where it belongs), and `share_read` (how much of the
    corpus was read, from 0 to 1).

    Registered as a `DatasetReader` with name "bilm_corpus".

    # Parameters

    batch_size : `int`, optional (default = `128`)
        The number of streams: the `batch_size` of the data loader, which must not shuffle.
    num_steps : `int`, optional (default = `20`)
        The number of tokens of a window. With `None` every sentence is a window of its own, which
        starts where the model's `initial_state` says, and whose last boundary is read as well, as
        an embedder reads it, though nothing is to be predicted after it.
    shuffle_buffer : `int`, optional (default = `0`)
        How many sentences wait in memory to be drawn in random order. With 1 or more the files are
        shuffled as well, and each pass over the corpus has another order. 0 keeps the order.
    seed : `int`, optional (default = `13370`)
        What the order depends on.
    token_indexers : `Dict[str, TokenIndexer]`, optional (default = `None`)
        How the inputs are spelled; `None` is `{"elmo": ElmoCharactersIndexer()}`.
    namespace : `str`, optional (default = `"tokens"`)
        The namespace of the vocabulary that the targets are counted into and looked up in.

    # Raises

    `ConfigurationError`
        When a number is out of range. When reading, where there is no file, or one that is no
        text in UTF-8.
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
        by_file = len(files) >= num_shards
        corpus = Corpus(files[shard::num_shards] if by_file else files)
        sentences = iter(corpus) if by_file else islice(corpus, shard, None, num_shards)
        sentences = shuffled_by_buffer(sentences, self._shuffle_buffer, generator)
        first_stream = self._batch_size * (self._worker_info.id if self._worker_info else 0)
        for number, windows in self._rows_of_windows(sentences):
            share_read = corpus.share_read
            for stream, window in enumerate(windows, start=first_stream):
                yield self._window_to_instance(window, stream, number, share_read)

    def text_to_instance(self, tokens: List[Token]) -> Instance:
        """
        # Parameters

        tokens : `List[Token]`
            The words of one sentence, without its boundaries.

        # Returns

        `Instance`
            The sentence as a window of its own, without token indexers; `apply_token_indexers`
            sets them.
        """
        return self._window_to_instance(sentence_window([str(token) for token in tokens]))

    def apply_token_indexers(self, instance: Instance) -> None:
        for name, field in instance.fields.items():
            if isinstance(field, TextField):
                field.token_indexers = (
                    self._input_indexers if name in INPUTS else self._target_indexers
                )

    def _shards(self) -> Tuple[int, int]:
        """How many parts the corpus has, and which one is read here."""
        num_shards, shard = 1, 0
        if self._distributed_info is not None:
            num_shards = self._distributed_info.world_size
            shard = self._distributed_info.global_rank
        if self._worker_info is not None:
            shard = shard * self._worker_info.num_workers + self._worker_info.id
            num_shards *= self._worker_info.num_workers
        return num_shards, shard

    def _rows_of_windows(
        self, sentences: Iterator[List[str]]
    ) -> Iterator[Tuple[int, Sequence[Window]]]:
        """The next window of each stream, with its number in the stream."""
        if self._num_steps is None:
            while True:
                windows = [sentence_window(s) for s in islice(sentences, self._batch_size)]
                if not windows:
                    return
                yield 0, windows
        yield from enumerate(pack_into_windows(sentences, self._batch_size, self._num_steps))

    def _window_to_instance(
        self, window: Window, stream: int = 0, number: int = 0, share_read: float = 1.0
    ) -> Instance:
        forward, backward = ([Token(token) for token in tokens] for tokens in window)
        num_inputs = len(forward) if self._num_steps is None else len(forward) - 1
        fields: Dict[str, Field] = {
            "forward_inputs": TextField(forward[: max(0, num_inputs)]),
            "forward_targets": TextField(forward[1:]),
            "backward_inputs": TextField(backward[: max(0, num_inputs)]),
            "backward_targets": _UncountedTextField(backward[1:]),
            "metadata": MetadataField(
                {"stream": stream, "window": number, "share_read": share_read}
            ),
        }
        return Instance(fields)


class _UncountedTextField(TextField):
    """The same words as in another field: to be looked up in a vocabulary, not to be counted."""

    def count_vocab_items(self, counter: Dict[str, Dict[str, int]]) -> None:
        """Counts nothing."""
