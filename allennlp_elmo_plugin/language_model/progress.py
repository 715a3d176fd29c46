"""
How far the training of a biLM is, in a line that a person can read.
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
    Logs how far the training of a `bidirectional_lm` is: the epoch and the share of it that is
    done, tokens per second, the perplexity of both directions (in this epoch so far, as the model
    has them), and the time left, which supposes that all epochs take equally long.

    The same numbers are metrics of the model, so that the callback `tensorboard` draws them.

    Registered as a `TrainerCallback` with name "bilm_progress", and one of AllenNLP's default
    callbacks as soon as the plugin is there: a config names it to change how often.

    # Parameters

    seconds : `float`, optional (default = `30.0`)
        How much time is between two lines.
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
        # Parameters

        trainer : `GradientDescentTrainer`
            The trainer.
        batch_inputs : `List[TensorDict]`
            The batches of a step, with the reader's `metadata`.
        batch_metrics : `Dict[str, Any]`
            The model's metrics.
        epoch, batch_number : `int`
            Where the training is.
        is_training : `bool`
            Whether this is no validation.
        is_primary : `bool`, optional (default = `True`)
            Whether this process is to speak.
        """
        if not (is_training and is_primary and isinstance(trainer.model, BidirectionalLm)):
            return
        now = time.monotonic()
        share = _share_of_epoch(trainer, batch_inputs, batch_number)
        done = (epoch + share) / trainer._num_epochs
        if self._first_time is None:
            self._first_time, self._first_share, self._last_time = now, done, now
        # The first batch of an epoch has no speed yet.
        speed = batch_metrics["tokens_per_second"]
        if now - self._last_time < self._seconds or done <= self._first_share or not speed:
            return
        self._last_time = now
        left = (now - self._first_time) * (1 - done) / (done - self._first_share)
        logger.info(
            "Epoch %d of %d, %.0f%% of it: %.0f tokens/s, perplexity forward %.1f, backward %.1f, "
            "%s left",
            epoch + 1,
            trainer._num_epochs,
            100 * share,
            speed,
            batch_metrics["forward_perplexity"],
            batch_metrics["backward_perplexity"],
            _readable(left),
        )


def _share_of_epoch(
    trainer: GradientDescentTrainer, batch_inputs: List[TensorDict], batch_number: int
) -> float:
    try:
        num_steps = len(trainer.data_loader) / trainer._num_gradient_accumulation_steps
        return min(1.0, batch_number / num_steps)
    except TypeError:
        # The loader knows how many batches there are only if it holds them all, or was told.
        metadata: Any = batch_inputs[-1]["metadata"]
        return float(metadata[-1]["share_read"])


def _readable(seconds: float) -> str:
    hours, minutes = divmod(max(1, round(seconds / 60)), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
