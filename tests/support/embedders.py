"""Embedders of small ELMo models, built from configs of their components."""

import copy
from typing import Any, Dict, Optional

from allennlp.common import Lazy, Params

from allennlp_elmo_plugin import (
    ActivationCache,
    ElmoEncoder,
    ElmoTokenEmbedder,
    ScalarMix,
    WordCache,
)
from tests.support.elmo_files import ElmoFiles

__all__ = ["embedder"]

LAZY = {"encoder": ElmoEncoder, "scalar_mix": ScalarMix}


def embedder(
    files: ElmoFiles,
    cache: Optional[ActivationCache] = None,
    word_cache: Optional[WordCache] = None,
    **parameters: Any,
) -> ElmoTokenEmbedder:
    """
    Builds an embedder that drops nothing out.

    # Parameters

    files : `ElmoFiles`
        Files of the biLM.
    cache : `ActivationCache`, optional (default = `None`)
        Activation cache; `None` is the embedder's own default, which caches nothing.
    word_cache : `WordCache`, optional (default = `None`)
        Word cache; `None` is the encoder's own default.
    **parameters
        Other parameters of `ElmoTokenEmbedder`, with `encoder` and `scalar_mix` as in a config:
        `encoder={"initial_state": {"type": "warm"}}`.

    # Returns

    `ElmoTokenEmbedder`
        Embedder in training mode, like any new module.
    """
    arguments: Dict[str, Any] = {"dropout": 0.0, **files._asdict(), **parameters}
    for name, component in LAZY.items():
        config = arguments.get(name)
        if config is not None:
            config = {"type": config} if isinstance(config, str) else copy.deepcopy(config)
            arguments[name] = Lazy(component, Params(config))
    return ElmoTokenEmbedder(**arguments, activation_cache=cache, word_cache=word_cache)
