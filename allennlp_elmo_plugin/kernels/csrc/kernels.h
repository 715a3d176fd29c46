/*
 * The ABI: everything that Python and the kernels agree on.
 *
 * kernels/abi.py mirrors the structures. When it loads the library, it compares the sizes and
 * constants that abi.c exports with its own.
 *
 * A tiled matrix of N rows and K columns is cut into panels of 64 rows, so that a product reads its
 * weights in the order in which it needs them: [panel][K / unit][64][unit]. A unit is the 4 bytes
 * that one lane multiplies at a time: 1 float, 2 bfloat16 or 4 int8. The rows of a panel are
 * consecutive, or 16 of each gate; kernels/tiling.py makes both orders.
 */

#ifndef ALLENNLP_ELMO_PLUGIN_KERNELS_H
#define ALLENNLP_ELMO_PLUGIN_KERNELS_H

#include <stdint.h>

/* Raise it with every change of this file that leaves all sizes and constants as they are. */
#define ABI_VERSION 1

#define GROUP 16 /* rows of one gate in a panel; every size is a multiple of it */
#define PANEL 64 /* rows of a panel */
#define BLOCK_PANELS 8 /* panels of words whose scores are put together */

enum precision { FLOAT32 = 0, BFLOAT16 = 1, INT8 = 2 };

/*
 * What a kernel returns. It is INVALID to give values (batch sizes, characters, words) with which
 * the kernel would leave the memory of the tensors; nothing has been written then.
 */
enum status { DONE = 0, NO_MEMORY = 1, INVALID = 2 };

/* A tiled matrix. */
struct matrix {
    /* The weights in the precision of the call: float, the bits of bfloat16, or int8_t. */
    const void *weight;
    /* int8 alone: each row's scale, and 128 times the sum of its weights, in the panels' order. */
    const float *scale;
    const int32_t *offset;
};

/* One LSTM layer in one direction, over tokens in time-major order: longest row first. */
struct lstm_forward_arguments {
    /* An `enum precision`, that of all three matrices. */
    int64_t precision;
    /* Each of the tokens is one timestep of one row. */
    int64_t num_timesteps, num_tokens, num_rows;
    /* Multiples of GROUP. */
    int64_t projection_dim, cell_size;
    /* (num_timesteps,): the rows at each timestep. They never grow, and sum to num_tokens. */
    const int64_t *batch_sizes;
    /* The bounds of the cell and of the projected output; INFINITY for none. */
    float cell_clip, proj_clip;
    /* The weights. The rows of `input` and `recurrent` are gates. */
    struct matrix input, recurrent, projection;
    /* (4 * cell_size,), in the panels' order. */
    const float *bias;
    /* (num_tokens, projection_dim). */
    const float *inputs;
    /* (num_rows, projection_dim) and (num_rows, cell_size): first state in, last state out. */
    float *hidden, *cell;
    /* (num_tokens, projection_dim): out. */
    float *outputs;
    /* (num_tokens, 4 * cell_size) and (num_tokens, cell_size): out, the values of the gates
     * i | f | g | o and the cells, for the backward pass. Both NULL for none. */
    float *gates, *cells;
};

/* The gradient of the above in float32. */
struct lstm_backward_arguments {
    /* As in the forward pass. */
    int64_t num_timesteps, num_tokens, num_rows;
    int64_t projection_dim, cell_size;
    const int64_t *batch_sizes;
    float cell_clip, proj_clip;
    /* The weights, transposed: cell_size by projection_dim, and projection_dim by 4 * cell_size. */
    struct matrix recurrent, projection;
    /* (num_rows, cell_size): the state before the first timestep. */
    const float *first_cell;
    /* What the forward pass gave. */
    const float *outputs, *gates, *cells;
    /* (num_tokens, 4 * cell_size): out, the gradients of the sums that the gates are made of. */
    float *grad_gates;
    /* (num_tokens, cell_size): out, the vectors o * tanh(c) that were projected. */
    float *projected;
    /* (num_tokens, projection_dim): in, the gradient of the outputs; out, that of the projections
     * before they were clipped, with what comes through the recurrence. */
    float *grad_outputs;
    /* (num_rows, projection_dim) and (num_rows, cell_size): in, the gradients of the last state;
     * out, those of the first. */
    float *grad_hidden, *grad_cell;
};

/* outputs = inputs times a matrix + bias. */
struct linear_arguments {
    /* An `enum precision`, that of the matrix. */
    int64_t precision;
    /* `num_inputs` and `num_outputs` are multiples of GROUP. */
    int64_t num_rows, num_inputs, num_outputs;
    /* num_outputs rows, which are no gates, and num_inputs columns. */
    struct matrix matrix;
    /* One number for each row of the panels, those that fill the last one included. */
    const float *bias;
    /* (num_rows, num_inputs), and (num_rows, num_outputs): out. */
    const float *inputs;
    float *outputs;
};

/* The logits of some words, and parts of the softmax over all words. */
struct word_scores_arguments {
    /* An `enum precision`, that of the matrix. */
    int64_t precision;
    /* `num_inputs` is a multiple of GROUP, and `num_words` of PANEL. */
    int64_t num_rows, num_inputs, num_words;
    /* num_words rows, which are no gates, and num_inputs columns. */
    struct matrix matrix;
    /* (num_words,). That of a row that is no word is -INFINITY. */
    const float *bias;
    /* (num_rows, num_inputs), and (num_rows,): the word that is looked at in each row. */
    const float *inputs;
    const int64_t *words;
    /* (num_rows,): out, the logit of this word. */
    float *logits;
    /* (num_rows, blocks of BLOCK_PANELS panels): out, the largest logit of each block, the sum of
     * exp(logit - largest), and the number of words with a larger logit than this word's. */
    float *maxima, *sums;
    int32_t *num_greater;
};

/* The filters of one width, multiplied with every character. */
struct filters {
    /* The characters that a filter covers, and the number of filters, a multiple of GROUP. */
    int64_t width, num_filters;
    /* (width, num_characters, num_filters), and (num_filters,). */
    const float *products, *bias;
};

/* Filters of several widths over the characters of words, max-pooled. */
struct convolution_arguments {
    /* The words, and how many characters each has, padding included. */
    int64_t num_words, word_length;
    /* Characters run from 0 to num_characters - 1; `padding` stands behind a word's end. */
    int64_t num_characters, padding;
    /* (num_words, word_length). */
    const int64_t *words;
    /* (num_widths,). */
    int64_t num_widths;
    const struct filters *filters;
    /* The sum of all num_filters. */
    int64_t num_outputs;
    /* (num_words, num_outputs): out, the largest value of each filter. */
    float *outputs;
    /* (num_words, num_outputs): out, the first filter position with that value; or NULL. */
    int32_t *argmax;
};

/* One constant or size, by its name. */
struct abi_constant {
    const char *name;
    int64_t value;
};

/* All constants and sizes above; the last name is NULL. */
const struct abi_constant *abi_constants(void);

/* Whether this processor has a capability. */
int64_t runs_here(const char *capability);

#define DECLARE(capability)                                                     \
    int64_t lstm_forward_##capability(const struct lstm_forward_arguments *);   \
    int64_t lstm_backward_##capability(const struct lstm_backward_arguments *); \
    int64_t linear_##capability(const struct linear_arguments *);               \
    int64_t word_scores_##capability(const struct word_scores_arguments *);     \
    int64_t convolution_##capability(const struct convolution_arguments *);

DECLARE(avx512_bf16)
DECLARE(avx512)
DECLARE(avx2)
DECLARE(generic)

#endif
