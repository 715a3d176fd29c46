"""
Sums over the scores of all sentences.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List

from allennlp_elmo_plugin.scoring.scored_sentence import ScoredSentence, perplexity

__all__ = ["ScoreTotals"]


@dataclass
class ScoreTotals:
    """
    Counts and sums over all sentences of a text.

    # Parameters

    num_tokens : `int`, optional (default = `0`)
        The number of tokens.
    num_unknown : `int`, optional (default = `0`)
        The number of tokens that are not in the vocabulary.
    num_counted : `int`, optional (default = `0`)
        The number of predictions of a direction that count, with one boundary for each sentence.
    sums : `List[float]`, optional (default = `[0.0, 0.0]`)
        The sum of the log probabilities that count, in nats, of each direction.
    """

    num_tokens: int = 0
    num_unknown: int = 0
    num_counted: int = 0
    sums: List[float] = field(default_factory=lambda: [0.0, 0.0])

    def add(self, sentence: ScoredSentence) -> None:
        """
        Adds a sentence.

        # Parameters

        sentence : `ScoredSentence`
            The next sentence.
        """
        self.num_tokens += sentence.scores.shape[1] - 1
        self.num_unknown += len(sentence.unknown)
        self.num_counted += sentence.num_counted
        self.sums = [total + new for total, new in zip(self.sums, sentence.sums)]

    @property
    def perplexities(self) -> List[float]:
        """The perplexity of each direction. There must be a prediction that counts."""
        return [perplexity(each, self.num_counted) for each in self.sums]

    @property
    def perplexity(self) -> float:
        """The perplexity of both directions, which is the geometric mean of theirs."""
        return perplexity(sum(self.sums), 2 * self.num_counted)

    def as_json(self) -> Dict[str, Any]:
        """Returns the arguments that give equal totals, values of JSON by their names."""
        return asdict(self)
