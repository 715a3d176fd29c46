/* Any processor: the compiler's own baseline (SSE2 on x86-64, NEON on ARM). */
#define CAPABILITY generic
#define LANES 4
#define ROWS 3
#include "kernels.inc"
