"""The engine of scores."""

from pathlib import Path
from typing import Any, List

import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.kernels import choose_kernels
from allennlp_elmo_plugin.scoring.scorer import ElmoScorer
from tests.support.scores import VOCABULARY, oracle_scores, write_language_model

SENTENCES: List[List[str]] = [
    ["the", "rain", "falls", "."],
    ["a", "caf\u00e9"],
    [],
    ["zebra", "rain", "zebra", "<UNK>", "the", "sun", "falls"],
    ["hills"],
]
needs_kernels = pytest.mark.skipif(choose_kernels() is None, reason="there are no kernels")


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language_model(tmp_path_factory.mktemp("lm"))


def _scorer(folder: Path, **options: Any) -> ElmoScorer:
    return ElmoScorer.load(folder, **{"initial_state": "zero", **options})


# There are no kernels for vectors of 12.
@pytest.mark.parametrize("projection_dim", [16, 12])
def test_scores_are_those_of_the_oracle(tmp_path: Path, projection_dim: int) -> None:
    """Log probabilities and ranks of tokens and boundaries in both directions."""
    folder = write_language_model(tmp_path, projection_dim=projection_dim)
    for sentence, found in zip(SENTENCES, _scorer(folder).score(SENTENCES)):
        expected = oracle_scores(folder, sentence)
        assert found.dtype == numpy.float32 and found.shape == (2, len(sentence) + 1, 2)
        assert numpy.allclose(found[..., 0], expected[..., 0], rtol=1e-5, atol=1e-5)
        assert numpy.array_equal(found[..., 1], expected[..., 1])


def test_a_direction_sees_its_side_alone(folder: Path) -> None:
    """A changed token changes what is predicted after it in a direction, and its own score."""
    sentence = ["the", "rain", "falls", "."]
    changed = ["the", "sun", "falls", "."]
    one, other = _scorer(folder).score([sentence, changed])
    differs = (one[..., 0] != other[..., 0]).tolist()
    assert differs == [[False, True, True, True, True], [True, True, False, False, True]]


def test_an_empty_sentence_has_its_boundaries(folder: Path) -> None:
    """Each direction predicts the boundary at which it ends."""
    (found,) = _scorer(folder).score([[]])
    assert found.shape == (2, 1, 2) and (found[..., 0] < 0).all()


def test_unknown_words_have_the_scores_of_one_class(folder: Path) -> None:
    """Their predictions are those of `<UNK>`, though they are spelled differently."""
    one, other = _scorer(folder).score([["rain", "zebra"], ["rain", "<UNK>"]])
    # The forward direction has not read the word when it predicts it.
    assert numpy.array_equal(one[0, 1], other[0, 1])
    assert not numpy.array_equal(one[1, 0], other[1, 0])


@needs_kernels
@pytest.mark.parametrize("state", ["zero", "warm"])
def test_a_sentence_has_the_same_bits_in_any_batch(folder: Path, state: str) -> None:
    """Scores do not depend on the sentences beside it."""
    scorer = _scorer(folder, initial_state=state)
    together = scorer.score(SENTENCES)
    alone = [scorer.score([sentence])[0] for sentence in SENTENCES]
    small = _scorer(folder, initial_state=state, max_tokens=1).score(reversed(SENTENCES))
    for one, *others in zip(together, alone, reversed(small)):
        assert all(numpy.array_equal(one, other) for other in others)


def test_long_batches_are_split_between_sentences(folder: Path) -> None:
    """More predictions than the softmax takes at a time come in their order."""
    found = _scorer(folder).score(SENTENCES * 60)
    for number, scores in enumerate(found):
        assert numpy.allclose(scores, found[number % len(SENTENCES)], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("context", [0, 1, 3, 20])
def test_a_context_is_limited(folder: Path, context: int) -> None:
    """Each token is predicted as if its sentence began or ended so many tokens away."""
    sentence = SENTENCES[3]
    (found,) = _scorer(folder, context=context).score([sentence])
    for at in range(len(sentence)):
        start = max(0, at - context)
        around = oracle_scores(folder, sentence[start : at + context + 1])
        assert numpy.allclose(found[:, at], around[:, at - start], rtol=1e-5, atol=1e-5)
    before = oracle_scores(folder, sentence[max(0, len(sentence) - context) :])
    after = oracle_scores(folder, sentence[:context])
    assert numpy.allclose(found[0, -1], before[0, -1], rtol=1e-5, atol=1e-5)
    assert numpy.allclose(found[1, -1], after[1, -1], rtol=1e-5, atol=1e-5)


def test_a_context_beyond_the_sentence_changes_nothing(folder: Path) -> None:
    """The whole sentence is the largest context."""
    limited, whole = (_scorer(folder, context=each).score(SENTENCES) for each in (50, None))
    for one, other in zip(limited, whole):
        assert numpy.allclose(one, other, rtol=1e-5, atol=1e-5)


def test_a_context_needs_sentences_that_stand_alone(folder: Path) -> None:
    """The initial state `carry` is refused."""
    with pytest.raises(ConfigurationError, match="Got a 'context'.*another initial state"):
        _scorer(folder, context=2, initial_state="carry")
    with pytest.raises(ConfigurationError, match="at least 0, got -1"):
        _scorer(folder, context=-1)


def test_carried_states_change_the_scores(folder: Path) -> None:
    """With `carry`, the same sentence has other scores after others."""
    scorer = _scorer(folder, initial_state="carry", batch_size=1)
    first, _, again = scorer.score([SENTENCES[0], SENTENCES[1], SENTENCES[0]])
    assert not numpy.allclose(first[..., 0], again[..., 0], atol=1e-4)


def test_a_digest_tells_models_apart(folder: Path, tmp_path: Path) -> None:
    """Other weights, another softmax or another vocabulary have another digest."""
    digests = {_scorer(folder).digest(), _scorer(folder).digest()}
    assert len(digests) == 1
    digests.add(_scorer(write_language_model(tmp_path / "weights", seed=9)).digest())
    other = write_language_model(tmp_path / "words")
    words = "\n".join([*VOCABULARY[:-1], "sea"])
    (other / "vocabulary.txt").write_text(words, encoding="utf-8")
    digests.add(_scorer(other).digest())
    assert len(digests) == 3


def test_a_batch_that_does_not_fit_into_memory_is_halved(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scores are those of the whole batch."""
    scorer = _scorer(folder)
    expected = scorer.score(SENTENCES)
    score = type(scorer.language_model.distribution).score

    def small(self: Any, vectors: torch.Tensor, words: torch.Tensor) -> Any:
        if len(vectors) > 9:
            raise RuntimeError("out of memory")
        return score(self, vectors, words)

    monkeypatch.setattr(type(scorer.language_model.distribution), "score", small)
    for one, other in zip(scorer.score(SENTENCES), expected):
        assert numpy.allclose(one, other, rtol=1e-5, atol=1e-5)
