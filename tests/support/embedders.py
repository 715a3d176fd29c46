"""Embedders of small ELMo models, built from configs."""

import copy
from typing import Any, Dict, Optional, Union

from allennlp.common import Params

from allennlp_elmo_plugin import ActivationCache, ElmoTokenEmbedder, WordCache
from tests.support.elmo_files import ElmoFiles

__all__ = ["embedder"]


def embedder(
    files: ElmoFiles,
    cache: Optional[ActivationCache] = None,
    word_cache: Union[WordCache, Dict[str, Any], str, None] = None,
    **parameters: Any,
) -> ElmoTokenEmbedder:
    """
    Builds an embedder that drops nothing out.

    # Parameters

    files : `ElmoFiles`
        Files of the biLM.
    cache : `ActivationCache`, optional (default = `None`)
        Activation cache; `None` is the embedder's own default, which caches nothing.
    word_cache : `Union[WordCache, Dict[str, Any], str]`, optional (default = `None`)
        Word cache or its config; `None` is the encoder's own default.
    **parameters
        Other parameters of `ElmoTokenEmbedder` as in a config, such as
        `encoder={"initial_state": {"type": "warm"}}`.

    # Returns

    `ElmoTokenEmbedder`
        Embedder in training mode, like any new module.
    """
    config = {"dropout": 0.0, **files._asdict(), **copy.deepcopy(parameters)}
    objects: Dict[str, Any] = {}
    if cache is not None:
        objects["activation_cache"] = cache
    if isinstance(word_cache, WordCache):
        objects["word_cache"] = word_cache
    elif word_cache is not None:
        config["word_cache"] = copy.deepcopy(word_cache)
    return ElmoTokenEmbedder.from_params(Params(config), **objects)
