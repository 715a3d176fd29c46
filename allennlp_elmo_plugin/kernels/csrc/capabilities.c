/* Which versions of the kernels this processor runs. */

#include <string.h>

#include "kernels.h"

int64_t runs_here(const char *capability)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!strcmp(capability, "avx2"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (!strncmp(capability, "avx512", 6)) {
        const int base = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
        return base && (!strcmp(capability, "avx512") || (__builtin_cpu_supports("avx512vnni") &&
                                                          __builtin_cpu_supports("avx512bf16")));
    }
#endif
    return !strcmp(capability, "generic");
}
