"""
The biLM and its layers, as plain PyTorch modules.

Import from the modules themselves: `weights` and `kernels` need the spelling and the options, and
the network needs both of them.
"""
