"""
From character ids to the layers of a biLM.
"""

from typing import Dict, NamedTuple, Optional

import torch
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.modules.elmo_bilm import ElmoBilm
from allennlp_elmo_plugin.modules.sentences import Sentences
from allennlp_elmo_plugin.parts.initial_state import CarryState, InitialState
from allennlp_elmo_plugin.parts.word_cache import NoWordCache, WordCache
from allennlp_elmo_plugin.weights import builtin_names

__all__ = ["BilmEncoder", "ElmoEncoder", "EncodedSentences"]


class EncodedSentences(NamedTuple):
    """
    What an `ElmoEncoder` gives for a batch.

    # Parameters

    layers : `torch.Tensor`
        Shape (num_representations, batch, timesteps + 2, output_dim), float. Each row starts with
        `<S>` and ends with `</S>`; behind that it is exactly 0.
    mask : `torch.Tensor`
        Shape (batch, timesteps + 2), bool. True = word or boundary.
    """

    layers: torch.Tensor
    mask: torch.Tensor


class ElmoEncoder(torch.nn.Module, Registrable):
    """
    Turns the character ids of a batch of sentences into layers for a scalar mix.
    """

    default_implementation = "bilm"

    num_representations: int
    """The number of layers that `forward` gives."""

    def get_output_dim(self) -> int:
        """The size of each vector of each layer."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its output size")

    def forward(
        self, character_ids: torch.Tensor, word_ids: Optional[torch.Tensor] = None
    ) -> EncodedSentences:
        """
        # Parameters

        character_ids : `torch.Tensor`
            Shape (batch, timesteps, characters), int64. A token of zeros is no token.
        word_ids : `torch.Tensor`, optional (default = `None`)
            Shape (batch, timesteps), int64: what a word cache that looks words up by id reads.

        # Returns

        `EncodedSentences`
        """
        raise NotImplementedError(f"{type(self).__name__} encodes nothing")


class BilmEncoder(ElmoEncoder):
    """
    The biLM of Peters et al. (2018).

    Registered as an `ElmoEncoder` with name "bilm", whose constructor is `from_files`.

    # Parameters

    bilm : `ElmoBilm`
        The network.
    initial_state : `InitialState`, optional (default = `CarryState()`)
        Where a sentence's LSTM states start.
    word_cache : `WordCache`, optional (default = `NoWordCache()`)
        What spares the character CNN words.
    requires_grad : `bool`, optional (default = `False`)
        Whether the biLM is trained.
    """

    def __init__(
        self,
        bilm: ElmoBilm,
        initial_state: Optional[InitialState] = None,
        word_cache: Optional[WordCache] = None,
        requires_grad: bool = False,
    ) -> None:
        super().__init__()
        if requires_grad and bilm.precision != "float32":
            raise ConfigurationError(
                f"Got 'requires_grad' with the precision '{bilm.precision}'. Its weights are "
                "rounded, so that the small steps of training would be lost: train in 'float32', "
                "on an accelerator with the trainer's 'use_amp', and reduce the precision for "
                "prediction."
            )
        self.bilm = bilm.requires_grad_(requires_grad)
        self.initial_state = CarryState() if initial_state is None else initial_state
        self.word_cache = NoWordCache() if word_cache is None else word_cache
        self.word_cache.fill(
            bilm.char_cnn, bilm.options.max_characters_per_token, requires_grad=requires_grad
        )
        self.num_representations = bilm.options.num_representations

    @classmethod
    def from_files(
        cls,
        options_file: str,
        weight_file: str,
        requires_grad: bool = False,
        initial_state: Optional[InitialState] = None,
        word_cache: Optional[WordCache] = None,
        precision: str = "float32",
    ) -> "BilmEncoder":
        """
        # Parameters

        options_file : `str`
            A path, a URL, or a folder or zip that holds the options file.
        weight_file : `str`
            A path, a URL, or a folder or zip that holds the HDF5 file.
        requires_grad : `bool`, optional (default = `False`)
            Whether the biLM is trained.
        initial_state : `InitialState`, optional (default = `CarryState()`)
            Where a sentence's LSTM states start.
        word_cache : `WordCache`, optional (default = `NoWordCache()`)
            What spares the character CNN words.
        precision : `str`, optional (default = `"float32"`)
            `"bfloat16"` halves and `"int8"` quarters the memory of a frozen biLM, and both are
            faster where there are kernels for them. The smallest cosine of a token's vector to
            the one in float32 is about 0.99999 and 0.9999 (with random weights). The vectors
            themselves stay float32.

        # Raises

        `ConfigurationError`
            When a file is missing, damaged, or does not fit the other, or when a biLM of reduced
            precision is to be trained.
        """
        bilm = ElmoBilm.from_files(options_file, weight_file, precision)
        return cls(bilm, initial_state, word_cache, requires_grad)

    def builtin_names(self) -> Dict[str, str]:
        """
        # Returns

        `Dict[str, str]`
            From the name of each parameter in AllenNLP's `_ElmoBiLm` to the name here.
        """
        names = builtin_names(self.bilm.options)
        return {
            "_word_embedding.weight": "word_cache.vectors",
            **{builtin_name: f"bilm.{name}" for builtin_name, name in names.items()},
        }

    @overrides
    def get_output_dim(self) -> int:
        """Twice the `projection_dim` of the biLM: forward | backward."""
        return 2 * self.bilm.options.projection_dim

    @overrides
    def forward(
        self, character_ids: torch.Tensor, word_ids: Optional[torch.Tensor] = None
    ) -> EncodedSentences:
        """
        # Parameters

        character_ids : `torch.Tensor`
            Shape (batch, timesteps, max_characters_per_token), int64. A token of zeros is no
            token; tokens stand at the beginning of their row.
        word_ids : `torch.Tensor`, optional (default = `None`)
            Shape (batch, timesteps), int64, with 0 exactly where there is no token. Only a word
            cache that looks words up by id allows them.

        # Returns

        `EncodedSentences`
            Float32. A sentence of no tokens is `<S> </S>`, and takes part like any other.

        # Raises

        `ConfigurationError`
            When a shape, a type or an id is not as described.
        """
        if word_ids is not None and not self.word_cache.reads_word_ids:
            raise ConfigurationError(
                "Got 'word_inputs', but no word cache that reads them. Give the embedder the "
                "'word_cache' 'vocabulary', or the indexer no 'word_namespace'."
            )
        sentences = Sentences.from_padded(
            character_ids, self.bilm.options.max_characters_per_token, word_ids
        )
        vectors = self.word_cache(sentences.character_ids, sentences.word_ids, self.bilm.char_cnn)
        start = self.initial_state.start(self.bilm.lstm.zero_state(len(sentences.lengths)))
        layers, end = self.bilm(sentences.pad(vectors), sentences.lengths, start)
        self.initial_state.finish(end)
        return EncodedSentences(layers, sentences.mask)


ElmoEncoder.register("bilm", constructor="from_files")(BilmEncoder)
