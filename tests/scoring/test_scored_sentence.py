"""The scores of a sentence in a style, and their sums."""

from math import exp, log
from types import SimpleNamespace
from typing import Any, List, Optional

import numpy
import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.scoring.scored_sentence import (
    ScoredSentence,
    perplexity,
    score_sentence,
)
from allennlp_elmo_plugin.scoring.style import ScoreStyle, require_unit
from allennlp_elmo_plugin.scoring.totals import ScoreTotals

MODEL: Any = SimpleNamespace(is_unknown=lambda token: token == "?")
TOKENS = ["a", "?", "b"]
RESULTS = numpy.array(
    [
        [[-1.0, 2.0], [-2.0, 3.0], [-4.0, 5.0], [-0.5, 1.0]],
        [[-1.5, 2.0], [-2.5, 3.0], [-3.5, 4.0], [0.0, 1.0]],
    ],
    dtype="float32",
)


def _scored(surprisal: Optional[str] = None, leaves_out: bool = False) -> ScoredSentence:
    return score_sentence(TOKENS, RESULTS, MODEL, ScoreStyle(surprisal, leaves_out))


def test_unknown_words_count_as_one_class() -> None:
    """They have scores, and count in the perplexity."""
    scored = _scored()
    assert scored.scores.tolist() == RESULTS[..., 0].tolist() and scored.unknown == [1]
    assert scored.ranks.tolist() == [[2, 3, 5, 1], [2, 3, 4, 1]]
    assert scored.perplexities == pytest.approx([exp(7.5 / 4), exp(7.5 / 4)])


def test_unknown_words_are_left_out() -> None:
    """They have no scores, and do not count in the perplexity."""
    scored = _scored(leaves_out=True)
    assert numpy.isnan(scored.scores[:, 1]).all() and not numpy.isnan(scored.scores).all()
    assert scored.ranks[:, 1].tolist() == [0, 0]
    assert scored.num_counted == 3
    assert scored.perplexities == pytest.approx([exp(5.5 / 3), exp(5 / 3)])
    assert scored.perplexity == pytest.approx(exp(10.5 / 6))


@pytest.mark.parametrize("unit, factor", [("nats", 1.0), ("bits", 1 / log(2))])
def test_surprisals_have_a_unit(unit: str, factor: float) -> None:
    """They are positive, without a negative zero, and perplexities stay as they are."""
    scored = _scored(unit)
    assert numpy.allclose(scored.scores, -factor * RESULTS[..., 0])
    assert not numpy.signbit(scored.scores).any() and scored.scores.dtype == numpy.float32
    assert scored.perplexity == _scored().perplexity


def test_there_are_two_units() -> None:
    """Another one is an error that names them."""
    require_unit(None)
    with pytest.raises(ConfigurationError, match="nats, bits, got 'hartleys'"):
        require_unit("hartleys")


def test_a_perplexity_is_finite() -> None:
    """The exponential of a large loss would be infinite."""
    assert perplexity(-1e6, 1) == exp(700)


@given(st.lists(st.floats(-30, 0, width=32), min_size=1, max_size=20))
def test_totals_are_those_of_one_text(numbers: List[float]) -> None:
    """The perplexity of all sentences is that of all their predictions."""
    totals = ScoreTotals()
    for number in numbers:
        results = numpy.array([[[number, 1]], [[number / 2, 1]]], dtype="float32")
        totals = ScoreTotals(**totals.as_json())
        totals.add(score_sentence([], results, MODEL, ScoreStyle()))
    mean = -sum(numbers) / len(numbers)
    assert totals.perplexities == pytest.approx([exp(mean), exp(mean / 2)], rel=1e-4)
    assert totals.perplexity == pytest.approx(exp(0.75 * mean), rel=1e-4)
    assert totals.num_counted == len(numbers) and totals.num_tokens == 0


def test_totals_count_words() -> None:
    """Tokens and unknown ones are counted, and the predictions that count."""
    totals = ScoreTotals()
    totals.add(_scored(leaves_out=True))
    totals.add(_scored())
    assert (totals.num_tokens, totals.num_unknown, totals.num_counted) == (6, 2, 7)
