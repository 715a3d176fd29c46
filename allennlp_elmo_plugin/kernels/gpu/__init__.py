"""
Kernels for NVIDIA's GPUs, in Triton: the recurrence of the LSTM with projection.
"""

from allennlp_elmo_plugin.kernels.gpu.lstm import GpuWeights, gpu_lstm

__all__ = ["GpuWeights", "gpu_lstm"]
