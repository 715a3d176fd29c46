"""Tests of the plugin."""

import os

# One OpenMP thread for each process, also those that tests start: more would wait for each other on
# a machine with few cores. Tests of several threads ask PyTorch for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

# Without a GPU, Triton interprets the kernels for GPUs on the CPU. It reads the variable when it is
# imported, which packages that the plugin needs do first.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")
