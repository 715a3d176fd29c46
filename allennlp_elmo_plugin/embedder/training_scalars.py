"""
The figures that are drawn while a model with ELMo is trained.
"""

import time
from collections import defaultdict
from typing import Any, Dict, Iterator, List, Optional, Tuple

import torch
from allennlp.data import TensorDict
from allennlp.training import TrainerCallback
from allennlp.training.callbacks.log_writer import LogWriterCallback
from allennlp.training.gradient_descent_trainer import GradientDescentTrainer
from overrides import overrides

from allennlp_elmo_plugin.embedder.activation_cache.base import ActivationCache
from allennlp_elmo_plugin.embedder.activation_cache.hdf5 import Hdf5ActivationCache
from allennlp_elmo_plugin.embedder.elmo import Elmo
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder
from allennlp_elmo_plugin.embedder.scalar_mix import ScalarMix
from allennlp_elmo_plugin.embedder.token_embedder import ElmoTokenEmbedder
from allennlp_elmo_plugin.embedder.word_cache.lru import LruWordCache
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch

__all__ = ["ElmoScalars"]

PREFIX = "elmo"
HITS = {LruWordCache: "word_cache_hits", Hdf5ActivationCache: "activation_cache_hits"}
THROUGHPUT = "tokens_per_second"

Counts = Dict[str, Tuple[float, float]]
"""Two numbers by the name of a scalar, which is the ratio of what has been added to each."""


@TrainerCallback.register("elmo_scalars")
class ElmoScalars(TrainerCallback):
    """
    A trainer callback that draws scalar mixes, cache hits and throughput in TensorBoard.

    It writes through the callbacks `tensorboard` and `wandb`, as often as their `summary_interval`
    says, and does nothing without them. Each `elmo_token_embedder`, or other module of this
    package, has scalars below `elmo/` and the name of its module:

    - `mix_0_layer_0` and so on, the weights of a trained scalar mix after the softmax, and
      `mix_0_gamma`;
    - `word_cache_hits` and `activation_cache_hits`, shares from 0 to 1 of the words and sentences
      that were cached;
    - `tokens_per_second`, the tokens that the module has read in a second.

    Hits and throughput are those of the training steps since the last scalar. The throughput leaves
    out the first step of each epoch, where the training starts or comes from the validation. In a
    distributed training, they are those of the process that writes.

    Registered as a `TrainerCallback` with name "elmo_scalars". It is a default callback: no config
    has to name it.
    """

    def __init__(self, serialization_dir: str) -> None:
        super().__init__(serialization_dir)
        self._writers: List[Tuple[LogWriterCallback, _Ratios]] = []
        self._readers: List[_Reader] = []
        self._counts: Counts = {}
        self._epoch: Optional[int] = None

    @overrides
    def on_start(
        self, trainer: GradientDescentTrainer, is_primary: bool = True, **kwargs: Any
    ) -> None:
        """
        Finds the callbacks that write and the modules of this package.

        # Parameters

        trainer : `GradientDescentTrainer`
            The trainer.
        is_primary : `bool`, optional (default = `True`)
            `True` in the process that writes.
        """
        super().on_start(trainer, is_primary, **kwargs)
        writers = [each for each in trainer._callbacks if isinstance(each, LogWriterCallback)]
        if is_primary and writers:
            self._writers = [(writer, _Ratios()) for writer in writers]
            self._readers = [_Reader(*named) for named in _outermost(trainer.model)]
            self._counts = self._count()

    @overrides
    def on_batch(
        self,
        trainer: GradientDescentTrainer,
        batch_inputs: List[TensorDict],
        batch_outputs: List[Dict[str, Any]],
        batch_metrics: Dict[str, Any],
        epoch: int,
        batch_number: int,
        is_training: bool,
        is_primary: bool = True,
        batch_grad_norm: Optional[float] = None,
        **kwargs: Any,
    ) -> None:
        """
        Counts a training step, and writes the scalars that are due.

        # Parameters

        trainer : `GradientDescentTrainer`
            The trainer.
        epoch : `int`
            Number of the epoch.
        is_training : `bool`
            `True` for training batches.
        """
        if not (is_training and self._readers):
            return
        before, self._counts = self._counts, self._count()
        is_first, self._epoch = epoch != self._epoch, epoch
        added = {
            name: (count[0] - before[name][0], count[1] - before[name][1])
            for name, count in self._counts.items()
            if not (is_first and name.endswith(THROUGHPUT))
        }
        for writer, ratios in self._writers:
            ratios.add(added)
            if trainer._total_batches_completed % writer._summary_interval == 0:
                mixes = (reader.mix_scalars() for reader in self._readers)
                scalars = {name: value for mix in mixes for name, value in mix.items()}
                writer.log_scalars({**scalars, **ratios.take()}, log_prefix=PREFIX)

    @overrides
    def on_epoch(
        self,
        trainer: GradientDescentTrainer,
        metrics: Dict[str, Any],
        epoch: int,
        is_primary: bool = True,
        **kwargs: Any,
    ) -> None:
        """
        Leaves out what the validation has counted.

        # Parameters

        trainer : `GradientDescentTrainer`
            The trainer.
        metrics : `Dict[str, Any]`
            Ignored.
        epoch : `int`
            Ignored.
        is_primary : `bool`, optional (default = `True`)
            Ignored.
        """
        self._counts = self._count()

    @overrides
    def on_end(
        self,
        trainer: GradientDescentTrainer,
        metrics: Optional[Dict[str, Any]] = None,
        epoch: Optional[int] = None,
        is_primary: bool = True,
        **kwargs: Any,
    ) -> None:
        """
        Stops counting.

        # Parameters

        trainer : `GradientDescentTrainer`
            The trainer.
        """
        for reader in self._readers:
            reader.close()
        self._readers, self._writers = [], []

    def _count(self) -> Counts:
        now = time.perf_counter()
        return {
            name: count for reader in self._readers for name, count in reader.counts(now).items()
        }


class _Ratios:
    """Sums of counts since the last scalar."""

    def __init__(self) -> None:
        self._sums: Dict[str, List[float]] = defaultdict(lambda: [0.0, 0.0])

    def add(self, counts: Counts) -> None:
        for name, (part, whole) in counts.items():
            self._sums[name][0] += part
            self._sums[name][1] += whole

    def take(self) -> Dict[str, float]:
        """Returns the ratios and starts anew, without those of nothing to nothing."""
        ratios = {name: part / whole for name, (part, whole) in self._sums.items() if whole}
        self._sums.clear()
        return ratios


class _Reader:
    """Reads the figures of one module of this package."""

    def __init__(self, name: str, module: torch.nn.Module) -> None:
        self._name = name
        modules = list(module.modules())
        self._mixes = [each for each in modules if isinstance(each, ScalarMix)]
        self._caches: List[Tuple[Any, str]] = [
            (cache, scalar)
            for kind, scalar in HITS.items()
            for cache in modules
            if isinstance(cache, kind)
        ]
        self._tokens = _TokenCount()
        # An activation cache is handed all sentences, and the encoder only those that it lacks.
        caches = [each for each in modules if isinstance(each, ActivationCache)]
        reading: List[torch.nn.Module] = [*caches] or [module]
        self._handles = [each.register_forward_pre_hook(self._tokens) for each in reading]

    def counts(self, now: float) -> Counts:
        counts: Dict[str, Tuple[float, float]] = {}
        for cache, scalar in self._caches:
            counts[self._path(scalar)] = (cache.hits, cache.hits + cache.misses)
        counts[self._path(THROUGHPUT)] = (self._tokens.num_tokens, now)
        return counts

    def mix_scalars(self) -> Dict[str, float]:
        scalars = {}
        for k, mix in enumerate(self._mixes):
            # The weights of a fixed mix would be flat lines.
            if mix.gamma.requires_grad:
                # TensorBoard shortens names, but for what follows the last slash.
                for layer, weight in enumerate(mix.normalized_weights().tolist()):
                    scalars[self._path(f"mix_{k}_layer_{layer}")] = weight
                scalars[self._path(f"mix_{k}_gamma")] = mix.gamma.item()
        return scalars

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _path(self, scalar: str) -> str:
        # A module that is the whole model has no name.
        return f"{self._name}/{scalar}" if self._name else scalar


class _TokenCount:
    """
    A forward pre-hook that counts the tokens of batches.

    Their lengths are on the CPU already, so no step waits for a GPU.
    """

    def __init__(self) -> None:
        self.num_tokens = 0

    def __call__(self, module: torch.nn.Module, inputs: Tuple[Any, ...]) -> None:
        self.num_tokens += sum(
            sum(batch.num_tokens) for batch in inputs if isinstance(batch, SentenceBatch)
        )


def _outermost(model: torch.nn.Module) -> Iterator[Tuple[str, torch.nn.Module]]:
    """Yields the modules of this package that lie in no other one of them, with their names."""
    inside: List[str] = []
    for name, module in model.named_modules():
        is_inside = any(f"{name}.".startswith(outer) for outer in inside)
        if isinstance(module, (ElmoTokenEmbedder, Elmo, ElmoEncoder)) and not is_inside:
            inside.append(f"{name}." if name else "")
            yield name, module
