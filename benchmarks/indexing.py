"""
Time that the indexers take from tokens to tensors.
"""

from functools import partial
from typing import Callable, Dict, List

from allennlp.data import Token, TokenIndexer, Vocabulary

from allennlp_elmo_plugin import ElmoCharactersIndexer
from allennlp_elmo_plugin.network.spelling import cached_spellings
from benchmarks.builtin import BuiltInIndexer
from benchmarks.report import Section, Table, milliseconds, times
from benchmarks.settings import Settings
from benchmarks.sides import ALLENNLP
from benchmarks.timing import interleaved_medians

__all__ = ["measure_indexing"]

FRESH = "plugin, words not seen before"
AGAIN = "plugin, words seen before"


def measure_indexing(settings: Settings) -> Section:
    """
    Times `tokens_to_indices` and `as_padded_tensor_dict` of both sides, interleaved.

    The plugin's indexer caches the character ids of words, so it is timed with an empty cache, and
    again with a full one.

    # Parameters

    settings : `Settings`
        Models, sentences and workload of the run.

    # Returns

    `Section`
        Times over all sentences.
    """
    sentences = [[Token(word) for word in sentence] for sentence in settings.sentences]
    tokens = sum(map(len, sentences))
    ours = ElmoCharactersIndexer()

    def forget_and_index() -> None:
        cached_spellings.cache_clear()
        _index(ours, sentences)

    tasks: Dict[str, Callable[[], None]] = {
        ALLENNLP: partial(_index, BuiltInIndexer(), sentences),
        FRESH: forget_and_index,
        AGAIN: partial(_index, ours, sentences),
    }
    seconds = interleaved_medians(tasks, settings.rounds)
    rows = [
        {
            "side": side,
            "tokens": tokens,
            "seconds": taken,
            "ratio": seconds[ALLENNLP] / taken,
        }
        for side, taken in seconds.items()
    ]
    table = Table(
        f"Indexing {len(sentences)} sentences of {tokens} tokens: milliseconds",
        ("", "time", "ratio"),
        [
            (side, milliseconds(taken), times(seconds[ALLENNLP] / taken))
            for side, taken in seconds.items()
        ],
    )
    return Section({"indexing": rows}, [table])


def _index(indexer: TokenIndexer, sentences: List[List[Token]]) -> None:
    vocabulary = Vocabulary()
    for sentence in sentences:
        indices = indexer.tokens_to_indices(sentence, vocabulary)
        indexer.as_padded_tensor_dict(indices, indexer.get_padding_lengths(indices))
