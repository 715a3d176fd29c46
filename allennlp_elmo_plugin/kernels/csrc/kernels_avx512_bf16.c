/* Zen 4, Sapphire Rapids and newer, and Cooper Lake. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma")
#define CAPABILITY avx512_bf16
#define LANES 16
#define ROWS 6
#include "kernels.inc"
#endif
