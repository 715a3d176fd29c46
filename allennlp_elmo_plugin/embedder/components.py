"""
The components of an `Elmo`, built from AllenNLP's parameters and from a config's own components.
"""

from typing import Any, Dict, List, Optional

from allennlp.common import Lazy, Params
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.archive.facts import is_extracted_archive
from allennlp_elmo_plugin.embedder.bilm_encoder import BilmEncoder
from allennlp_elmo_plugin.embedder.builtin_draws import make_builtin_draws
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder
from allennlp_elmo_plugin.embedder.scalar_mix import ScalarMix
from allennlp_elmo_plugin.embedder.word_cache.base import WordCache
from allennlp_elmo_plugin.embedder.word_cache.vocabulary import VocabularyWordCache

__all__ = ["build_encoder", "build_scalar_mix", "refuse_values_handed_over"]


def build_encoder(
    options_file: Optional[str],
    weight_file: Optional[str],
    requires_grad: bool = False,
    vocab_to_cache: Optional[List[str]] = None,
    encoder: Optional[Lazy[ElmoEncoder]] = None,
    word_cache: Optional[WordCache] = None,
    serialization_dir: Optional[str] = None,
) -> ElmoEncoder:
    """
    Builds an encoder and, for a training, makes the random draws of AllenNLP's class.

    # Parameters

    options_file, weight_file, requires_grad, vocab_to_cache :
        AllenNLP's parameters; see `Elmo`.
    encoder, word_cache, serialization_dir :
        The components of a config, and the folder of an archive; see `Elmo`.

    # Returns

    `ElmoEncoder`

    # Raises

    `ConfigurationError`
        When a value is given in two ways, or a file is missing, damaged or does not fit.
    """
    if vocab_to_cache is not None:
        _refuse_both("vocab_to_cache", "word_cache", word_cache is not None)
        word_cache = VocabularyWordCache(vocab_to_cache)
    built = (encoder or Lazy(ElmoEncoder)).construct(
        options_file=options_file,
        weight_file=weight_file,
        requires_grad=requires_grad,
        serialization_dir=serialization_dir,
        **_if_given("word_cache", word_cache),
    )
    # So that a training takes the built-in's course from the same seed.
    if isinstance(built, BilmEncoder) and not is_extracted_archive(serialization_dir):
        make_builtin_draws(built.bilm.options)
    return built


def build_scalar_mix(
    num_representations: int,
    do_layer_norm: bool = False,
    scalar_mix_parameters: Optional[List[float]] = None,
    scalar_mix: Optional[Lazy[ScalarMix]] = None,
) -> ScalarMix:
    """
    Builds a mix of an encoder's layers.

    # Parameters

    num_representations : `int`
        The number of layers, the token layer included.
    do_layer_norm, scalar_mix_parameters :
        AllenNLP's parameters; see `Elmo`.
    scalar_mix :
        The component of a config; see `Elmo`.

    # Returns

    `ScalarMix`

    # Raises

    `ConfigurationError`
        When a value is given in two ways, or does not fit the number of layers.
    """
    if scalar_mix_parameters is not None:
        _refuse_both("scalar_mix_parameters", "scalar_mix", scalar_mix is not None)
        scalar_mix = Lazy(
            ScalarMix, Params({"type": "fixed", "scalar_parameters": scalar_mix_parameters})
        )
    return (scalar_mix or Lazy(ScalarMix)).construct(
        num_representations=num_representations,
        **_if_given("do_layer_norm", do_layer_norm or None),
    )


def refuse_values_handed_over(params: Params) -> None:
    """
    Raises an error if the config of a component sets a value that it is handed.

    # Parameters

    params : `Params`
        The config around `encoder` and `scalar_mix`: that of a token embedder or of an `Elmo`.

    # Raises

    `ConfigurationError`
        When it sets such a value.
    """
    for name, keys in _handed_over(params).items():
        component = params.get(name)
        for key in keys:
            if isinstance(component, Params) and key in component:
                raise ConfigurationError(
                    f"Got '{key}' inside '{name}', which gets its '{key}' from the config around "
                    "it. Keep it there, beside the other parameters."
                )


def _handed_over(params: Params) -> Dict[str, List[str]]:
    """Returns the values that each component is handed, by its name."""
    handed_over = {
        "encoder": ["options_file", "weight_file", "requires_grad", "serialization_dir"],
        "scalar_mix": ["num_representations"],
    }
    if params.get("word_cache") is not None or params.get("vocab_to_cache") is not None:
        handed_over["encoder"].append("word_cache")
    if params.get("do_layer_norm"):
        handed_over["scalar_mix"].append("do_layer_norm")
    return handed_over


def _refuse_both(first: str, second: str, second_is_given: bool) -> None:
    if second_is_given:
        raise ConfigurationError(
            f"Got both '{first}' and '{second}', which mean the same thing. Keep one of them."
        )


def _if_given(name: str, value: Optional[Any]) -> Dict[str, Any]:
    """Returns a keyword argument, or none if the value is `None`."""
    return {} if value is None else {name: value}
