"""
The text that a page shows: sentences of one period, or of two.
"""

from itertools import chain
from typing import Dict, Iterable, List, Sequence, Tuple

import numpy
from allennlp.common.checks import ConfigurationError

__all__ = ["ShownText", "first_sentences_of"]


def first_sentences_of(
    sentences: Iterable[Sequence[str]], max_tokens: int
) -> Tuple[List[List[str]], int]:
    """
    Returns the first sentences of a text, as many whole ones as a number of tokens allows.

    # Parameters

    sentences : `Iterable[Sequence[str]]`
        The tokens of each sentence.
    max_tokens : `int`
        Largest number of tokens.

    # Returns

    `Tuple[List[List[str]], int]`
        The sentences, without those that have no tokens, and the number of sentences that were
        left out for their length.

    # Raises

    `ConfigurationError`
        If there is no sentence, or if the first one is too long.
    """
    texts = (list(sentence) for sentence in sentences if sentence)
    shown: List[List[str]] = []
    num_tokens = 0
    for sentence in texts:
        if num_tokens + len(sentence) > max_tokens:
            if not shown:
                raise ConfigurationError(
                    f"Expected a text whose first sentence has at most {max_tokens:,} tokens, got "
                    f"one with {len(sentence):,}. Split it, or raise the number of tokens shown."
                )
            return shown, 1 + sum(1 for _ in texts)
        shown.append(sentence)
        num_tokens += len(sentence)
    if not shown:
        raise ConfigurationError("Expected a text with a sentence to look at, but it has none.")
    return shown, 0


class ShownText:
    """
    The sentences that a page shows, and the words in them.

    Tokens are numbered from 0 through all sentences, and words by their first occurrence.

    # Parameters

    periods : `Sequence[Sequence[Sequence[str]]]`
        For each period the tokens of its sentences, of which none is empty.
    names : `Sequence[str]`
        Names of the periods.
    num_left_out : `int`, optional (default = `0`)
        Number of sentences of the input that are not shown.
    """

    def __init__(
        self,
        periods: Sequence[Sequence[Sequence[str]]],
        names: Sequence[str],
        num_left_out: int = 0,
    ) -> None:
        if len(periods) != len(names):
            raise ConfigurationError(
                f"Expected a name for each period, got {len(names)} for {len(periods)}: "
                f"{', '.join(names)}."
            )
        self.periods = [[list(sentence) for sentence in period] for period in periods]
        self.names = list(names)
        self.num_left_out = num_left_out
        self.sentences = list(chain.from_iterable(self.periods))
        self.tokens = list(chain.from_iterable(self.sentences))
        numbers: Dict[str, int] = {}
        self.word_ids = numpy.array(
            [numbers.setdefault(token, len(numbers)) for token in self.tokens], dtype=numpy.int64
        )
        self.words = list(numbers)

    def sentence_starts(self) -> List[int]:
        """Returns the number of each sentence's first token, and that of all tokens at the end."""
        lengths = [len(sentence) for sentence in self.sentences]
        return [0, *numpy.cumsum(lengths, dtype=numpy.int64).tolist()]

    def period_starts(self) -> List[int]:
        """Returns the number of each period's first sentence, and that of all at the end."""
        lengths = [len(period) for period in self.periods]
        return [0, *numpy.cumsum(lengths, dtype=numpy.int64).tolist()]

    def occurrences(self) -> List[numpy.ndarray]:
        """
        Returns where each word stands.

        # Returns

        `List[numpy.ndarray]`
            For each word the numbers of its tokens, in their order.
        """
        order = numpy.argsort(self.word_ids, kind="stable")
        counts = numpy.bincount(self.word_ids, minlength=len(self.words))
        return numpy.split(order, numpy.cumsum(counts)[:-1])
