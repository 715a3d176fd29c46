/* Haswell, Zen 1 to 3, and newer desktop processors. */
#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#define CAPABILITY avx2
#define LANES 8
#define ROWS 3
#include "kernels.inc"
#endif
