"""The numbers of a page as JSON."""

import json
import re
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.look.page_data import page_data, to_script_json
from tests.support.look_pages import random_analysis, two_periods

TEXT = st.text(st.sampled_from("<>&/!-script\"'\\\u2028\u2029\u00e9\U0001f600"), max_size=12)


@given(st.dictionaries(TEXT, st.lists(TEXT, max_size=3), max_size=2))
def test_any_text_survives_a_script(value: Any) -> None:
    """JSON in a script has no character of HTML, and is read as the same value."""
    text = to_script_json(value)
    assert re.search("[<>&\u2028\u2029]", text) is None
    assert json.loads(text) == value


def test_numbers_are_whole() -> None:
    """Surprisals are tenths of a bit, cosines thousandths, probabilities hundredths of 1%."""
    analysis = random_analysis(two_periods())
    data = page_data(analysis)
    assert analysis.scores is not None and analysis.substitutes is not None
    for direction, found in enumerate(data["scores"]["surprisal"]):
        assert found == pytest.approx(10 * analysis.scores.surprisal[direction], abs=0.5001)
    cosines = analysis.contexts[1].cosines.ravel()
    assert data["contexts"][1]["values"] == pytest.approx(1000 * cosines, abs=0.5001)
    probabilities = 10_000 * analysis.substitutes.probabilities.reshape(3, -1)
    found = [distribution["values"] for distribution in data["substitutes"]["by"]]
    assert numpy.abs(found - probabilities).max() <= 0.5001
    assert re.search(r"\d\.\d", to_script_json({**data, "planes": None})) is None


def test_substitutes_bring_their_own_words() -> None:
    """The page has the words that occur as substitutes, and not the whole vocabulary."""
    analysis = random_analysis(two_periods())
    data = page_data(analysis)["substitutes"]
    assert analysis.substitutes is not None
    rows = analysis.substitutes.rows
    assert len(data["words"]) == len(set(rows.ravel().tolist()))
    for distribution, best in enumerate(data["by"]):
        words = [data["words"][number] for number in best["ids"]]
        assert words == [analysis.substitutes.words[row] for row in rows[distribution].ravel()]


def test_a_model_without_a_softmax_has_no_scores() -> None:
    """Nothing stands in place of the scores and the substitutes."""
    data = page_data(random_analysis(two_periods(), has_softmax=False))
    assert data["scores"] is None and data["substitutes"] is None


def test_a_note_says_what_a_plane_is() -> None:
    """The token layer is one point, and other layers tell their shares of the variance."""
    analysis = random_analysis(two_periods())
    data = page_data(analysis)
    coach = data["planes"][analysis.text.words.index("coach")]
    assert "the same vector" in coach[0]["note"]
    assert re.match(r"PCA: from left to right \d+% of the variance", coach[2]["note"])
