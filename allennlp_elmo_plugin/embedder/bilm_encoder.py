"""
From character ids to the layers of a biLM.
"""

import logging
from dataclasses import asdict
from hashlib import blake2b
from typing import Any, Dict, Optional

import torch
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.archive.extra_state import (
    EXTRA_STATE,
    find_extra_state,
    is_extracted_archive,
    to_extra_state,
)
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder, EncodedSentences
from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.embedder.initial_state.carry import CarryState
from allennlp_elmo_plugin.embedder.word_cache.base import WordCache
from allennlp_elmo_plugin.embedder.word_cache.lru import LruWordCache
from allennlp_elmo_plugin.network.derived_cache import DerivedCache
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.sentence_batch import Sentences
from allennlp_elmo_plugin.weights import builtin_names, find_options_file, find_weight_file

__all__ = ["BilmEncoder"]

logger = logging.getLogger(__name__)

PART = "bilm_encoder"
DIGEST_BYTES = 16


class BilmEncoder(ElmoEncoder):
    """
    The biLM of Peters et al. (2018).

    Registered as an `ElmoEncoder` with name "bilm", whose constructor is `from_files`.

    # Parameters

    bilm : `ElmoBilm`
        The network.
    initial_state : `InitialState`, optional (default = `CarryState()`)
        Where a sentence's LSTM states start.
    word_cache : `WordCache`, optional (default = `LruWordCache()`)
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
        self.word_cache = LruWordCache() if word_cache is None else word_cache
        self.initial_state.fit(bilm)
        self.word_cache.fill(
            bilm.char_cnn, bilm.options.max_characters_per_token, requires_grad=requires_grad
        )
        self.num_representations = bilm.options.num_representations
        self._files: Dict[str, str] = {}
        self._missing: Optional[str] = None
        self._digests = DerivedCache()

    @classmethod
    def from_files(
        cls,
        options_file: str,
        weight_file: str,
        requires_grad: bool = False,
        initial_state: Optional[InitialState] = None,
        word_cache: Optional[WordCache] = None,
        precision: str = "float32",
        serialization_dir: Optional[str] = None,
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
        word_cache : `WordCache`, optional (default = `LruWordCache()`)
            What spares the character CNN words.
        precision : `str`, optional (default = `"float32"`)
            `"bfloat16"` halves and `"int8"` quarters the memory of a frozen biLM, and both are
            faster where there are kernels for them. The smallest cosine of a token's vector to
            the one in float32 is about 0.99999 and 0.9999 (with random weights). The vectors
            themselves stay float32.
        serialization_dir : `str`, optional (default = `None`)
            Where an archive that is loaded has the options, so that it needs neither of the two
            files. AllenNLP fills it in.

        # Raises

        `ConfigurationError`
            When a file is missing, damaged, or does not fit the other, or when a biLM of reduced
            precision is to be trained.
        """
        files = {"options_file": str(options_file), "weight_file": str(weight_file)}
        archived = find_extra_state(serialization_dir, PART, **files)
        missing = None if archived is None else _missing_files(files, serialization_dir)
        if archived is None or missing is None:
            bilm = ElmoBilm.from_files(options_file, weight_file, precision)
        else:
            bilm = ElmoBilm(ElmoOptions.from_fields(archived["options"]))
            bilm.reduce_precision(precision)
        encoder = cls(bilm, initial_state, word_cache, requires_grad)
        encoder._files, encoder._missing = files, missing
        return encoder

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
    def impurity(self) -> Optional[str]:
        """Gradients, or an initial state that depends on what came before."""
        if any(parameter.requires_grad for parameter in self.parameters()):
            return "the biLM is trained ('requires_grad')"
        if not self.initial_state.is_pure:
            return (
                "its initial state depends on the batches before, as 'carry' does; 'warm' and "
                "'zero' do not"
            )
        return None

    @overrides
    def digest(self) -> bytes:
        """Made of the options, the precision, the weights, and what parts of it have saved."""
        self._prepare()
        # Kept vectors of words and a settled state shape the layers as weights do.
        tensors = [*self.parameters(), *self.buffers()]
        return self._digests.get("digest", tensors, self._make_digest)

    @overrides
    def forward(
        self,
        character_ids: torch.Tensor,
        word_ids: Optional[torch.Tensor] = None,
        num_representations: Optional[int] = None,
    ) -> EncodedSentences:
        """
        # Parameters

        character_ids : `torch.Tensor`
            Shape (batch, timesteps, max_characters_per_token), int64. A token of zeros is no
            token; tokens stand at the beginning of their row.
        word_ids : `torch.Tensor`, optional (default = `None`)
            Shape (batch, timesteps), int64, with 0 exactly where there is no token. Only a word
            cache that looks words up by id allows them.
        num_representations : `int`, optional (default = `None`)
            How many layers are wanted, from the first; all of them by default. The others are not
            run, and their parameters get gradients of 0, if they are trained.

        # Returns

        `EncodedSentences`
            Float32. A sentence of no tokens is `<S> </S>`, and takes part like any other.

        # Raises

        `ConfigurationError`
            When a shape, a type or an id is not as described, or when the weights came from
            nowhere.
        """
        if word_ids is not None and not self.word_cache.reads_word_ids:
            raise ConfigurationError(
                "Got 'word_inputs', but no word cache that reads them. Give the embedder the "
                "'word_cache' 'vocabulary', or the indexer no 'word_namespace'."
            )
        self._prepare()
        sentences = Sentences.from_padded(
            character_ids, self.bilm.options.max_characters_per_token, word_ids
        )
        vectors = self.word_cache(sentences.character_ids, sentences.word_ids, self.bilm.char_cnn)
        start = self.initial_state.start(self.bilm.lstm.zero_state(len(sentences.lengths)))
        num_layers = (num_representations or self.num_representations) - 1
        layers, end = self.bilm(sentences.pad(vectors), sentences.lengths, start, num_layers)
        self.initial_state.finish(end)
        return EncodedSentences(self._with_all_gradients(layers), sentences.mask)

    def get_extra_state(self) -> torch.Tensor:
        """
        # Returns

        `torch.Tensor`
            Shape (bytes,), uint8: the options, for an archive without their file.
        """
        return to_extra_state(PART, {**self._files, "options": asdict(self.bilm.options)})

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Changes nothing: the options were needed when the module was built."""

    def _prepare(self) -> None:
        if self._missing is not None:
            raise ConfigurationError(
                f"The biLM has no weights: they were to come from 'weight_file' "
                f"'{self._files['weight_file']}', but {self._missing}, and nothing was loaded "
                "since. Load a state dict that has them, or give the file."
            )
        self.initial_state.settle(self.bilm)

    def _make_digest(self) -> bytes:
        digest = blake2b(digest_size=DIGEST_BYTES)
        digest.update(repr((self.bilm.options, self.bilm.precision)).encode())
        for name, tensor in (*self.named_parameters(), *self.named_buffers()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(_bytes(tensor))
        return digest.digest()

    def _with_all_gradients(self, layers: torch.Tensor) -> torch.Tensor:
        # As from a weight of 0: optimizers and distributed training take notice of a parameter
        # without a gradient.
        not_run = [
            parameter
            for layer in list(self.bilm.lstm.layers)[len(layers) - 1 :]
            for parameter in layer.parameters()
            if parameter.requires_grad
        ]
        if not_run and torch.is_grad_enabled():
            layers = layers + 0.0 * sum(parameter.flatten()[0] for parameter in not_run)
        return layers

    def _load_from_state_dict(
        self, state_dict: Dict[str, torch.Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        names = builtin_names(self.bilm.options).values()
        if all(f"{prefix}bilm.{name}" in state_dict for name in names):
            self._missing = None
        # An archive of AllenNLP's built-in has none.
        state_dict.setdefault(prefix + EXTRA_STATE, self.get_extra_state())
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _missing_files(files: Dict[str, str], serialization_dir: Optional[str]) -> Optional[str]:
    """Why the biLM has to wait for the weights of an archive or a checkpoint, if it has to."""
    if is_extracted_archive(serialization_dir):
        return f"the archive in '{serialization_dir}' has none"
    try:
        find_options_file(files["options_file"])
        find_weight_file(files["weight_file"])
    except ConfigurationError as error:
        logger.warning("%s The weights are expected from '%s'.", error, serialization_dir)
        return str(error)
    return None


def _bytes(tensor: torch.Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


ElmoEncoder.register("bilm", constructor="from_files")(BilmEncoder)
