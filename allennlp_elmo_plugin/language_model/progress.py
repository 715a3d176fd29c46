"""
Logging the progress of a biLM's training.
"""

import logging
import time
from typing import Any, Dict, List, Optional

from allennlp.data import TensorDict
from allennlp.training import TrainerCallback
from allennlp.training.gradient_descent_trainer import GradientDescentTrainer
from overrides import overrides

from allennlp_elmo_plugin.language_model.bidirectional_lm import BidirectionalLm

__all__ = ["BilmProgress"]

logger = logging.getLogger(__name__)


@TrainerCallback.register("bilm_progress")
class BilmProgress(TrainerCallback):
    """
    A trainer callback that logs the progress of a `bidirectional_lm`.

    A line has the epoch and the share of it that is done, the throughput in tokens per second, the
    perplexity of both directions in this epoch, and the time left if all epochs take equally long.
    Throughput and perplexity are metrics of the model, so the callback `tensorboard` plots them.

    Registered as a `TrainerCallback` with name "bilm_progress". It is a default callback: a config
    has to name it only to change `seconds`.

    # Parameters

    serialization_dir : `str`
        Folder of the training. AllenNLP fills it in.
    seconds : `float`, optional (default = `30.0`)
        Least time between two lines.
    """

    def __init__(self, serialization_dir: str, seconds: float = 30.0) -> None:
        super().__init__(serialization_dir)
        self._seconds = seconds
        self._first_time: Optional[float] = None
        self._first_share = 0.0
        self._last_time = 0.0

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
        Logs a line if it is time for one.

        # Parameters

        trainer : `GradientDescentTrainer`
            The trainer.
        batch_inputs : `List[TensorDict]`
            Batches of the training step, with the reader's `metadata`.
        batch_metrics : `Dict[str, Any]`
            Metrics of the model.
        epoch, batch_number : `int`
            Number of the epoch, from 0, and of the training step in it, from 1.
        is_training : `bool`
            `True` for training batches.
        is_primary : `bool`, optional (default = `True`)
            `True` in the process that logs.
        """
        if not (is_training and is_primary and isinstance(trainer.model, BidirectionalLm)):
            return
        now = time.monotonic()
        share = _share_of_epoch(trainer, batch_inputs, batch_number)
        done = (epoch + share) / trainer._num_epochs
        if self._first_time is None:
            self._first_time, self._first_share, self._last_time = now, done, now
        # The throughput is 0 after the first batch of an epoch.
        throughput = batch_metrics["tokens_per_second"]
        if now - self._last_time < self._seconds or done <= self._first_share or not throughput:
            return
        self._last_time = now
        left = (now - self._first_time) * (1 - done) / (done - self._first_share)
        logger.info(
            "Epoch %d of %d, %.0f%% of it: %.0f tokens/s, perplexity forward %.1f, backward %.1f, "
            "%s left",
            epoch + 1,
            trainer._num_epochs,
            100 * share,
            throughput,
            batch_metrics["forward_perplexity"],
            batch_metrics["backward_perplexity"],
            _format_duration(left),
        )


def _share_of_epoch(
    trainer: GradientDescentTrainer, batch_inputs: List[TensorDict], batch_number: int
) -> float:
    try:
        num_training_steps = len(trainer.data_loader) / trainer._num_gradient_accumulation_steps
        return min(1.0, batch_number / num_training_steps)
    except TypeError:
        # A loader that reads lazily, without `batches_per_epoch`, has no length.
        metadata: Any = batch_inputs[-1]["metadata"]
        return float(metadata[-1]["share_read"])


def _format_duration(seconds: float) -> str:
    hours, minutes = divmod(max(1, round(seconds / 60)), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
