"""
The engine that runs sentences through an encoder, whatever becomes of the layers.
"""

import logging
from abc import ABC, abstractmethod
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
from allennlp_elmo_plugin.extraction.batching import BOUNDARIES, batches_of_window, windows
from allennlp_elmo_plugin.io.locks import ForkSafeLock, Once

__all__ = ["SentenceEngine", "device_of"]

logger = logging.getLogger(__name__)

Sentence = TypeVar("Sentence")
Engine = TypeVar("Engine", bound="SentenceEngine")

WINDOW_BATCHES = 16
OUT_OF_MEMORY = ("out of memory", "can't allocate memory")


class SentenceEngine(ABC):
    """
    An engine that turns each sentence into an array, by way of an encoder.

    Results come in the order of the sentences. Inside a window of sentences, batches hold sentences
    of similar length. If a batch does not fit into the memory of an accelerator, it is halved; a
    single sentence that does not fit is run on the CPU.

    With an encoder whose layers depend on the batches before, such as one with the initial state
    `carry`, batches hold `batch_size` sentences in their order, as in AllenNLP 0.9.

    Several threads may use an engine, unless its initial state is `carry`.

    # Parameters

    encoder : `ElmoEncoder`
        The encoder. It is put into evaluation mode.
    max_tokens : `int`, optional (default = `2048`)
        Largest number of positions of a batch: sentences times the tokens of the longest one, with
        two boundaries. A longer sentence is run alone. More takes more memory.
    batch_size : `int`, optional (default = `64`)
        The number of sentences of a batch if their order counts.

    # Raises

    `ConfigurationError`
        When a value is not as described.
    """

    def __init__(self, encoder: ElmoEncoder, max_tokens: int = 2048, batch_size: int = 64) -> None:
        _require_positive(max_tokens=max_tokens, batch_size=batch_size)
        self.encoder = encoder.eval()
        self.max_tokens = max_tokens
        self.batch_size = batch_size
        self._lock = ForkSafeLock()
        self._on_cpu: Any = None
        self._warn_of_memory, self._tell_of_characters = Once(), Once()

    @property
    def order_counts(self) -> bool:
        """`True` if the result of a sentence depends on the sentences before."""
        return self.encoder.uncacheable_reason() is not None

    @abstractmethod
    def digest(self) -> str:
        """Returns a digest that differs between models that give different results."""

    def settings(self) -> Dict[str, Any]:
        """Returns what results depend on besides the weights and the state, by name."""
        return {"max tokens": self.max_tokens}

    def stream(self, sentences: Iterable[Sequence[str]]) -> Iterator[numpy.ndarray]:
        """
        Yields the results of sentences one by one, and reads a window of sentences at a time.

        # Parameters

        sentences : `Iterable[Sequence[str]]`
            The tokens of each sentence, of any number of sentences.

        # Returns

        `Iterator[numpy.ndarray]`
            An array for each sentence.

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
        Returns the results of the sentences of a window.

        # Parameters

        window : `Sequence[Sequence[str]]`
            The tokens of each sentence.

        # Returns

        `List[numpy.ndarray]`
            An array for each sentence.

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
            arrays = self._run_batch([window[position] for position in positions])
            for position, array in zip(positions, arrays):
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

    def _run_batch(self, sentences: List[Sequence[str]]) -> List[numpy.ndarray]:
        try:
            return self._run(sentences)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error) or self.order_counts:
                raise
            # The retry comes after this block, since the error holds on to the tensors.
            message = str(error).partition("\n")[0]
        return self._run_in_less_memory(sentences, message)

    def _run_in_less_memory(
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
            return self._run_batch(sentences[:half]) + self._run_batch(sentences[half:])
        if self._device.type == "cpu":
            raise MemoryError(
                f"A sentence of {len(sentences[0])} tokens does not fit into memory ({message}). "
                "Split it."
            )
        return self._copy_on_cpu()._run_batch(sentences)

    @abstractmethod
    def _run(self, sentences: List[Sequence[str]]) -> List[numpy.ndarray]:
        """Returns the result of each sentence of a batch."""

    def _modules(self) -> List[torch.nn.Module]:
        """Returns the modules whose weights a run reads."""
        return [self.encoder]

    @property
    def _device(self) -> torch.device:
        return next(self.encoder.parameters()).device

    def _copy_on_cpu(self: Engine) -> Engine:
        with self._lock.current:
            if self._on_cpu is None:
                # The accelerator has no room for a second copy of the weights.
                on_cpu: Dict[int, Any] = {}
                for module in self._modules():
                    on_cpu.update((id(buffer), buffer.cpu()) for buffer in module.buffers())
                    for weight in module.parameters():
                        on_cpu[id(weight)] = torch.nn.Parameter(weight.detach().cpu(), False)
                copy = deepcopy(self, on_cpu)
                copy.encoder.cpu()
                self._on_cpu = copy
            return cast(Engine, self._on_cpu)


def device_of(device: Union[int, str, torch.device]) -> torch.device:
    """
    Returns a device.

    # Parameters

    device : `Union[int, str, torch.device]`
        The device, its name, or the number of a GPU, where -1 is the CPU.
    """
    return torch.device("cpu") if device == -1 else torch.device(device)


def _require_positive(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ConfigurationError(f"Expected '{name}' to be at least 1, got {value}.")


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in OUT_OF_MEMORY)
