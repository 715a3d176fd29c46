"""Kernels that can run on this machine."""

from typing import List

from allennlp_elmo_plugin.kernels import available_kernels

__all__ = ["CAPABILITIES"]

CAPABILITIES: List[str] = [name for name in available_kernels() if name != "plain"]
