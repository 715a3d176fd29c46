"""
The engine that turns sentences into vectors.
"""

import os
from typing import Any, Dict, Iterable, List, Optional, Sequence, Union

import numpy
import torch
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder
from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.embedder.scalar_mix import FixedScalarMix, ScalarMix
from allennlp_elmo_plugin.extraction.engine import SentenceEngine, device_of
from allennlp_elmo_plugin.extraction.models import digest_of_weights, load_elmo

__all__ = ["MIX", "ElmoExtractor"]

MIX = "mix"
"""Choice of the only scalar mix of a trained model."""


class ElmoExtractor(SentenceEngine):
    """
    An engine that turns sentences into vectors.

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
        Largest number of positions of a batch; see `SentenceEngine`.
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
        super().__init__(encoder, max_tokens, batch_size)
        if pool not in (None, "mean"):
            raise ConfigurationError(f"Expected 'pool' to be None or 'mean', got {pool!r}.")
        if pool is not None and keep_sentence_boundaries:
            raise ConfigurationError(
                "Got both 'pool' and 'keep_sentence_boundaries', but boundaries do not count in a "
                "mean. Keep one of them."
            )
        self._mix = _mix_of(layers, encoder)
        self._is_pooled = pool is not None
        self._margin = 0 if keep_sentence_boundaries else 1

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
        loaded.encoder.to(device_of(device))
        chosen = layers
        if isinstance(layers, str) and layers.startswith(MIX):
            chosen = _trained_mix(layers, loaded.scalar_mixes).to(device_of(device))
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

    @overrides
    def digest(self) -> str:
        return digest_of_weights(self.encoder, self._mix)

    @overrides
    def settings(self) -> Dict[str, Any]:
        return {
            "pool": self._is_pooled,
            "keep sentence boundaries": self._margin == 0,
            **super().settings(),
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

    @overrides
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

    @overrides
    def _modules(self) -> List[torch.nn.Module]:
        return [self.encoder] if self._mix is None else [self.encoder, self._mix]

    def _result(self, vectors: numpy.ndarray) -> numpy.ndarray:
        if not self._is_pooled:
            # A copy: one sentence that is kept must not keep its whole batch.
            return vectors.copy()
        total = vectors.sum(axis=-2, dtype=numpy.float64)
        return (total / max(vectors.shape[-2], 1)).astype(numpy.float32)


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
