"""
The encoder that runs a biLM.
"""

from dataclasses import asdict
from functools import partial
from hashlib import blake2b
from typing import Any, Dict, List, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.archive.archived_module import ArchivedModule
from allennlp_elmo_plugin.archive.facts import find_facts
from allennlp_elmo_plugin.archive.late_weights import missing_weights
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder, EncodedSentences
from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.embedder.initial_state.carry import CarryState
from allennlp_elmo_plugin.embedder.word_cache.base import WordCache
from allennlp_elmo_plugin.embedder.word_cache.lru import LruWordCache
from allennlp_elmo_plugin.network.derived_cache import DerivedCache
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch
from allennlp_elmo_plugin.network.spelling import Spelling
from allennlp_elmo_plugin.network.tensor_checks import check_device
from allennlp_elmo_plugin.weights import find_options_file, find_weight_file, parameter_names

__all__ = ["BilmEncoder"]

DIGEST_BYTES = 16


class BilmEncoder(ArchivedModule, ElmoEncoder):
    """
    An encoder that runs the biLM of Peters et al. (2018).

    Its parameters have the names that they have in AllenNLP's `_ElmoBiLm`.

    Registered as an `ElmoEncoder` with name "bilm", whose constructor is `from_files`.

    # Parameters

    bilm : `ElmoBilm`
        The network.
    initial_state : `InitialState`, optional (default = `CarryState()`)
        State that the LSTMs start each sentence from.
    word_cache : `WordCache`, optional (default = `LruWordCache()`)
        The cache of word vectors.
    requires_grad : `bool`, optional (default = `False`)
        If `True`, train the biLM.

    # Raises

    `ConfigurationError`
        When a biLM of reduced precision is to be trained.
    """

    component = "bilm_encoder"
    doubles_token_layer = True

    bilm: ElmoBilm
    """The network. Its modules are registered as the encoder's own."""

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
                "rounded, so the small changes of training would be lost: train in 'float32', "
                "on an accelerator with the trainer's 'use_amp', and reduce the precision for "
                "prediction."
            )
        # Not registered, so the modules below it have the names and the order of the built-in's.
        object.__setattr__(self, "bilm", bilm.requires_grad_(requires_grad))
        self._token_embedder = bilm.char_cnn
        self._word_embedding = LruWordCache() if word_cache is None else word_cache
        self._elmo_lstm = bilm.lstm
        self.initial_state = CarryState() if initial_state is None else initial_state
        self.initial_state.allocate(bilm)
        self.max_characters_per_token = bilm.options.max_characters_per_token
        self.word_cache.precompute(bilm.char_cnn, self.spelling, requires_grad)
        self.num_representations = bilm.options.num_representations
        self._files: Dict[str, str] = {}
        self._missing: Optional[str] = None
        self._derived = DerivedCache()

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
        Builds an encoder from the two files of a biLM, or from an archive.

        # Parameters

        options_file : `str`
            Options file: a path, a URL, a folder or archive that holds it, or a name.
        weight_file : `str`
            Weights: a path, a URL, a folder or archive that holds them, or a name.
        requires_grad : `bool`, optional (default = `False`)
            If `True`, train the biLM.
        initial_state : `InitialState`, optional (default = `CarryState()`)
            State that the LSTMs start each sentence from.
        word_cache : `WordCache`, optional (default = `LruWordCache()`)
            The cache of word vectors.
        precision : `str`, optional (default = `"float32"`)
            Precision of the matrices. `"bfloat16"` halves and `"int8"` quarters the memory of a
            frozen biLM, and both are faster with AVX-512, VNNI and BF16. The smallest cosine
            of a token's vector to the one in float32 is about 0.99999 and 0.9999 (with random
            weights). The vectors themselves stay float32.
        serialization_dir : `str`, optional (default = `None`)
            Folder of an archive that is being loaded. It holds the options, so neither file is
            needed. AllenNLP fills it in.

        # Returns

        `BilmEncoder`

        # Raises

        `ConfigurationError`
            When a file is missing, damaged, or does not fit the other, or when a biLM of reduced
            precision is to be trained.
        """
        files = {"options_file": str(options_file), "weight_file": str(weight_file)}
        archived = find_facts(serialization_dir, cls.component, **files)
        missing = None
        if archived is not None:
            find_files = (
                partial(find_options_file, options_file),
                partial(find_weight_file, weight_file),
            )
            missing = missing_weights(serialization_dir, find_files)
        if archived is None or missing is None:
            bilm = ElmoBilm.from_files(options_file, weight_file, precision)
        else:
            with torch.random.fork_rng(devices=[]):
                bilm = ElmoBilm(ElmoOptions.from_fields(archived.get("options", {})))
            bilm.reduce_precision(precision)
        encoder = cls(bilm, initial_state, word_cache, requires_grad)
        encoder._files, encoder._missing = files, missing
        return encoder

    @property
    def word_cache(self) -> WordCache:
        """The cache of word vectors."""
        return self._word_embedding

    @property
    @overrides
    def spelling(self) -> Spelling:
        """The way to spell words for the biLM."""
        return self.bilm.options.spelling

    @overrides
    def get_output_dim(self) -> int:
        """Returns twice the `projection_dim` of the biLM: forward | backward."""
        return 2 * self.bilm.options.projection_dim

    @overrides
    def uncacheable_reason(self) -> Optional[str]:
        """Returns a reason if the initial state depends on earlier batches."""
        return self.initial_state.uncacheable_reason()

    @overrides
    def digest(self) -> bytes:
        """Returns a digest of the options, the precision, the weights and the saved buffers."""
        digest = self._derived.find("digest", self._tensors())
        if digest is None:
            # Preparing may change the saved buffers.
            self._prepare()
            digest = self._derived.get("digest", self._tensors(), self._compute_digest)
        return digest

    @overrides
    def forward(
        self, batch: SentenceBatch, num_representations: Optional[int] = None
    ) -> EncodedSentences:
        """
        Computes the layers of a batch.

        # Parameters

        batch : `SentenceBatch`
            The sentences, between boundaries. Only a word cache that looks words up by id allows
            word ids.
        num_representations : `int`, optional (default = `None`)
            The number of layers to compute, from the first; all of them by default. The others are
            not run. If they are trained, their parameters get gradients of 0.

        # Returns

        `EncodedSentences`
            Float32. A sentence without tokens is `<S> </S>`, and is run like any other.

        # Raises

        `ConfigurationError`
            When word ids are given that no cache reads, when the batch is on another device than
            the weights, or when the weights are missing.
        """
        if batch.word_ids is not None and not self.word_cache.reads_word_ids:
            raise ConfigurationError(
                "Got 'word_inputs', but no word cache that reads them. Give the embedder the "
                "'word_cache' 'vocabulary', or the indexer no 'word_namespace'."
            )
        check_device("character ids", batch.character_ids, self.bilm.char_cnn.char_embedding.device)
        self._prepare()
        words, layout = batch.distinct_words(), batch.layout
        word_vectors = self.word_cache(words.character_ids, words.word_ids, self.bilm.char_cnn)
        inputs = layout.in_reading_order(word_vectors.index_select(0, words.word_of_token))
        start = self.initial_state.start(self.bilm.zero_state(len(batch)))
        num_layers = (num_representations or self.num_representations) - 1
        outputs, end = self.bilm(inputs, layout, start, num_layers)
        self.initial_state.finish(end)
        layers = layout.pad(torch.stack([inputs, *outputs]))
        return EncodedSentences(self._with_all_gradients(layers), batch.mask)

    @overrides
    def archived_facts(self) -> Dict[str, Any]:
        """Returns the options, for an archive without their file."""
        return {**self._files, "options": asdict(self.bilm.options)}

    def _prepare(self) -> None:
        if self._missing is not None:
            raise ConfigurationError(
                f"The biLM has no weights: they were to come from 'weight_file' "
                f"'{self._files['weight_file']}', but {self._missing}, and nothing was loaded "
                "since. Load a state dict that has them, or give the file."
            )
        self.initial_state.prepare(self.bilm)

    def _tensors(self) -> List[torch.Tensor]:
        # Cached word vectors and a converged state shape the layers as weights do. This is three
        # times as fast as `parameters` and `buffers`, which also make names.
        return [
            tensor
            for module in self.modules()
            for tensor in (*module._parameters.values(), *module._buffers.values())
            if tensor is not None
        ]

    def _compute_digest(self) -> bytes:
        digest = blake2b(digest_size=DIGEST_BYTES)
        digest.update(repr((self.bilm.options, self.bilm.precision)).encode())
        for name, tensor in (*self.named_parameters(), *self.named_buffers()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(_bytes(tensor))
        return digest.digest()

    def _with_all_gradients(self, layers: torch.Tensor) -> torch.Tensor:
        # Like gradients from a weight of 0: optimizers and distributed training do not expect a
        # parameter without a gradient.
        if not torch.is_grad_enabled() or torch.jit.is_tracing():
            return layers
        not_run = [
            parameter
            for layer in self.bilm.lstm.layers[len(layers) - 1 :]
            for lstm in layer
            for parameter in lstm.parameters()
            if parameter.requires_grad
        ]
        return layers + _ZeroGradients.apply(*not_run) if not_run else layers

    def _load_from_state_dict(
        self, state_dict: Dict[str, torch.Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        if all(prefix + name in state_dict for name in parameter_names(self.bilm.options)):
            self._missing = None
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class _ZeroGradients(torch.autograd.Function):
    """
    A zero whose gradient of each parameter is zero, whatever the parameters are.

    Zero times infinity would be NaN.
    """

    @staticmethod
    def forward(ctx: Any, *parameters: torch.Tensor) -> torch.Tensor:
        # Not the parameters themselves: an optimizer may change them before the backward pass.
        ctx.shapes = [parameter.shape for parameter in parameters]
        return parameters[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Tuple[torch.Tensor, ...]:
        return tuple(gradient.new_zeros(shape) for shape in ctx.shapes)


def _bytes(tensor: torch.Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


ElmoEncoder.register("bilm", constructor="from_files")(BilmEncoder)
