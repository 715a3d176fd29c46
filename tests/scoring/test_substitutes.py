"""SubstituteFinder, beside a softmax over the whole vocabulary in NumPy."""

from pathlib import Path
from typing import List

import numpy
import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin.scoring.substitutes import DISTRIBUTIONS, SubstituteFinder
from tests.support.softmax_files import SOFTMAX_WORDS, SoftmaxOracle, write_softmax_files

SPECIALS = ("<S>", "</S>", "<UNK>", "<PAD>")
TEXT = [
    ["the", "old", "rain", "falls", "slowly", "on", "the", "hills", "."],
    ["sun"],
    ["umbrellas", "and", "café", "雨", "over", "Lisbon"],
    [],
    ["warm", "warm", "warm"],
]
NUM_CANDIDATES = len(SOFTMAX_WORDS) - 3


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module", name="oracle")
def _oracle(folder: Path) -> SoftmaxOracle:
    return write_softmax_files(folder / "lm")


@pytest.fixture(scope="module", name="finder")
def _finder(folder: Path, oracle: SoftmaxOracle) -> SubstituteFinder:
    return SubstituteFinder.load(folder / "lm", topn=5, initial_state="zero")


def _assert_equal(found: numpy.ndarray, probabilities: numpy.ndarray, excluded: List[str]) -> None:
    """Compares the candidates of one place with a distribution."""
    topn = len(found)
    allowed = [row for row, word in enumerate(SOFTMAX_WORDS) if word not in excluded]
    expected = sorted(allowed, key=lambda row: -probabilities[row])[:topn]
    assert found[:, 0].tolist() == expected
    numpy.testing.assert_allclose(found[:, 1], numpy.log(probabilities[expected]), atol=1e-5)


@pytest.mark.parametrize("topn", [1, 5, NUM_CANDIDATES])
def test_candidates_are_those_of_the_oracle(folder: Path, oracle: SoftmaxOracle, topn: int) -> None:
    """Numbers of words and log probabilities, by all three distributions."""
    finder = SubstituteFinder.load(folder / "lm", topn=topn, initial_state="zero")
    for tokens, found in zip(TEXT, finder.find(TEXT)):
        assert found.shape == (3, len(tokens), topn, 2) and found.dtype == numpy.float32
        for by, distribution in enumerate(oracle.distributions(tokens)):
            for position, probabilities in enumerate(distribution):
                _assert_equal(found[by, position], probabilities, list(SPECIALS))


def test_the_token_can_be_left_out(folder: Path, oracle: SoftmaxOracle) -> None:
    """The others keep their order and their probabilities, also where the token is unknown."""
    finder = SubstituteFinder.load(
        folder / "lm", topn=NUM_CANDIDATES - 1, initial_state="zero", keeps_token=False
    )
    for tokens, found in zip(TEXT, finder.find(TEXT)):
        for by, distribution in enumerate(oracle.distributions(tokens)):
            for position, (token, probabilities) in enumerate(zip(tokens, distribution)):
                _assert_equal(found[by, position], probabilities, [*SPECIALS, token])


@pytest.mark.parametrize("by", [("combined",), ("backward", "forward")])
def test_distributions_come_as_asked(finder: SubstituteFinder, by: List[str]) -> None:
    """Fewer distributions, or in another order, have the same candidates."""
    some = SubstituteFinder(finder.language_model, topn=5, by=by)
    rows = [DISTRIBUTIONS.index(name) for name in by]
    for found, expected in zip(some.find(TEXT), finder.find(TEXT)):
        assert (found == expected[rows]).all()


def test_excluded_words_keep_their_probability(finder: SubstituteFinder) -> None:
    """Nothing is excluded, so the probabilities of all words have the sum 1."""
    everything = SubstituteFinder(finder.language_model, topn=len(SOFTMAX_WORDS), excluded_words=())
    for found in everything.find(TEXT):
        sums = numpy.exp(found[..., 1].astype("float64")).sum(axis=-1)
        numpy.testing.assert_allclose(sums, 1.0, atol=1e-5)


def test_a_padding_word_is_no_candidate(tmp_path: Path) -> None:
    """AllenNLP's vocabularies have one."""
    write_softmax_files(tmp_path / "lm", [*SOFTMAX_WORDS, "<PAD>"])
    finder = SubstituteFinder.load(tmp_path / "lm", topn=NUM_CANDIDATES)
    assert len(SOFTMAX_WORDS) not in finder.find([["the"]])[0][..., 0]


@given(st.lists(st.lists(st.sampled_from(SOFTMAX_WORDS), max_size=12), max_size=8))
@settings(deadline=None, max_examples=25)
def test_a_sentence_has_the_same_bits_in_any_batch(
    finder: SubstituteFinder, sentences: List[List[str]]
) -> None:
    """With the kernels, neither its batch nor the caches change it."""
    together = finder.find(sentences)
    for tokens, found in zip(sentences, together):
        assert numpy.array_equal(finder.find([tokens])[0], found)


def test_results_of_the_stream_have_rows_of_numbers(finder: SubstituteFinder) -> None:
    """Candidates lie in pairs, as an output file takes them."""
    streamed = list(finder.stream(TEXT))
    assert [found.shape for found in streamed] == [(3, len(tokens), 10) for tokens in TEXT]
    for found, expected in zip(streamed, finder.find(TEXT)):
        assert (finder.candidates(found) == expected).all()


@pytest.mark.parametrize("topn", [0, NUM_CANDIDATES + 1])
def test_more_candidates_than_words_are_an_error(finder: SubstituteFinder, topn: int) -> None:
    """The error says how many there can be."""
    with pytest.raises(
        ConfigurationError, match=f"'topn' to be from 1 to {NUM_CANDIDATES}, .*{topn}"
    ):
        SubstituteFinder(finder.language_model, topn=topn)
    with pytest.raises(ConfigurationError, match=f"from 1 to {NUM_CANDIDATES - 1},"):
        SubstituteFinder(finder.language_model, topn=NUM_CANDIDATES, keeps_token=False)


@pytest.mark.parametrize("by", [(), ("forwards",), ("forward", "forward")])
def test_unknown_distributions_are_an_error(finder: SubstituteFinder, by: List[str]) -> None:
    """The error lists those that there are."""
    with pytest.raises(ConfigurationError, match="forward, backward, combined, each once, got"):
        SubstituteFinder(finder.language_model, by=by)


def test_settings_tell_finders_apart(finder: SubstituteFinder) -> None:
    """A run that resumes compares them."""
    other = SubstituteFinder(finder.language_model, topn=5, keeps_token=False)
    assert other.settings() != finder.settings() and other.digest() == finder.digest()
