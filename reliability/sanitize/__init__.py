"""
The compiled kernels under the compiler's sanitizers: `make sanitize`.

`address` runs the tests on kernels that check every access to memory and every undefined operation.
`threads` runs the kernels in a C program that checks every pair of accesses for data races.
"""
