"""
What takes part in every training as soon as the plugin is there, without a config that names it.
"""

from allennlp.training import gradient_descent_trainer

from allennlp_elmo_plugin.embedder.activation_cache.summary import ActivationCacheSummary
from allennlp_elmo_plugin.language_model.progress import BilmProgress
from allennlp_elmo_plugin.language_model.resumption import BilmResumption

__all__ = ["add_default_callbacks"]


def add_default_callbacks() -> None:
    """
    Makes the plugin's callbacks default callbacks of AllenNLP, once. Each does nothing for models
    that it is not made for.
    """
    defaults = gradient_descent_trainer.DEFAULT_CALLBACKS
    ours = (ActivationCacheSummary, BilmProgress, BilmResumption)
    missing = tuple(callback for callback in ours if callback not in defaults)
    # The tuple is typed as one of exactly one callback.
    gradient_descent_trainer.DEFAULT_CALLBACKS = (*defaults, *missing)  # type: ignore[assignment]
