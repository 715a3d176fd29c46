"""The character CNN, word by word against NumPy."""

from pathlib import Path
from typing import Any, Dict

import numpy
import pytest
import torch

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from allennlp_elmo_plugin.kernels import available_kernels, use_kernels
from allennlp_elmo_plugin.network.char_cnn import CharCnn
from tests.support.elmo_files import elmo_arrays, elmo_options, write_elmo_files
from tests.support.oracle import Oracle
from tests.support.sentences import spell_words
from tests.support.words import WORD_LIST

TOLERANCE = 1e-5
OPTIONS = ElmoOptions(((1, 16), (3, 32)), projection_dim=24, cell_size=16, num_layers=1)

SHAPES: Dict[str, Dict[str, Any]] = {
    "relu": {},
    "tanh": {"activation": "tanh"},
    "no highway layers": {"n_highway": 0},
    "two highway layers": {"n_highway": 2},
    "kernels": {"filters": ((1, 16), (2, 32)), "projection_dim": 16, "cell_size": 32},
    "no kernels": {"filters": ((1, 4), (3, 5))},
    "filters as wide as a word": {"filters": ((1, 16), (8, 16)), "max_characters": 8},
}


@pytest.mark.parametrize("shape", list(SHAPES))
@pytest.mark.parametrize("kernels", available_kernels())
def test_vectors_are_those_of_the_formula(tmp_path: Path, kernels: str, shape: str) -> None:
    """Words of every kind have the vectors that NumPy computes for each of them."""
    files = write_elmo_files(tmp_path, elmo_options(**SHAPES[shape]), seed=3)
    bilm, oracle = ElmoBilm.from_files(*files), Oracle(*files)
    words = spell_words(WORD_LIST, bilm.options.max_characters_per_token)
    with use_kernels(kernels), torch.no_grad():
        found = bilm.char_cnn(words)
    expected = numpy.array([oracle.word_vector(word) for word in WORD_LIST])
    assert found.dtype == torch.float32
    assert numpy.abs(found.numpy() - expected).max() < TOLERANCE


@pytest.mark.parametrize("kernels", available_kernels())
def test_the_projection_may_be_missing(tmp_path: Path, kernels: str) -> None:
    """Without a projection, vectors are those of the highway layers."""
    options = elmo_options(filters=((1, 16), (2, 16)), projection_dim=32, cell_size=48)
    arrays = elmo_arrays(options, seed=4, with_word_projection=False)
    files = write_elmo_files(tmp_path, options, arrays)
    bilm, oracle = ElmoBilm.from_files(*files), Oracle(*files)
    with use_kernels(kernels), torch.no_grad():
        found = bilm.char_cnn(spell_words(WORD_LIST))
    expected = numpy.array([oracle.word_vector(word) for word in WORD_LIST])
    assert numpy.abs(found.numpy() - expected).max() < TOLERANCE


@pytest.mark.parametrize("kernels", available_kernels())
def test_no_words_have_no_vectors(kernels: str) -> None:
    """A batch without words has vectors of the right size, and none of them."""
    with use_kernels(kernels):
        vectors = CharCnn(OPTIONS)(torch.zeros(0, 50, dtype=torch.long))
    assert vectors.shape == (0, 24) and vectors.dtype == torch.float32


@pytest.mark.parametrize("kernels", available_kernels())
def test_every_row_is_computed(kernels: str) -> None:
    """Words need not be distinct: each row has the vector of its own characters."""
    char_cnn, words = CharCnn(OPTIONS).requires_grad_(False), ["cat", "sat", "cat", "", "sat"]
    with use_kernels(kernels):
        vectors = char_cnn(spell_words(words))
        for word, vector in zip(words, vectors):
            assert torch.allclose(char_cnn(spell_words([word]))[0], vector, rtol=0, atol=1e-6)


def test_columns_of_padding_may_be_left_out() -> None:
    """Beside a long word, a short one has the vector that it has among short ones."""
    char_cnn = CharCnn(OPTIONS).requires_grad_(False)
    with use_kernels("plain"):
        short = char_cnn(spell_words(["cat", "a"]))
        mixed = char_cnn(spell_words(["cat", "a", "x" * 48]))
    assert torch.allclose(mixed[:2], short, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kernels", available_kernels())
def test_no_character_is_not_trained(kernels: str) -> None:
    """The character embedding of id 0 gets no gradient, and those that are read get one."""
    char_cnn = CharCnn(OPTIONS)
    with use_kernels(kernels):
        char_cnn(spell_words(["cat"])).pow(2).sum().backward()
    gradient = char_cnn.char_embedding.grad
    assert gradient is not None and not gradient[0].any()
    assert gradient[ord("c") + 1].any() and not gradient[ord("x") + 1].any()


def test_new_weights_are_drawn_as_bilm_tf_draws_them() -> None:
    """Biases are 0, characters lie in [-1, 1], and id 0 has no vector."""
    torch.manual_seed(0)
    char_cnn = CharCnn(OPTIONS)
    characters = char_cnn.char_embedding
    assert not characters[0].any() and 0.9 < characters.abs().max() <= 1
    for convolution in char_cnn.convolutions:
        assert not convolution.bias.any()
        assert 0.04 < convolution.weight.abs().max() <= 0.05
    assert not char_cnn.projection.bias.any()
    assert char_cnn.projection.weight.std().item() == pytest.approx(48**-0.5, rel=0.1)
