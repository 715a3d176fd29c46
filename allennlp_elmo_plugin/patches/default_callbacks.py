"""
Adding callbacks to every training, so that no config has to name them.
"""

from typing import Type

from allennlp.training import TrainerCallback, gradient_descent_trainer

__all__ = ["add_default_callbacks"]


def add_default_callbacks(*callbacks: Type[TrainerCallback]) -> None:
    """
    Adds callbacks to the default callbacks of AllenNLP's trainer, unless they are there already.

    # Parameters

    callbacks : `Type[TrainerCallback]`
        Callback classes. AllenNLP constructs them with the `serialization_dir` alone. They run in
        every training, so each must ignore the models that it is not made for.
    """
    defaults = gradient_descent_trainer.DEFAULT_CALLBACKS
    missing = tuple(callback for callback in callbacks if callback not in defaults)
    # AllenNLP's annotation says that the tuple has exactly one callback.
    gradient_descent_trainer.DEFAULT_CALLBACKS = (*defaults, *missing)  # type: ignore[assignment]
