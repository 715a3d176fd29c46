"""
A fuzzer of everything that the plugin reads.

`make fuzz` or `python -m reliability.fuzz` runs random cases of each kind. A case is one input, and
it must end in a correct result or in a clear error.
"""
