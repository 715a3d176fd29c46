"""The kernels that the tests run."""

from allennlp_elmo_plugin.kernels import available_kernels

__all__ = ["CAPABILITIES"]

CAPABILITIES = [name for name in available_kernels() if name != "plain"]
"""The compiled capabilities that this processor has, without plain PyTorch."""
