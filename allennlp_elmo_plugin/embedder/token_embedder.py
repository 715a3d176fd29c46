"""
The token embedder, which mixes the layers of a biLM.
"""

from typing import Any, List, Optional

import torch
from allennlp.common import Lazy, Params
from allennlp.common.checks import ConfigurationError
from allennlp.modules import TokenEmbedder
from allennlp.modules.token_embedders.elmo_token_embedder import (
    ElmoTokenEmbedder as BuiltInEmbedder,
)
from overrides import overrides

from allennlp_elmo_plugin.embedder.activation_cache.base import ActivationCache
from allennlp_elmo_plugin.embedder.components import refuse_values_handed_over
from allennlp_elmo_plugin.embedder.elmo import Elmo
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder
from allennlp_elmo_plugin.embedder.scalar_mix import LearnedScalarMix, ScalarMix
from allennlp_elmo_plugin.embedder.word_cache.base import WordCache

__all__ = ["ElmoTokenEmbedder"]

PUBLISHED = (
    "https://allennlp.s3.amazonaws.com/models/elmo/2x4096_512_2048cnn_2xhighway/"
    "elmo_2x4096_512_2048cnn_2xhighway_"
)


@TokenEmbedder.register("elmo_token_embedder", exist_ok=True)
class ElmoTokenEmbedder(BuiltInEmbedder):
    """
    A token embedder with ELMo (Peters et al., 2018).

    It is a drop-in for AllenNLP's built-in embedder of the same name. The first eight parameters
    are the built-in's; the others name the components that some of the eight are shorthands for.
    Giving a value in both ways is an error. To build an embedder from components in Python, use
    `from_parts`.

    Registered as a `TokenEmbedder` with name "elmo_token_embedder", in place of the built-in.

    # Parameters

    options_file : `str`, optional (default = the published 2x4096_512 model)
        The biLM's options: a path, a URL, a folder or archive that holds them, or a name such as
        `published:original` or `pretrained:small`.
    weight_file : `str`, optional (default = the published 2x4096_512 model)
        The biLM's weights: the same. `allennlp elmo-models` lists the names.
    do_layer_norm : `bool`, optional (default = `False`)
        If `True`, the scalar mix normalizes each layer first.
    dropout : `float`, optional (default = `0.5`)
        Probability of dropping each element of the mixed vectors in training, in [0, 1).
    requires_grad : `bool`, optional (default = `False`)
        If `True`, train the biLM.
    projection_dim : `int`, optional (default = `None`)
        Size of a linear layer that projects the mixed vectors. `None` is no projection.
    vocab_to_cache : `List[str]`, optional (default = `None`)
        Shorthand for the `word_cache` `{"type": "vocabulary", "words": vocab_to_cache}`.
    scalar_mix_parameters : `List[float]`, optional (default = `None`)
        Shorthand for the `scalar_mix`
        `{"type": "fixed", "scalar_parameters": scalar_mix_parameters}`.
    encoder : `Lazy[ElmoEncoder]`, optional (default = `Lazy(ElmoEncoder)`)
        The encoder that computes the layers. It gets `options_file`, `weight_file` and
        `requires_grad` from the embedder.
    scalar_mix : `Lazy[ScalarMix]`, optional (default = `Lazy(ScalarMix)`)
        The mix of the layers. It gets their number and `do_layer_norm` from the embedder.
    word_cache : `WordCache`, optional (default = `None`)
        The cache of word vectors, handed to the encoder, whose default is `lru`.
    activation_cache : `ActivationCache`, optional (default = `NoActivationCache()`)
        The cache of whole sentences' layers.
    keep_sentence_boundaries : `bool`, optional (default = `False`)
        If `True`, the vectors of `<S>` and `</S>` stay: the output is then two tokens longer than
        the input. AllenNLP's models expect as many vectors as tokens.
    serialization_dir : `str`, optional (default = `None`)
        Folder of an archive that is being loaded, handed to the encoder. AllenNLP fills it in.

    # Raises

    `ConfigurationError`
        When a value is given in two ways, or a file is missing, damaged or does not fit.
    """

    def __init__(
        self,
        options_file: str = PUBLISHED + "options.json",
        weight_file: str = PUBLISHED + "weights.hdf5",
        do_layer_norm: bool = False,
        dropout: float = 0.5,
        requires_grad: bool = False,
        projection_dim: Optional[int] = None,
        vocab_to_cache: Optional[List[str]] = None,
        scalar_mix_parameters: Optional[List[float]] = None,
        *,
        encoder: Optional[Lazy[ElmoEncoder]] = None,
        scalar_mix: Optional[Lazy[ScalarMix]] = None,
        word_cache: Optional[WordCache] = None,
        activation_cache: Optional[ActivationCache] = None,
        keep_sentence_boundaries: bool = False,
        serialization_dir: Optional[str] = None,
    ) -> None:
        # Not AllenNLP's own constructor, which reads the files.
        TokenEmbedder.__init__(self)
        elmo = Elmo(
            options_file,
            weight_file,
            num_output_representations=1,
            requires_grad=requires_grad,
            do_layer_norm=do_layer_norm,
            dropout=dropout,
            vocab_to_cache=vocab_to_cache,
            keep_sentence_boundaries=keep_sentence_boundaries,
            scalar_mix_parameters=scalar_mix_parameters,
            encoder=encoder,
            scalar_mix=scalar_mix,
            word_cache=word_cache,
            activation_cache=activation_cache,
            serialization_dir=serialization_dir,
        )
        self._assemble(elmo, projection_dim)

    @classmethod
    def from_parts(
        cls,
        encoder: ElmoEncoder,
        scalar_mix: Optional[ScalarMix] = None,
        activation_cache: Optional[ActivationCache] = None,
        dropout: float = 0.5,
        projection_dim: Optional[int] = None,
        keep_sentence_boundaries: bool = False,
    ) -> "ElmoTokenEmbedder":
        """
        Builds an embedder from components.

        # Parameters

        encoder : `ElmoEncoder`
            The encoder that computes the layers, such as a `BilmEncoder`.
        scalar_mix : `ScalarMix`, optional (default = `LearnedScalarMix(num_representations)`)
            The mix of the layers.
        activation_cache : `ActivationCache`, optional (default = `NoActivationCache()`)
            The cache of whole sentences' layers.
        dropout : `float`, optional (default = `0.5`)
            Probability of dropping each element of the mixed vectors in training, in [0, 1).
        projection_dim : `int`, optional (default = `None`)
            Size of a linear layer that projects the mixed vectors. `None` is no projection.
        keep_sentence_boundaries : `bool`, optional (default = `False`)
            If `True`, the vectors of `<S>` and `</S>` stay.

        # Returns

        `ElmoTokenEmbedder`

        # Raises

        `ConfigurationError`
            When the components do not fit each other.
        """
        embedder = cls.__new__(cls)
        TokenEmbedder.__init__(embedder)
        mix = scalar_mix or LearnedScalarMix(encoder.num_representations)
        elmo = Elmo.from_parts(encoder, [mix], activation_cache, dropout, keep_sentence_boundaries)
        embedder._assemble(elmo, projection_dim)
        return embedder

    @classmethod
    @overrides
    def from_params(cls, params: Params, *args: Any, **extras: Any) -> "ElmoTokenEmbedder":
        """
        Builds an embedder from a config.

        # Parameters

        params : `Params`
            The config.
        args, extras :
            Further arguments that AllenNLP passes.

        # Returns

        `ElmoTokenEmbedder`

        # Raises

        `ConfigurationError`
            When the config of a component sets a value that the embedder hands over.
        """
        refuse_values_handed_over(params)
        return super().from_params(params, *args, **extras)

    def _assemble(self, elmo: Elmo, projection_dim: Optional[int]) -> None:
        if projection_dim is not None and projection_dim < 1:
            raise ConfigurationError(
                f"Expected 'projection_dim' to be at least 1, got {projection_dim}. Leave it out "
                "for vectors that are not projected."
            )
        self._elmo: Elmo = elmo
        self._projection: Optional[torch.nn.Linear] = None  # type: ignore[assignment]
        self.output_dim: int = projection_dim or elmo.get_output_dim()
        if projection_dim is not None:
            self._projection = torch.nn.Linear(elmo.get_output_dim(), projection_dim)

    @property
    def encoder(self) -> ElmoEncoder:
        """The encoder that computes the layers."""
        return self._elmo.encoder

    @property
    def scalar_mix(self) -> ScalarMix:
        """The mix of the layers."""
        return self._elmo.scalar_mixes[0]

    @property
    def activation_cache(self) -> ActivationCache:
        """The cache of whole sentences' layers."""
        return self._elmo.activation_cache

    @overrides
    def get_output_dim(self) -> int:
        """Returns the size of each vector: `projection_dim`, or twice that of the biLM."""
        return self.output_dim

    def forward(
        self, elmo_tokens: torch.Tensor, word_inputs: Optional[torch.Tensor] = None
    ) -> torch.Tensor:
        """
        Embeds tokens.

        # Parameters

        elmo_tokens, word_inputs :
            `inputs` and `word_inputs` of `Elmo.forward`.

        # Returns

        `torch.Tensor`
            Shape (batch, ..., timesteps, output_dim), float32; two timesteps more with
            `keep_sentence_boundaries`. Before dropout and projection, padded positions are
            exactly 0.

        # Raises

        `ConfigurationError`
            When a shape, a dtype or an id is not as described.
        """
        vectors = self._elmo(elmo_tokens, word_inputs)["elmo_representations"][0]
        return vectors if self._projection is None else self._projection(vectors)
