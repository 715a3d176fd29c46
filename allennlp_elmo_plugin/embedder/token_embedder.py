"""
The token embedder: a biLM's layers, mixed.
"""

from math import prod
from typing import Any, Dict, List, Optional, TypeVar

import torch
from allennlp.common import Lazy, Params
from allennlp.common.checks import ConfigurationError
from allennlp.modules import TokenEmbedder
from overrides import overrides

from allennlp_elmo_plugin.embedder.activation_cache.base import ActivationCache
from allennlp_elmo_plugin.embedder.activation_cache.none import NoActivationCache
from allennlp_elmo_plugin.embedder.bilm_encoder import BilmEncoder
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder
from allennlp_elmo_plugin.embedder.scalar_mix import ScalarMix
from allennlp_elmo_plugin.embedder.word_cache.base import WordCache
from allennlp_elmo_plugin.embedder.word_cache.vocabulary import VocabularyWordCache

__all__ = ["ElmoTokenEmbedder"]

T = TypeVar("T")

PUBLISHED = (
    "https://allennlp.s3.amazonaws.com/models/elmo/2x4096_512_2048cnn_2xhighway/"
    "elmo_2x4096_512_2048cnn_2xhighway_"
)


@TokenEmbedder.register("elmo_token_embedder", exist_ok=True)
class ElmoTokenEmbedder(TokenEmbedder):
    """
    Embeds tokens with ELMo (Peters et al., 2018): a drop-in for AllenNLP's built-in embedder of
    the same name. The first eight parameters are the built-in's; the others name the parts that
    some of the eight are shorthands for. Saying a thing in both ways is an error.

    Registered as a `TokenEmbedder` with name "elmo_token_embedder", in place of the built-in.

    # Parameters

    options_file : `str`, optional (default = the published 2x4096_512 model)
        The biLM's options: a path, a URL, or a folder or zip that holds them.
    weight_file : `str`, optional (default = the published 2x4096_512 model)
        The biLM's weights in HDF5: a path, a URL, or a folder or zip that holds them.
    do_layer_norm : `bool`, optional (default = `False`)
        Whether the scalar mix normalizes each layer first.
    dropout : `float`, optional (default = `0.5`)
        The share of the mixed vectors that training sets to 0.
    requires_grad : `bool`, optional (default = `False`)
        Whether the biLM is trained.
    projection_dim : `int`, optional (default = `None`)
        A size to project the mixed vectors to, by a linear layer that is trained.
    vocab_to_cache : `List[str]`, optional (default = `None`)
        Short for the `word_cache` `{"type": "vocabulary", "words": vocab_to_cache}`.
    scalar_mix_parameters : `List[float]`, optional (default = `None`)
        Short for the `scalar_mix`
        `{"type": "fixed", "scalar_parameters": scalar_mix_parameters}`.
    encoder : `Lazy[ElmoEncoder]`, optional (default = `Lazy(ElmoEncoder)`)
        What gives the layers. It is handed `options_file`, `weight_file` and `requires_grad`.
    scalar_mix : `Lazy[ScalarMix]`, optional (default = `Lazy(ScalarMix)`)
        What mixes the layers. It is handed their number and `do_layer_norm`.
    word_cache : `WordCache`, optional (default = `None`)
        What spares the character CNN words. It is handed to the encoder, whose default is `lru`.
    activation_cache : `ActivationCache`, optional (default = `NoActivationCache()`)
        What spares the encoder sentences.
    keep_sentence_boundaries : `bool`, optional (default = `False`)
        Whether the vectors of `<S>` and `</S>` stay: the output is then two tokens longer than
        the input. AllenNLP's models expect as many vectors as tokens.
    serialization_dir : `str`, optional (default = `None`)
        Handed to the encoder, which finds in the archive what else it needs files for. AllenNLP
        fills it in.

    # Raises

    `ConfigurationError`
        When a thing is said in two ways, or a file is missing, damaged or does not fit.
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
        super().__init__()
        if vocab_to_cache is not None:
            _refuse_both("vocab_to_cache", "word_cache", word_cache is not None)
            word_cache = VocabularyWordCache(words=vocab_to_cache)
        if scalar_mix_parameters is not None:
            _refuse_both("scalar_mix_parameters", "scalar_mix", scalar_mix is not None)
            scalar_mix = Lazy(
                ScalarMix, Params({"type": "fixed", "scalar_parameters": scalar_mix_parameters})
            )
        if projection_dim is not None and projection_dim < 1:
            raise ConfigurationError(
                f"Expected 'projection_dim' to be at least 1, got {projection_dim}. Leave it out "
                "for vectors that are not projected."
            )
        handed_to_encoder: Dict[str, Any] = {
            "options_file": options_file,
            "weight_file": weight_file,
            "requires_grad": requires_grad,
            "serialization_dir": serialization_dir,
        }
        if word_cache is not None:
            handed_to_encoder["word_cache"] = word_cache
        handed_to_mix = {"do_layer_norm": True} if do_layer_norm else {}

        self._encoder = _construct("encoder", encoder or Lazy(ElmoEncoder), handed_to_encoder)
        self.scalar_mix = _construct(
            "scalar_mix",
            scalar_mix or Lazy(ScalarMix),
            {**handed_to_mix, "num_representations": self._encoder.num_representations},
        )
        self._activation_cache = activation_cache or NoActivationCache()
        self._activation_cache.check(self._encoder)
        self._keep_sentence_boundaries = keep_sentence_boundaries
        self._dropout = torch.nn.Dropout(dropout)
        self._projection: Optional[torch.nn.Linear] = None
        if projection_dim is not None:
            self._projection = torch.nn.Linear(self._encoder.get_output_dim(), projection_dim)

    @overrides
    def get_output_dim(self) -> int:
        """The size of each vector: `projection_dim`, or twice that of the biLM."""
        if self._projection is not None:
            return self._projection.out_features
        return self._encoder.get_output_dim()

    def forward(
        self, elmo_tokens: torch.Tensor, word_inputs: Optional[torch.Tensor] = None
    ) -> torch.Tensor:
        """
        # Parameters

        elmo_tokens : `torch.Tensor`
            Shape (batch, ..., timesteps, characters), int64: character ids from the
            `elmo_characters` indexer. A token of zeros is no token; tokens stand at the beginning
            of their row.
        word_inputs : `torch.Tensor`, optional (default = `None`)
            Shape (batch, ..., timesteps), int64: word ids for the vocabulary word cache, 0 exactly
            where there is no token.

        # Returns

        `torch.Tensor`
            Shape (batch, ..., timesteps, output_dim), float32; two timesteps more with
            `keep_sentence_boundaries`. Before dropout and projection it is exactly 0 where there
            is no token.

        # Raises

        `ConfigurationError`
            When a shape, a type or an id is not as described.
        """
        if elmo_tokens.dim() < 3:
            raise ConfigurationError(
                "Expected 'elmo_tokens' of shape (batch, timesteps, characters), or with more "
                f"dimensions after the batch, got shape {tuple(elmo_tokens.shape)}."
            )
        *outer, timesteps, characters = elmo_tokens.shape
        batch_size = prod(outer)
        if word_inputs is not None and word_inputs.shape == elmo_tokens.shape[:-1]:
            word_inputs = word_inputs.reshape(batch_size, timesteps)
        encoded = self._activation_cache(
            self._encoder,
            elmo_tokens.reshape(batch_size, timesteps, characters),
            word_inputs,
            self.scalar_mix.num_representations_read(),
        )
        mixed = self.scalar_mix(encoded.layers, encoded.mask)
        if not self._keep_sentence_boundaries:
            mixed = _without_boundaries(mixed, encoded.mask)
        vectors = self._dropout(mixed)
        if self._projection is not None:
            vectors = self._projection(vectors)
        return vectors.view(*outer, *vectors.shape[1:])

    def _load_from_state_dict(
        self, state_dict: Dict[str, torch.Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for builtin_name, name in self._builtin_names().items():
            if prefix + builtin_name in state_dict:
                state_dict[prefix + name] = state_dict.pop(prefix + builtin_name)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _builtin_names(self) -> Dict[str, str]:
        """From the names in an archive of AllenNLP's built-in embedder to the names here."""
        names = {
            f"_elmo.scalar_mix_0.{name}": f"scalar_mix.{name}"
            for name in self.scalar_mix.state_dict()
        }
        if isinstance(self._encoder, BilmEncoder):
            names.update(
                (f"_elmo._elmo_lstm.{builtin_name}", f"_encoder.{name}")
                for builtin_name, name in self._encoder.builtin_names().items()
            )
        return names


def _without_boundaries(mixed: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    # <S> stands first in each row, and </S> last, which is behind the words of shorter rows.
    rows = torch.arange(len(mixed), device=mixed.device)
    mixed[rows, mask.sum(dim=1) - 1] = 0.0
    return mixed[:, 1:-1]


def _refuse_both(first: str, second: str, second_is_said: bool) -> None:
    if second_is_said:
        raise ConfigurationError(
            f"Got both '{first}' and '{second}', which say the same thing. Keep one of them."
        )


def _construct(name: str, part: Lazy[T], handed: Dict[str, Any]) -> T:
    """Constructs a part that is handed values, which its own config may then not give as well."""
    params = part._params
    for key in handed:
        if not isinstance(params, str) and key in params:
            raise ConfigurationError(
                f"Got '{key}' inside '{name}', where the embedder's own '{key}' belongs. Keep it "
                "beside the other parameters of the embedder."
            )
    return part.construct(**handed)
