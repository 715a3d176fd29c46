/* The constants and sizes that Python compares with its own. */

#include <stddef.h>

#include "kernels.h"

#define CONSTANT(name) {#name, name}
#define SIZE(type) {"sizeof(" #type ")", sizeof(type)}

const struct abi_constant *abi_constants(void)
{
    static const struct abi_constant constants[] = {
        CONSTANT(ABI_VERSION),
        CONSTANT(GROUP),
        CONSTANT(PANEL),
        CONSTANT(BLOCK_PANELS),
        CONSTANT(FLOAT32),
        CONSTANT(BFLOAT16),
        CONSTANT(INT8),
        CONSTANT(DONE),
        CONSTANT(NO_MEMORY),
        CONSTANT(INVALID),
        SIZE(struct matrix),
        SIZE(struct filters),
        SIZE(struct lstm_forward_arguments),
        SIZE(struct lstm_backward_arguments),
        SIZE(struct linear_arguments),
        SIZE(struct word_scores_arguments),
        SIZE(struct convolution_arguments),
        {NULL, 0},
    };
    return constants;
}
