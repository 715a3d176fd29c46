"""Counting the sentences of an input."""

from typing import List

from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.inputs.survey import Survey, SurveyCounts
from allennlp_elmo_plugin.extraction.sentence import Sentence

TEXT = st.text('a"\\[], \0\u00e9\U0001f600', max_size=3)
SENTENCES = st.lists(st.builds(Sentence, st.lists(TEXT, max_size=3), TEXT, TEXT), max_size=3)


def survey(sentences: List[Sentence]) -> Survey:
    """Returns the survey of sentences."""
    counts = SurveyCounts()
    for sentence in sentences:
        counts.add(sentence)
    return counts.result()


@given(SENTENCES)
def test_sentences_and_tokens_are_counted(sentences: List[Sentence]) -> None:
    """A corpus may be empty."""
    lengths = [len(sentence.tokens) for sentence in sentences]
    expected = (len(lengths), sum(lengths), max(lengths, default=0))
    assert survey(sentences)[:3] == expected


@given(SENTENCES, SENTENCES)
def test_the_digest_differs_where_the_content_does(
    left: List[Sentence], right: List[Sentence]
) -> None:
    """Keys, tokens, texts and the places where they end all count."""
    assert (survey(left).digest == survey(right).digest) == (left == right)


def test_the_digest_stays_the_same_from_run_to_run() -> None:
    """A run that is resumed compares it with that of an earlier process."""
    digest = survey([Sentence(["It", "rains"], "0", "It rains")]).digest
    assert digest == "e9573c9797b7f2938fa656a92da13f68"
