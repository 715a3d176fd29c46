"""
ELMo proper: an encoder and the mixes of its layers.
"""

from math import prod
from typing import Any, Dict, List, Optional, Sequence, cast

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.elmo import Elmo as BuiltInElmo
from overrides import overrides

from allennlp_elmo_plugin.embedder.activation_cache.base import ActivationCache
from allennlp_elmo_plugin.embedder.activation_cache.none import NoActivationCache
from allennlp_elmo_plugin.embedder.boundaries import remove_boundaries
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder
from allennlp_elmo_plugin.embedder.scalar_mix import ScalarMix
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch
from allennlp_elmo_plugin.network.tensor_checks import INTEGERS, check_tensor

__all__ = ["Elmo"]


class Elmo(BuiltInElmo):
    """
    An encoder and one or more mixes of its layers.

    The encoder runs once for all mixes. Modules and parameters have the names that they have in
    AllenNLP's `Elmo`.

    # Parameters

    encoder : `ElmoEncoder`
        The encoder that computes the layers.
    scalar_mixes : `Sequence[ScalarMix]`
        The mixes of the layers, one for each representation.
    activation_cache : `ActivationCache`, optional (default = `NoActivationCache()`)
        The cache of whole sentences' layers.
    dropout : `float`, optional (default = `0.5`)
        Probability of dropping each element of the mixed vectors in training, in [0, 1].
    keep_sentence_boundaries : `bool`, optional (default = `False`)
        If `True`, the vectors of `<S>` and `</S>` stay.

    # Raises

    `ConfigurationError`
        When `dropout` is no probability, or the activation cache cannot cache the encoder's layers.
    """

    _elmo_lstm: ElmoEncoder
    _dropout: torch.nn.Dropout
    _keep_sentence_boundaries: bool

    def __init__(
        self,
        encoder: ElmoEncoder,
        scalar_mixes: Sequence[ScalarMix],
        activation_cache: Optional[ActivationCache] = None,
        dropout: float = 0.5,
        keep_sentence_boundaries: bool = False,
    ) -> None:
        # Not AllenNLP's own constructor, which reads files.
        torch.nn.Module.__init__(self)
        if not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
            raise ConfigurationError(
                f"Expected 'dropout' to be a number from 0 to 1, got {dropout!r}."
            )
        # The names and the order of AllenNLP's `Elmo`: optimizers' checkpoints go by the order.
        self._elmo_lstm = encoder
        self._dropout = torch.nn.Dropout(dropout)
        for k, scalar_mix in enumerate(scalar_mixes):
            self.add_module(f"scalar_mix_{k}", scalar_mix)
        self._activation_cache = activation_cache or NoActivationCache()
        self._activation_cache.require_cacheable(encoder)
        self._keep_sentence_boundaries = keep_sentence_boundaries

    @property
    def encoder(self) -> ElmoEncoder:
        """The encoder that computes the layers."""
        return self._elmo_lstm

    @property
    def scalar_mixes(self) -> List[ScalarMix]:
        """The mixes of the layers."""
        named = self._modules.items()
        return [cast(ScalarMix, mix) for name, mix in named if name.startswith("scalar_mix_")]

    @property
    def activation_cache(self) -> ActivationCache:
        """The cache of whole sentences' layers."""
        return self._activation_cache

    @overrides
    def get_output_dim(self) -> int:
        """Returns the size of each vector, twice that of the biLM."""
        return self.encoder.get_output_dim()

    def forward(
        self, inputs: torch.Tensor, word_inputs: Optional[torch.Tensor] = None
    ) -> Dict[str, Any]:
        """
        Computes the mixed vectors of a batch.

        # Parameters

        inputs : `torch.Tensor`
            Shape (batch, ..., timesteps, characters), int64: character ids from the
            `elmo_characters` indexer. A token of zeros is padding; the tokens of a row stand at its
            beginning.
        word_inputs : `torch.Tensor`, optional (default = `None`)
            Shape (batch, ..., timesteps), int64: word ids for the vocabulary word cache, 0 exactly
            at padded positions.

        # Returns

        `Dict[str, Any]`
            `elmo_representations`, a list with a tensor for each mix, of shape
            (batch, ..., timesteps, output_dim), float32, exactly 0 at padded positions before
            dropout; and `mask`, of shape (batch, ..., timesteps), bool, `True` = token. Both have
            two timesteps more with `keep_sentence_boundaries`.

        # Raises

        `ConfigurationError`
            When a shape, a dtype or an id is not as described.
        """
        check_tensor("'elmo_tokens'", inputs, INTEGERS)
        if word_inputs is not None:
            check_tensor("'word_inputs'", word_inputs, INTEGERS, inputs.device)
        if inputs.dim() < 3:
            raise ConfigurationError(
                "Expected 'elmo_tokens' of shape (batch, timesteps, characters), or with more "
                f"dimensions after the batch, got shape {tuple(inputs.shape)}."
            )
        *outer, timesteps, characters = inputs.shape
        batch_size = prod(outer)
        if word_inputs is not None and word_inputs.shape == inputs.shape[:-1]:
            word_inputs = word_inputs.reshape(batch_size, timesteps)
        batch = SentenceBatch.from_padded(
            inputs.reshape(batch_size, timesteps, characters),
            self.encoder.max_characters_per_token,
            word_inputs,
        )
        mixes = self.scalar_mixes
        num_representations = max(mix.num_representations_read() for mix in mixes)
        layers, mask = self.activation_cache(self.encoder, batch, num_representations)
        mixed = [mix(layers, mask) for mix in mixes]
        if not self._keep_sentence_boundaries:
            # A row of n tokens and two boundaries begins with n + 2 positions that are not padding.
            mixed, mask = [remove_boundaries(vectors, batch) for vectors in mixed], mask[:, 2:]
        representations = [self._dropout(vectors) for vectors in mixed]
        return {
            "elmo_representations": [v.view(*outer, *v.shape[1:]) for v in representations],
            "mask": mask.reshape(*outer, mask.size(1)),
        }
