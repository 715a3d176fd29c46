"""Analysing a text with a biLM."""

import math
from pathlib import Path

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.look.analyse import analyse
from allennlp_elmo_plugin.look.neighbours import nearest_contexts
from allennlp_elmo_plugin.scoring.language_model import (
    LanguageModel,
    MissingSoftmaxError,
    load_language_model,
)
from allennlp_elmo_plugin.scoring.scorer import ElmoScorer
from tests.support.look_pages import LM_WORDS, two_periods, write_language_model


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A small language model."""
    folder = tmp_path_factory.mktemp("model")
    write_language_model(folder)
    return load_language_model(folder)


def test_vectors_are_those_of_the_extractor(language_model: LanguageModel) -> None:
    """Neighbours are those of the vectors that `allennlp elmo` writes, for each layer."""
    text = two_periods()
    analysis = analyse(text, language_model.encoder, topn=3, projection=None)
    extractor = ElmoExtractor(language_model.encoder)
    vectors = numpy.concatenate(extractor.embed(text.sentences), axis=1)
    for layer, found in zip(vectors, analysis.contexts):
        assert numpy.array_equal(found.ids, nearest_contexts(layer, 3).ids)
    assert len(analysis.contexts) == len(analysis.words) == 3
    assert analysis.scores is None and analysis.substitutes is None and analysis.planes == {}


def test_surprisals_are_those_of_the_scorer(language_model: LanguageModel) -> None:
    """Each token has its own score in bits, and unknown words are marked."""
    text = two_periods()
    analysis = analyse(text, language_model.encoder, language_model, topn=3, projection=None)
    assert analysis.scores is not None
    scored = ElmoScorer(language_model).score(text.sentences)
    for number, start in enumerate(text.sentence_starts()[:-1]):
        for place in range(len(text.sentences[number])):
            log_probabilities = scored[number][:, place, 0]
            found = analysis.scores.surprisal[:, start + place]
            assert found == pytest.approx(-log_probabilities / math.log(2))
            ranks = analysis.scores.ranks[:, start + place]
            assert ranks.tolist() == scored[number][:, place, 1].tolist()
    expected = [token not in LM_WORDS for token in text.tokens]
    assert analysis.scores.is_unknown.tolist() == expected
    assert analysis.scores.num_words == len(language_model.words)


def test_substitutes_are_words_with_probabilities(language_model: LanguageModel) -> None:
    """Each token has the most probable words of three distributions, sorted."""
    text = two_periods()
    found = analyse(text, language_model.encoder, language_model, topn=3).substitutes
    assert found is not None and found.words == language_model.words
    assert found.rows.shape == found.probabilities.shape == (3, len(text.tokens), 3)
    assert (numpy.diff(found.probabilities, axis=2) <= 0.0).all()
    assert (found.probabilities > 0.0).all() and (found.probabilities.sum(axis=2) <= 1.0).all()


def test_every_layer_has_a_plane(language_model: LanguageModel) -> None:
    """Words that occur three times have a plane for each layer."""
    analysis = analyse(two_periods(), language_model.encoder, topn=3)
    assert {word: len(planes) for word, planes in analysis.planes.items()} == {"coach": 3, ".": 3}


def test_a_folder_without_a_softmax_is_told_from_a_broken_one(tmp_path: Path) -> None:
    """Only if softmax and vocabulary are both missing does a page do without them."""
    write_language_model(tmp_path, has_softmax=False)
    with pytest.raises(MissingSoftmaxError):
        load_language_model(tmp_path)
    (tmp_path / "vocab.txt").write_text("<S>\n</S>\n<UNK>\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        load_language_model(tmp_path)
    assert not isinstance(error.value, MissingSoftmaxError)
