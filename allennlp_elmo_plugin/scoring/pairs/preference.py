"""
The preference of a biLM for one sentence of a pair.
"""

from typing import Any, Dict, List, NamedTuple

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.scoring.scored_sentence import ScoredSentence

__all__ = ["NORMALIZATIONS", "PREFER_BY", "MemberScores", "Preference"]

PREFER_BY = ("both", "forward", "backward")
NORMALIZATIONS = ("none", "tokens")

GOOD, BAD, TIE = "good", "bad", "tie"


class MemberScores(NamedTuple):
    """
    The scores of one sentence of a pair.

    # Parameters

    tokens : `List[str]`
        Its tokens.
    unknown : `List[int]`
        Positions of the tokens that are not in the vocabulary, from 0.
    num_counted : `int`
        The number of predictions of a direction that count.
    forward, backward : `float`
        The sum of the log probabilities that count, in nats, of each direction.
    """

    tokens: List[str]
    unknown: List[int]
    num_counted: int
    forward: float
    backward: float

    @classmethod
    def of(cls, tokens: List[str], scored: ScoredSentence) -> "MemberScores":
        """
        Returns the scores of a sentence.

        # Parameters

        tokens : `List[str]`
            Its tokens.
        scored : `ScoredSentence`
            The scores of each token.

        # Returns

        `MemberScores`
        """
        return cls(tokens, scored.unknown, scored.num_counted, *scored.sums)

    @property
    def both(self) -> float:
        """The mean of both directions."""
        return (self.forward + self.backward) / 2


class Preference(NamedTuple):
    """
    A rule that chooses the sentence with the higher score.

    # Parameters

    by : `str`, optional (default = `"both"`)
        The score: `"forward"`, `"backward"`, or `"both"` for their mean.
    normalize : `str`, optional (default = `"none"`)
        `"tokens"` divides the score by the number of predictions that count, for pairs that differ
        in length. `"none"` leaves it as it is.
    """

    by: str = "both"
    normalize: str = "none"

    def require_valid(self) -> None:
        """
        Checks the names.

        # Raises

        `ConfigurationError`
            If there is no such rule.
        """
        for name, value, choices in (
            ("by", self.by, PREFER_BY),
            ("normalize", self.normalize, NORMALIZATIONS),
        ):
            if value not in choices:
                raise ConfigurationError(
                    f"Expected '{name}' of a preference to be one of {', '.join(choices)}, got "
                    f"'{value}'."
                )

    def score(self, member: MemberScores) -> float:
        """
        Returns the score by which sentences are compared.

        # Parameters

        member : `MemberScores`
            The scores of the sentence.
        """
        score: float = getattr(member, self.by)
        return score / member.num_counted if self.normalize == "tokens" else score

    def choose(self, good: MemberScores, bad: MemberScores) -> str:
        """
        Returns `"good"`, `"bad"`, or `"tie"` for equal scores.

        # Parameters

        good, bad : `MemberScores`
            The scores of the acceptable sentence, and of the other one.
        """
        first, second = self.score(good), self.score(bad)
        return TIE if first == second else GOOD if first > second else BAD

    def settings(self) -> Dict[str, Any]:
        """Returns the rule, values of JSON by their names."""
        return {"prefer by": self.by, "normalize": self.normalize}
