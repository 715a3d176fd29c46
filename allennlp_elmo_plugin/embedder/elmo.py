"""
ELMo proper: an encoder and the mixes of its layers.
"""

from math import prod
from typing import Any, Dict, List, Optional, Sequence, cast

import torch
from allennlp.common import Lazy, Params
from allennlp.common.checks import ConfigurationError
from allennlp.modules.elmo import Elmo as BuiltInElmo
from overrides import overrides

from allennlp_elmo_plugin.embedder.activation_cache.base import ActivationCache
from allennlp_elmo_plugin.embedder.activation_cache.none import NoActivationCache
from allennlp_elmo_plugin.embedder.boundaries import remove_boundaries
from allennlp_elmo_plugin.embedder.components import (
    build_encoder,
    build_scalar_mix,
    refuse_values_handed_over,
)
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder
from allennlp_elmo_plugin.embedder.module_encoder import ModuleEncoder
from allennlp_elmo_plugin.embedder.scalar_mix import ScalarMix
from allennlp_elmo_plugin.embedder.word_cache.base import WordCache
from allennlp_elmo_plugin.network.tensor_checks import INTEGERS, check_tensor

__all__ = ["Elmo"]


class Elmo(BuiltInElmo):
    """
    A biLM and one or more mixes of its layers.

    It is a drop-in for AllenNLP's class of the same name. The first ten parameters are the
    built-in's; the others name the components that some of the ten are shorthands for. Giving a
    value in both ways is an error. To build an `Elmo` from components in Python, use `from_parts`.

    The biLM runs once for all mixes. Modules and parameters have AllenNLP's names.

    # Parameters

    options_file : `Optional[str]`
        The biLM's options: a path, a URL, a folder or archive that holds them, or a name such as
        `published:original` or `pretrained:small`.
        `None` with a `module`.
    weight_file : `Optional[str]`
        The biLM's weights: the same. `allennlp elmo-models` lists the names. `None` with a
        `module`.
    num_output_representations : `int`
        The number of mixes, each with weights of its own.
    requires_grad : `bool`, optional (default = `False`)
        If `True`, train the biLM. Ignored with a `module`.
    do_layer_norm : `bool`, optional (default = `False`)
        If `True`, the scalar mixes normalize each layer first.
    dropout : `float`, optional (default = `0.5`)
        Probability of dropping each element of the mixed vectors in training, in [0, 1].
    vocab_to_cache : `List[str]`, optional (default = `None`)
        Shorthand for the `word_cache` `{"type": "vocabulary", "words": vocab_to_cache}`. With a
        `module` it only says that the module reads word ids.
    keep_sentence_boundaries : `bool`, optional (default = `False`)
        If `True`, the vectors of `<S>` and `</S>` stay.
    scalar_mix_parameters : `List[float]`, optional (default = `None`)
        Shorthand for the `scalar_mix`
        `{"type": "fixed", "scalar_parameters": scalar_mix_parameters}`.
    module : `torch.nn.Module`, optional (default = `None`)
        A module that computes the layers in place of a biLM from files; see `ModuleEncoder`.
    encoder : `Lazy[ElmoEncoder]`, optional (default = `Lazy(ElmoEncoder)`)
        The encoder that computes the layers. It gets `options_file`, `weight_file` and
        `requires_grad` from here.
    scalar_mix : `Lazy[ScalarMix]`, optional (default = `Lazy(ScalarMix)`)
        The mix of the layers, built once for each representation. It gets the number of layers and
        `do_layer_norm` from here.
    word_cache : `WordCache`, optional (default = `None`)
        The cache of word vectors, handed to the encoder, whose default is `lru`.
    activation_cache : `ActivationCache`, optional (default = `NoActivationCache()`)
        The cache of whole sentences' layers.
    serialization_dir : `str`, optional (default = `None`)
        Folder of an archive that is being loaded, handed to the encoder. AllenNLP fills it in.

    # Raises

    `ConfigurationError`
        When a value is given in two ways or not at all, or a file is missing, damaged or does not
        fit.
    """

    _elmo_lstm: torch.nn.Module
    _dropout: torch.nn.Dropout
    _keep_sentence_boundaries: bool
    _has_cached_vocab = False

    def __init__(
        self,
        options_file: Optional[str],
        weight_file: Optional[str],
        num_output_representations: int,
        requires_grad: bool = False,
        do_layer_norm: bool = False,
        dropout: float = 0.5,
        vocab_to_cache: Optional[List[str]] = None,
        keep_sentence_boundaries: bool = False,
        scalar_mix_parameters: Optional[List[float]] = None,
        module: Optional[torch.nn.Module] = None,
        *,
        encoder: Optional[Lazy[ElmoEncoder]] = None,
        scalar_mix: Optional[Lazy[ScalarMix]] = None,
        word_cache: Optional[WordCache] = None,
        activation_cache: Optional[ActivationCache] = None,
        serialization_dir: Optional[str] = None,
    ) -> None:
        # Not AllenNLP's own constructor, which reads the files.
        torch.nn.Module.__init__(self)
        if type(num_output_representations) is not int or num_output_representations < 1:
            raise ConfigurationError(
                "Expected 'num_output_representations' to be a number from 1 up, the number of "
                f"mixes of the layers, got {num_output_representations!r}."
            )
        _require_one_source(
            module,
            {"options_file": options_file, "weight_file": weight_file},
            {"encoder": encoder, "word_cache": word_cache},
        )
        if module is None:
            module = build_encoder(
                options_file,
                weight_file,
                requires_grad,
                vocab_to_cache,
                encoder,
                word_cache,
                serialization_dir,
            )
        else:
            self._has_cached_vocab = vocab_to_cache is not None
        self._elmo_lstm = module
        mixes = [
            build_scalar_mix(
                self.encoder.num_representations, do_layer_norm, scalar_mix_parameters, scalar_mix
            )
            for _ in range(num_output_representations)
        ]
        self._assemble(mixes, activation_cache, dropout, keep_sentence_boundaries)

    @classmethod
    def from_parts(
        cls,
        encoder: ElmoEncoder,
        scalar_mixes: Sequence[ScalarMix],
        activation_cache: Optional[ActivationCache] = None,
        dropout: float = 0.5,
        keep_sentence_boundaries: bool = False,
    ) -> "Elmo":
        """
        Builds an `Elmo` from components.

        # Parameters

        encoder : `ElmoEncoder`
            The encoder that computes the layers, such as a `BilmEncoder`.
        scalar_mixes : `Sequence[ScalarMix]`
            The mixes of the layers, one for each representation.
        activation_cache : `ActivationCache`, optional (default = `NoActivationCache()`)
            The cache of whole sentences' layers.
        dropout : `float`, optional (default = `0.5`)
            Probability of dropping each element of the mixed vectors in training, in [0, 1].
        keep_sentence_boundaries : `bool`, optional (default = `False`)
            If `True`, the vectors of `<S>` and `</S>` stay.

        # Returns

        `Elmo`

        # Raises

        `ConfigurationError`
            When `dropout` is no probability, or the activation cache cannot cache the encoder's
            layers.
        """
        elmo = cls.__new__(cls)
        torch.nn.Module.__init__(elmo)
        elmo._elmo_lstm = encoder
        elmo._assemble(scalar_mixes, activation_cache, dropout, keep_sentence_boundaries)
        return elmo

    @classmethod
    @overrides
    def from_params(cls, params: Params, *args: Any, **extras: Any) -> "Elmo":
        """
        Builds an `Elmo` from a config.

        # Parameters

        params : `Params`
            The config.
        args, extras :
            Further arguments that AllenNLP passes.

        # Returns

        `Elmo`

        # Raises

        `ConfigurationError`
            When the config of a component sets a value that it is handed.
        """
        refuse_values_handed_over(params)
        return super().from_params(params, *args, **extras)

    def _assemble(
        self,
        scalar_mixes: Sequence[ScalarMix],
        activation_cache: Optional[ActivationCache],
        dropout: float,
        keep_sentence_boundaries: bool,
    ) -> None:
        """Adds everything else to an `Elmo` that has its encoder."""
        if not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
            raise ConfigurationError(
                f"Expected 'dropout' to be a number from 0 to 1, got {dropout!r}."
            )
        # The names and the order of AllenNLP's `Elmo`: optimizers' checkpoints go by the order.
        self._dropout = torch.nn.Dropout(dropout)
        for k, scalar_mix in enumerate(scalar_mixes):
            self.add_module(f"scalar_mix_{k}", scalar_mix)
        self._activation_cache = activation_cache or NoActivationCache()
        self._activation_cache.require_cacheable(self.encoder)
        self._keep_sentence_boundaries = keep_sentence_boundaries

    @property
    def encoder(self) -> ElmoEncoder:
        """The encoder that computes the layers."""
        # A foreign module is registered itself, so that its parameters have AllenNLP's names.
        module = self._elmo_lstm
        if isinstance(module, ElmoEncoder):
            return module
        return ModuleEncoder(module, reads_word_ids=self._has_cached_vocab)

    @property
    def scalar_mixes(self) -> List[ScalarMix]:
        """The mixes of the layers."""
        named = self._modules.items()
        return [cast(ScalarMix, mix) for name, mix in named if name.startswith("scalar_mix_")]

    # Models of AllenNLP count the mixes under this name.
    _scalar_mixes = scalar_mixes

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
        encoder, mixes = self.encoder, self.scalar_mixes
        batch = encoder.make_batch(inputs.reshape(batch_size, timesteps, characters), word_inputs)
        num_representations = max(mix.num_representations_read() for mix in mixes)
        layers, mask = self.activation_cache(encoder, batch, num_representations)
        mixed = [mix(layers, mask) for mix in mixes]
        if not self._keep_sentence_boundaries:
            # A row of n tokens and two boundaries begins with n + 2 positions that are not padding.
            mixed, mask = [remove_boundaries(vectors, batch) for vectors in mixed], mask[:, 2:]
        representations = [self._dropout(vectors) for vectors in mixed]
        return {
            "elmo_representations": [v.view(*outer, *v.shape[1:]) for v in representations],
            "mask": mask.reshape(*outer, mask.size(1)),
        }


def _require_one_source(
    module: Optional[torch.nn.Module], files: Dict[str, Any], components: Dict[str, Any]
) -> None:
    """Raises an error unless the layers come either from a module or from two files."""
    if module is None:
        missing = [name for name, value in files.items() if value is None]
        if missing:
            raise ConfigurationError(
                f"Expected the files of a biLM, but '{missing[0]}' is None. Give both "
                "'options_file' and 'weight_file', or a 'module' in their place."
            )
        return
    given = [name for name, value in {**files, **components}.items() if value is not None]
    if given:
        raise ConfigurationError(
            f"Got both 'module' and '{given[0]}', but a module computes the layers by itself. With "
            "a module pass None for 'options_file' and 'weight_file'; without one leave it out."
        )
