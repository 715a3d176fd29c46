"""
The biLM and all that it is made of, as plain modules.

Import from the modules themselves: `weights` and `kernels` need the spelling and the options, and
the network needs both of them.
"""
