"""
The form in which scores are written.
"""

from math import log
from typing import NamedTuple, Optional

import numpy
from allennlp.common.checks import ConfigurationError

__all__ = ["UNITS", "ScoreStyle", "require_unit"]

UNITS = {"nats": 1.0, "bits": log(2)}
"""Units of surprisals by name, in nats."""


class ScoreStyle(NamedTuple):
    """
    The form in which scores are written.

    # Parameters

    surprisal : `str`, optional (default = `None`)
        `"nats"` or `"bits"` for surprisals, which are negative log probabilities, in this unit.
        `None` is for log probabilities in nats.
    leaves_out_unknown : `bool`, optional (default = `False`)
        If `True`, words outside of the vocabulary have no scores and do not count in perplexities.
        If `False`, all of them count as the one word `<UNK>`.
    """

    surprisal: Optional[str] = None
    leaves_out_unknown: bool = False

    @property
    def score_name(self) -> str:
        """Name of a score."""
        return "log_probability" if self.surprisal is None else "surprisal"

    @property
    def scores_name(self) -> str:
        """Name of a list of scores."""
        return "log_probabilities" if self.surprisal is None else "surprisals"

    def scores(self, log_probabilities: numpy.ndarray) -> numpy.ndarray:
        """
        Returns the scores of log probabilities.

        # Parameters

        log_probabilities : `numpy.ndarray`
            Any shape, float32, in nats.

        # Returns

        `numpy.ndarray`
            Same shape, float32.
        """
        if self.surprisal is None:
            return log_probabilities
        # Subtracting from 0 makes no negative zero.
        return (0.0 - log_probabilities / UNITS[self.surprisal]).astype("float32")


def require_unit(surprisal: Optional[str]) -> None:
    """
    Checks the name of a unit of surprisals.

    # Parameters

    surprisal : `Optional[str]`
        The name, or `None` for log probabilities.

    # Raises

    `ConfigurationError`
        If there is no such unit.
    """
    if surprisal is not None and surprisal not in UNITS:
        raise ConfigurationError(
            f"Expected the unit of surprisals to be one of {', '.join(UNITS)}, got '{surprisal}'."
        )
