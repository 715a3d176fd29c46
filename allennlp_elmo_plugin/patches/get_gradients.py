"""
A patch for `Predictor.get_gradients`, which the tools of `allennlp.interpret` call.

AllenNLP lets every parameter require gradients and registers hooks, and undoes this at the end. If
the model raises an error before that, the predictor keeps both. In any case it keeps a gradient for
each parameter, and can no longer get hooks of PyTorch's newer kind. Two threads would take each
other's changes for the state from before.
"""

from contextlib import contextmanager
from typing import Any, Iterator, List

from allennlp.data import Instance
from allennlp.predictors import Predictor

from allennlp_elmo_plugin.io.locks import ForkSafeLock
from allennlp_elmo_plugin.patches.methods import Method, replace_method

__all__ = ["patch_get_gradients"]

# One for all predictors, since several may share a model.
_CHANGES_A_MODEL = ForkSafeLock()

_HOOKS = ("_forward_hooks", "_backward_hooks")


@contextmanager
def _restored(predictor: Predictor) -> Iterator[None]:
    """Gives the predictor and its model the state from before the `with` block again."""
    model, offsets = predictor._model, predictor._token_offsets
    parameters = [(each, each.requires_grad, each.grad) for each in model.parameters()]
    hooks = [getattr(module, name) for module in model.modules() for name in _HOOKS]
    kinds = [(module, module._is_full_backward_hook) for module in model.modules()]
    earlier_hooks, earlier_offsets = [dict(each) for each in hooks], list(offsets)
    try:
        yield
    finally:
        for parameter, requires_grad, gradient in parameters:
            parameter.requires_grad, parameter.grad = requires_grad, gradient
        for registered, earlier in zip(hooks, earlier_hooks):
            registered.clear()
            registered.update(earlier)
        for module, kind in kinds:
            module._is_full_backward_hook = kind
        offsets[:] = earlier_offsets


def _patch(get_gradients: Method) -> Method:
    def patched(self: Predictor, instances: List[Instance]) -> Any:
        with _CHANGES_A_MODEL.current, _restored(self):
            return get_gradients(self, instances)

    return patched


def patch_get_gradients() -> None:
    """
    Lets `Predictor.get_gradients` leave the predictor as it was, also after an error.

    Threads that call it get their gradients one after the other.

    The parameters require gradients and have the gradients that they had before, and no hook stays.
    """
    replace_method(Predictor, "get_gradients", _patch)
