"""Tests of the plugin."""

import os

import torch

# Without a GPU, Triton interprets the kernels for GPUs on the CPU. It reads the variable when it is
# imported, which packages that the plugin needs do first.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")
