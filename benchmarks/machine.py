"""
The machine and the software that a run measures.
"""

import os
import platform
from typing import Dict

import torch

from allennlp_elmo_plugin.kernels import choose_kernels

__all__ = ["describe_kernels", "describe_machine"]


def describe_machine() -> Dict[str, str]:
    """
    Describes this process and its machine.

    # Returns

    `Dict[str, str]`
        Descriptions by name: versions, number of threads, kernels, processor, GPU and load.
    """
    return {
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
        "kernels": describe_kernels(),
        "python": platform.python_version(),
        "processor": _processor(),
        **({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}),
        # Other work on the machine makes times unreliable.
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def describe_kernels() -> str:
    """
    Describes the kernels that the plugin dispatches to.

    # Returns

    `str`
        Capability of the kernels, or a remark that PyTorch runs instead.
    """
    kernels = choose_kernels()
    return "none, but PyTorch" if kernels is None else kernels.capability


def _processor() -> str:
    """Returns the processor's model as Linux names it, or else as Python does."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
