/*
 * What Python and the kernels agree on. kernels/calls.py mirrors these structures.
 *
 * A packed matrix of N rows and K columns is cut into panels of 64 rows, so that a product reads
 * its weights in the order in which it needs them: [panel][K / unit][64][unit], where a unit is
 * the 4 bytes that one lane multiplies at a time (1 float, 2 bfloat16 or 4 int8). The 64 rows of a
 * panel are 4 groups of 16; kernels/panels.py says which.
 */

#ifndef ALLENNLP_ELMO_PLUGIN_KERNELS_H
#define ALLENNLP_ELMO_PLUGIN_KERNELS_H

#include <stdint.h>

enum precision { FLOAT32 = 0, BFLOAT16 = 1, INT8 = 2 };
enum status { DONE = 0, NO_MEMORY = 1 };

struct matrix {
    const void *weight;
    const float *scale;    /* int8: of each row, in the panels' order */
    const int32_t *offset; /* int8: 128 times the sum of each row */
};

/* One layer in one direction over packed tokens, step by step, longest row first. */
struct lstm_forward {
    int64_t precision;
    int64_t num_steps, num_rows;
    int64_t projection_dim, cell_size; /* multiples of 16 */
    const int64_t *batch_sizes;        /* (num_steps,), never growing */
    float cell_clip, proj_clip;        /* INFINITY: none */
    struct matrix input, recurrent, projection;
    const float *bias;   /* (4 * cell_size,), in the panels' order */
    const float *inputs; /* (tokens, projection_dim) */
    float *hidden;       /* (num_rows, projection_dim): the first state in, the last out */
    float *cell;         /* (num_rows, cell_size): likewise */
    float *outputs;      /* (tokens, projection_dim) */
    float *gates;        /* (tokens, 4 * cell_size): i, f, g, o for the backward pass, or NULL */
    float *cells;        /* (tokens, cell_size), or NULL with gates */
};

struct lstm_backward {
    int64_t num_steps, num_rows;
    int64_t projection_dim, cell_size;
    const int64_t *batch_sizes;
    float cell_clip, proj_clip;
    struct matrix recurrent, projection; /* transposed, float32 */
    const float *first_cell; /* (num_rows, cell_size): the state before the first step */
    const float *outputs;    /* (tokens, projection_dim) */
    const float *gates, *cells; /* the forward pass's */
    float *grad_gates;   /* (tokens, 4 * cell_size): out, of the sums before each gate */
    float *projected;    /* (tokens, cell_size): out, what was projected, o * tanh(c) */
    float *grad_outputs; /* (tokens, projection_dim): in, and with the recurrence's share out */
    float *grad_hidden;  /* (num_rows, projection_dim): of the last state in, of the first out */
    float *grad_cell;    /* (num_rows, cell_size): likewise */
};

/* outputs (num_rows, num_outputs) = inputs (num_rows, num_inputs) times a packed matrix + bias */
struct linear {
    int64_t precision;
    int64_t num_rows, num_inputs, num_outputs; /* of multiples of 16 */
    struct matrix matrix;
    const float *bias; /* in the panels' order */
    const float *inputs;
    float *outputs;
};

/* Filters of one width over the characters of words, max-pooled. */
struct convolution {
    int64_t num_words, num_places, num_characters, width;
    int64_t num_filters;   /* a multiple of 16 */
    int64_t padding;       /* the character behind a word's end */
    const int64_t *words;  /* (num_words, num_places) */
    const float *products; /* (width, num_characters, num_filters) */
    const float *bias;     /* (num_filters,) */
    float *outputs;        /* (num_words, num_filters), its rows `stride` floats apart */
    int32_t *argmax;      /* likewise: the first place of each largest window, or NULL */
    int64_t stride;
};

#define DECLARE(capability)                                                                             \
    int64_t lstm_forward_##capability(const struct lstm_forward *);                                     \
    int64_t lstm_backward_##capability(const struct lstm_backward *);                                   \
    int64_t linear_##capability(const struct linear *);                                                 \
    int64_t convolution_##capability(const struct convolution *);

DECLARE(avx512_bf16)
DECLARE(avx512)
DECLARE(avx2)
DECLARE(generic)

#endif
