"""The vectors of the words of a dictionary."""

from pathlib import Path

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from allennlp_elmo_plugin.network import char_cnn
from allennlp_elmo_plugin.network.word_table import WordTable
from tests.support.many_langs_files import write_many_langs

WORDS = ["the", "caf\u00e9", "\u0416\u96e8x", "", "<bos>", "overlongwordsandmore"]


@pytest.fixture(name="bilm")
def _bilm(tmp_path: Path) -> ElmoBilm:
    path = write_many_langs(tmp_path)
    return ElmoBilm.from_files(path, path)


def _spelled(bilm: ElmoBilm) -> torch.Tensor:
    return torch.tensor([bilm.options.spelling.spell(word) for word in WORDS])


def _table(bilm: ElmoBilm) -> WordTable:
    assert bilm.char_cnn.word_table is not None
    return bilm.char_cnn.word_table


def test_the_vector_of_a_word_is_added_to_that_of_its_characters(bilm: ElmoBilm) -> None:
    """Without its projection, the table adds nothing; with it, the projected row of the word."""
    spelled, table = _spelled(bilm), _table(bilm)
    with torch.no_grad():
        whole, rows = bilm.char_cnn(spelled), table.embedding[spelled[:, 0]]
        expected = rows @ table.projection.T
        table.projection.zero_()
        assert torch.allclose(whole - bilm.char_cnn(spelled), expected, atol=1e-5)


def test_no_word_has_no_vector_and_no_gradient(bilm: ElmoBilm) -> None:
    """The row of id 0 is zero, and is not trained."""
    table = _table(bilm)
    assert not table(torch.tensor([0])).any()
    table(torch.tensor([0, 3])).sum().backward()
    assert table.embedding.grad is not None
    assert table.embedding.grad.any(dim=1).nonzero().tolist() == [[3]]


def test_a_word_without_a_vector_is_refused(bilm: ElmoBilm) -> None:
    """The error names the largest id."""
    spelled = _spelled(bilm)
    spelled[0, 0] = 11
    with pytest.raises(ConfigurationError, match="word ids from 0 to 10, got others"):
        bilm.char_cnn(spelled)


def test_new_weights_are_drawn(bilm: ElmoBilm) -> None:
    """A biLM of given options has random vectors, and zeros for no word."""
    table = _table(ElmoBilm(bilm.options))
    assert not table.embedding[0].any() and table.embedding[1:].all() and table.projection.all()


@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_large_alphabet_gives_the_numbers_of_a_small_one(
    bilm: ElmoBilm, monkeypatch: pytest.MonkeyPatch, requires_grad: bool
) -> None:
    """The products of a batch's own characters give the vectors and gradients of all products."""
    bilm.requires_grad_(requires_grad)
    results = []
    for largest in (1024, 0):
        monkeypatch.setattr(char_cnn, "MAX_KEPT_CHARACTERS", largest)
        bilm.zero_grad()
        vectors = bilm.char_cnn(_spelled(bilm))
        results.append([vectors])
        if requires_grad:
            vectors.square().sum().backward()
            results[-1] += [weight.grad for weight in bilm.char_cnn.parameters()]
    for small, large in zip(*results):
        assert torch.allclose(small, large, rtol=1e-4, atol=1e-4)


def test_words_without_padding_are_pooled_at_all_positions(
    bilm: ElmoBilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of long words has no padding, which no other character is taken for."""
    spelled = torch.tensor(
        [bilm.options.spelling.spell(word) for word in ("overlongwords", "z" * 60)]
    )
    expected = bilm.char_cnn(spelled)
    monkeypatch.setattr(char_cnn, "MAX_KEPT_CHARACTERS", 0)
    assert torch.allclose(bilm.char_cnn(spelled), expected, atol=1e-5)


def test_a_network_needs_its_dictionary(bilm: ElmoBilm) -> None:
    """Options that were read without the weights cannot make a network."""
    options = ElmoOptions.from_dict(bilm.options.to_dict())
    with pytest.raises(ConfigurationError, match="dictionary of 10 words.*in the weight file"):
        ElmoBilm(options)
