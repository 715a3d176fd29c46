/* Skylake-X, Cascade Lake and Ice Lake servers. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#define CAPABILITY avx512
#define LANES 16
#define ROWS 6
#include "kernels.inc"
#endif
