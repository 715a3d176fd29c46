"""The word cache that caches nothing."""

from pathlib import Path

import torch
from allennlp.common import Params

from allennlp_elmo_plugin import NoWordCache, WordCache
from tests.embedder.word_cache.counting import CountingCnn
from tests.support.elmo_files import write_elmo_files
from tests.support.embedders import embedder
from tests.support.sentences import spell, spell_words


def test_a_config_names_it() -> None:
    """A config gets no word cache by its name."""
    assert isinstance(WordCache.from_params(Params({"type": "none"})), NoWordCache)


def test_every_word_is_computed_each_time() -> None:
    """The vectors are the character CNN's own, with their gradients, in each batch."""
    cache, embed, ids = NoWordCache(), CountingCnn(requires_grad=True), spell_words(["the", "cat"])
    for _ in range(2):
        vectors = cache(ids, None, embed)
        assert torch.equal(vectors, ids.float()) and vectors.requires_grad
    assert embed.computed == ids.tolist() * 2


def test_a_trained_character_cnn_has_its_gradients(tmp_path: Path) -> None:
    """Beside a biLM that is trained, every weight of the character CNN gets a gradient."""
    module = embedder(write_elmo_files(tmp_path), word_cache=NoWordCache(), requires_grad=True)
    module(spell("the cat", "sat")).pow(2).sum().backward()
    trained = {
        name: parameter.grad
        for name, parameter in module.named_parameters()
        if "_token_embedder" in name
    }
    assert trained and all(grad is not None and grad.any() for grad in trained.values())
