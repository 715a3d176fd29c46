"""The activation cache that caches nothing."""

from typing import Any, List

import torch
from allennlp.common import Params

from allennlp_elmo_plugin import ActivationCache, ElmoEncoder, EncodedSentences, NoActivationCache
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch
from tests.support.sentences import spell


class _Encoder(ElmoEncoder):
    """An encoder that remembers its calls and says nothing about caching."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: List[Any] = []

    def forward(self, *arguments: Any) -> EncodedSentences:
        self.calls.append(arguments)
        return EncodedSentences(torch.ones(1), torch.ones(1))


def test_it_is_the_default() -> None:
    """A config that names no activation cache gets this one."""
    assert isinstance(ActivationCache.from_params(Params({})), NoActivationCache)


def test_every_batch_is_encoded() -> None:
    """The encoder gets each batch as it is, and its result is returned."""
    cache, encoder = NoActivationCache(), _Encoder()
    batch = SentenceBatch.from_padded(spell("the cat"), 50)
    results = [cache(encoder, batch, 2) for _ in range(2)]
    assert encoder.calls == [(batch, 2)] * 2
    assert results[0] is not results[1] and isinstance(results[0], EncodedSentences)


def test_any_encoder_will_do() -> None:
    """An encoder that could not be cached is accepted, and there is nothing to write or to say."""
    cache = NoActivationCache()
    cache.require_cacheable(_Encoder())
    cache.flush()
    assert cache.summary() is None and not cache.state_dict()
