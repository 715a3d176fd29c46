"""
The engine that turns sentences into vectors.
"""

import logging
import os
from copy import deepcopy
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    TypeVar,
    Union,
    cast,
)

import numpy
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder
from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.embedder.scalar_mix import FixedScalarMix, ScalarMix
from allennlp_elmo_plugin.extraction.batching import BOUNDARIES, batches_of_window, windows
from allennlp_elmo_plugin.extraction.models import load_elmo
from allennlp_elmo_plugin.io.locks import ForkSafeLock, Once

__all__ = ["MIX", "ElmoExtractor"]

logger = logging.getLogger(__name__)

Sentence = TypeVar("Sentence")

WINDOW_BATCHES = 16
MIX = "mix"
"""Choice of the only scalar mix of a trained model."""
OUT_OF_MEMORY = ("out of memory", "can't allocate memory")


class ElmoExtractor:
    """
    An engine that turns sentences into vectors.

    Results come in the order of the sentences. Inside a window of sentences, batches hold sentences
    of similar length. If a batch does not fit into the memory of an accelerator, it is halved; a
    single sentence that does not fit is run on the CPU.

    With an encoder whose layers depend on the batches before, such as one with the initial state
    `carry`, batches hold `batch_size` sentences in their order, as in AllenNLP 0.9.

    Several threads may use an extractor, unless its initial state is `carry`.

    # Parameters

    encoder : `ElmoEncoder`
        The encoder. It is put into evaluation mode.
    layers : `Union[str, int, ScalarMix]`, optional (default = `"all"`)
        Choice of layers: `"all"`, `"top"`, `"average"`, the number of a layer, where 0 is the token
        layer, or a mix of all layers.
    pool : `str`, optional (default = `None`)
        If `"mean"`, a sentence gets the mean of its tokens' vectors. Boundaries do not count; a
        sentence without tokens gets zeros.
    keep_sentence_boundaries : `bool`, optional (default = `False`)
        If `True`, the vectors of `<S>` and `</S>` stand around those of the tokens.
    max_tokens : `int`, optional (default = `2048`)
        Largest number of positions of a batch: sentences times the tokens of the longest one, with
        two boundaries. A longer sentence is run alone. More takes more memory.
    batch_size : `int`, optional (default = `64`)
        The number of sentences of a batch if their order counts.

    # Raises

    `ConfigurationError`
        When a value is not as described.
    """

    def __init__(
        self,
        encoder: ElmoEncoder,
        layers: Union[str, int, ScalarMix] = "all",
        pool: Optional[str] = None,
        keep_sentence_boundaries: bool = False,
        max_tokens: int = 2048,
        batch_size: int = 64,
    ) -> None:
        _require_positive(max_tokens=max_tokens, batch_size=batch_size)
        if pool not in (None, "mean"):
            raise ConfigurationError(f"Expected 'pool' to be None or 'mean', got {pool!r}.")
        if pool is not None and keep_sentence_boundaries:
            raise ConfigurationError(
                "Got both 'pool' and 'keep_sentence_boundaries', but boundaries do not count in a "
                "mean. Keep one of them."
            )
        self.encoder = encoder.eval()
        self.max_tokens = max_tokens
        self.batch_size = batch_size
        self._mix = _mix_of(layers, encoder)
        self._is_pooled = pool is not None
        self._margin = 0 if keep_sentence_boundaries else 1
        self._lock = ForkSafeLock()
        self._on_cpu: Optional[ElmoExtractor] = None
        self._warn_of_memory, self._tell_of_characters = Once(), Once()

    @classmethod
    def load(
        cls,
        model: Union[str, "os.PathLike[str]"],
        weight_file: Union[str, "os.PathLike[str]", None] = None,
        layers: Union[str, int, ScalarMix] = "all",
        pool: Optional[str] = None,
        keep_sentence_boundaries: bool = False,
        max_tokens: int = 2048,
        batch_size: int = 64,
        precision: Optional[str] = None,
        initial_state: Union[str, InitialState] = "warm",
        warm_up: Optional[Sequence[str]] = None,
        module: Optional[str] = None,
        device: Union[int, str, torch.device] = "cpu",
    ) -> "ElmoExtractor":
        """
        Loads a biLM and builds an extractor with it.

        # Parameters

        model, weight_file, precision, initial_state, warm_up, module :
            As for `load_elmo`: the files or the name of a biLM, or a trained model.
        layers : `Union[str, int, ScalarMix]`, optional (default = `"all"`)
            As above. `"mix"` is the scalar mix of a trained model; if it has several, `"mix_0"` is
            the first.
        pool, keep_sentence_boundaries, max_tokens, batch_size :
            As above.
        device : `Union[int, str, torch.device]`, optional (default = `"cpu"`)
            The device of the biLM, such as `"cuda"`, or its number, where -1 is the CPU.

        # Returns

        `ElmoExtractor`

        # Raises

        `ConfigurationError`
            When a file is missing, damaged or does not fit, or a value is not as described.
        """
        loaded = load_elmo(model, weight_file, precision, initial_state, warm_up, module)
        loaded.encoder.to(_device_of(device))
        chosen = layers
        if isinstance(layers, str) and layers.startswith(MIX):
            chosen = _trained_mix(layers, loaded.scalar_mixes).to(_device_of(device))
        return cls(loaded.encoder, chosen, pool, keep_sentence_boundaries, max_tokens, batch_size)

    @property
    def mix(self) -> Optional[ScalarMix]:
        """The mix that stands for a choice of layers, or `None` for all layers."""
        return self._mix

    @property
    def dim(self) -> int:
        """Size of a vector."""
        return self.encoder.get_output_dim()

    @property
    def num_layers(self) -> Optional[int]:
        """The number of layers of a result, or `None` if it is one layer or a mix."""
        return self.encoder.num_representations if self._mix is None else None

    @property
    def is_pooled(self) -> bool:
        """`True` if a sentence has one vector."""
        return self._is_pooled

    @property
    def order_counts(self) -> bool:
        """`True` if the vectors of a sentence depend on the sentences before."""
        return self.encoder.uncacheable_reason() is not None

    def settings(self) -> Dict[str, Any]:
        """Returns what vectors depend on besides the weights and the state, by name."""
        return {
            "pool": self._is_pooled,
            "keep sentence boundaries": self._margin == 0,
            "max tokens": self.max_tokens,
        }

    def num_vectors(self, num_tokens: int) -> int:
        """
        Returns the number of vectors of a sentence in each layer.

        # Parameters

        num_tokens : `int`
            The number of its tokens.
        """
        return 1 if self._is_pooled else num_tokens + 2 * (1 - self._margin)

    def embed(self, sentences: Iterable[Sequence[str]]) -> List[numpy.ndarray]:
        """
        Returns the vectors of sentences.

        # Parameters

        sentences : `Iterable[Sequence[str]]`
            The tokens of each sentence. A string is a sequence of tokens of one character.

        # Returns

        `List[numpy.ndarray]`
            An array for each sentence, float32, of shape (layers, tokens, dim). A choice of one
            layer or a mix leaves out the layers, a pool the tokens.

        # Raises

        `ConfigurationError`
            When the sentences are not as described.
        """
        return list(self.stream(sentences))

    def stream(self, sentences: Iterable[Sequence[str]]) -> Iterator[numpy.ndarray]:
        """
        Yields the vectors of sentences one by one, and reads a window of sentences at a time.

        # Parameters

        sentences : `Iterable[Sequence[str]]`
            The tokens of each sentence, of any number of sentences.

        # Returns

        `Iterator[numpy.ndarray]`
            As the elements of `embed`.

        # Raises

        `ConfigurationError`
            When the sentences are not as described.
        """
        if isinstance(sentences, str):
            raise ConfigurationError(
                f"Expected a collection of sentences, got the string {sentences[:40]!r}. Put a "
                "single sentence into a list: [['its', 'tokens']]."
            )
        for window in self.windows(sentences):
            yield from self.run_window(window)

    def windows(
        self, sentences: Iterable[Sentence], num_tokens: Callable[[Any], int] = len
    ) -> Iterator[List[Sentence]]:
        """
        Cuts a stream of sentences into the windows that `run_window` takes.

        # Parameters

        sentences : `Iterable[Sentence]`
            The sentences, of any type.
        num_tokens : `Callable[[Sentence], int]`, optional (default = `len`)
            Returns the number of tokens of a sentence.

        # Returns

        `Iterator[List[Sentence]]`
            The windows. If the order counts, each is a batch.
        """
        if self.order_counts:
            return windows(sentences, self.batch_size, lambda sentence: 1)
        max_tokens = WINDOW_BATCHES * self.max_tokens
        return windows(sentences, max_tokens, lambda each: num_tokens(each) + BOUNDARIES)

    def run_window(self, window: Sequence[Sequence[str]]) -> List[numpy.ndarray]:
        """
        Returns the vectors of the sentences of a window.

        # Parameters

        window : `Sequence[Sequence[str]]`
            The tokens of each sentence.

        # Returns

        `List[numpy.ndarray]`
            As `embed`.

        # Raises

        `ConfigurationError`
            When a sentence is not a sequence of strings.
        """
        for sentence in window:
            self._check(sentence)
        batches = [list(range(len(window)))]
        if not self.order_counts:
            batches = batches_of_window([len(sentence) for sentence in window], self.max_tokens)
        results: List[Optional[numpy.ndarray]] = [None] * len(window)
        for positions in batches:
            vectors = self._embed_batch([window[position] for position in positions])
            for position, array in zip(positions, vectors):
                results[position] = array
        return cast(List[numpy.ndarray], results)

    def _check(self, sentence: Sequence[str]) -> None:
        if isinstance(sentence, str):
            if self._tell_of_characters.is_first():
                logger.info(
                    "Sentences are strings, for example %r: each character is a token. If they are "
                    "text, split them into lists of tokens.",
                    sentence[:40],
                )
        elif not all(isinstance(token, str) for token in sentence):
            raise ConfigurationError(
                f"Expected a sentence to be a sequence of strings, got {sentence!r:.200}."
            )

    def _embed_batch(self, sentences: List[Sequence[str]]) -> List[numpy.ndarray]:
        try:
            return self._run(sentences)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error) or self.order_counts:
                raise
            # The retry comes after this block, since the error holds on to the tensors.
            message = str(error).partition("\n")[0]
        return self._embed_in_less_memory(sentences, message)

    def _embed_in_less_memory(
        self, sentences: List[Sequence[str]], message: str
    ) -> List[numpy.ndarray]:
        if self._warn_of_memory.is_first():
            logger.warning(
                "A batch of %d sentences does not fit into memory (%s). It is halved, and a single "
                "sentence that does not fit is run on the CPU. A smaller 'max_tokens' than %d "
                "avoids that.",
                len(sentences),
                message,
                self.max_tokens,
            )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(sentences) > 1:
            half = (len(sentences) + 1) // 2
            return self._embed_batch(sentences[:half]) + self._embed_batch(sentences[half:])
        if self._device.type == "cpu":
            raise MemoryError(
                f"A sentence of {len(sentences[0])} tokens does not fit into memory ({message}). "
                "Split it, or compute fewer layers."
            )
        return self._copy_on_cpu()._embed_batch(sentences)

    def _run(self, sentences: List[Sequence[str]]) -> List[numpy.ndarray]:
        with torch.inference_mode():
            character_ids = self.encoder.spelling.spell_sentences(sentences)
            batch = self.encoder.make_batch(character_ids.to(self._device))
            mix = self._mix
            num_needed = None if mix is None else mix.num_representations_read()
            layers, mask = self.encoder(batch, num_needed)
            chosen = layers if mix is None else mix(layers, mask)
            vectors = chosen.float().cpu().numpy()
        return [
            self._result(vectors[..., row, self._margin : length - self._margin, :])
            for row, length in enumerate(batch.lengths)
        ]

    def _result(self, vectors: numpy.ndarray) -> numpy.ndarray:
        if not self._is_pooled:
            # A copy: one sentence that is kept must not keep its whole batch.
            return vectors.copy()
        total = vectors.sum(axis=-2, dtype=numpy.float64)
        return (total / max(vectors.shape[-2], 1)).astype(numpy.float32)

    @property
    def _device(self) -> torch.device:
        return next(self.encoder.parameters()).device

    def _copy_on_cpu(self) -> "ElmoExtractor":
        with self._lock.current:
            if self._on_cpu is None:
                # The accelerator has no room for a second copy of the weights.
                mix = torch.nn.Module() if self._mix is None else self._mix
                weights = [*self.encoder.parameters(), *mix.parameters()]
                buffers = [*self.encoder.buffers(), *mix.buffers()]
                on_cpu: Dict[int, Any] = {id(buffer): buffer.cpu() for buffer in buffers}
                for weight in weights:
                    on_cpu[id(weight)] = torch.nn.Parameter(weight.detach().cpu(), False)
                copy = deepcopy(self, on_cpu)
                copy.encoder.cpu()
                self._on_cpu = copy
            return self._on_cpu


def _device_of(device: Union[int, str, torch.device]) -> torch.device:
    return torch.device("cpu") if device == -1 else torch.device(device)


def _require_positive(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ConfigurationError(f"Expected '{name}' to be at least 1, got {value}.")


def _trained_mix(name: str, mixes: List[ScalarMix]) -> ScalarMix:
    names = {f"{MIX}_{number}": mix for number, mix in enumerate(mixes)}
    if len(mixes) == 1:
        names[MIX] = mixes[0]
    if name not in names:
        raise ConfigurationError(
            f"Got the choice of layers '{name}', but the trained scalar mixes of the model are: "
            f"{', '.join(names) or 'none'}. Choose one of them, or other layers."
        )
    return names[name]


def _mix_of(layers: Union[str, int, ScalarMix], encoder: ElmoEncoder) -> Optional[ScalarMix]:
    """Returns the mix that a choice of layers stands for, or `None` for all layers."""
    if layers == "all":
        return None
    if not isinstance(layers, ScalarMix):
        device = next(encoder.parameters()).device
        return FixedScalarMix(layers=layers, num_representations=encoder.num_representations).to(
            device
        )
    if layers.do_layer_norm:
        raise ConfigurationError(
            "Got a scalar mix with 'do_layer_norm', with which the vectors of a sentence depend on "
            "the rest of its batch. Choose all layers, and mix them yourself."
        )
    return layers


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in OUT_OF_MEMORY)
