"""
What the numbers were measured with.
"""

import os
import platform
from typing import Dict

import torch

from allennlp_elmo_plugin.kernels import choose_kernels

__all__ = ["describe_machine", "kernels_that_run"]


def describe_machine() -> Dict[str, str]:
    """
    # Returns

    `Dict[str, str]`
        By name, what there is to know about this process and its machine.
    """
    return {
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
        "kernels": kernels_that_run(),
        "python": platform.python_version(),
        "processor": _processor(),
        # Times mean little on a machine that had other work.
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def kernels_that_run() -> str:
    """
    # Returns

    `str`
        The level of the plugin's kernels, or that PyTorch runs in their place.
    """
    kernels = choose_kernels()
    return "none, but PyTorch" if kernels is None else kernels.capability


def _processor() -> str:
    """The model, as Linux calls it, or what Python knows."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
