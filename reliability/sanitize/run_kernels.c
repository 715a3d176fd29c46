/*
 * Runs every kernel that this processor has on several threads, and from several threads at once.
 *
 * The first argument is the number of a kernel's threads, the second that of the threads that call
 * kernels. Every result has to be that of one thread, to the bit.
 */

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "openmp_on_pthreads.h"

/* More tokens than a chunk, more rows than a tile, and panels that are filled in part. */
enum { P = 144, C = 80, ROWS = 7, TIMESTEPS = 40, TOKENS = 238 };
enum { WORDS = 23, WORD_LENGTH = 12, CHARACTERS = 30, WIDTH = 3, FILTERS = 80 };
/* Room for the largest tensor, and for the results of one kernel. */
enum { ROOM = TOKENS * 4 * C, RESULTS = 3 * ROOM };

struct functions {
    const char *capability;
    int64_t (*forward)(const struct lstm_forward_arguments *);
    int64_t (*backward)(const struct lstm_backward_arguments *);
    int64_t (*linear)(const struct linear_arguments *);
    int64_t (*word_scores)(const struct word_scores_arguments *);
    int64_t (*convolution)(const struct convolution_arguments *);
};

#define FUNCTIONS(capability)                                                                    \
    {#capability, lstm_forward_##capability, lstm_backward_##capability, linear_##capability,    \
     word_scores_##capability, convolution_##capability}
static const struct functions all_functions[] = {
#if defined(__x86_64__)
    FUNCTIONS(avx512_bf16), FUNCTIONS(avx512), FUNCTIONS(avx2),
#endif
    FUNCTIONS(generic)};

/* What the kernels read. No thread writes to it once it is filled. */
static struct {
    float numbers[ROOM];
    uint16_t halves[ROOM];
    int8_t bytes[ROOM];
    float scale[ROOM];
    int32_t offset[ROOM];
    int64_t batch_sizes[TIMESTEPS], words[WORDS * WORD_LENGTH];
} given;

static void fill(void)
{
    uint32_t state = 1;
    for (int i = 0; i < ROOM; i++) {
        state = state * 1664525 + 1013904223;
        given.numbers[i] = (float)(state >> 8) / (1 << 24) - 0.5f;
        uint32_t bits;
        memcpy(&bits, &given.numbers[i], 4);
        given.halves[i] = bits >> 16;
        given.bytes[i] = (int8_t)(state >> 24);
        given.scale[i] = 0.001f;
    }
    for (int t = 0; t < TIMESTEPS; t++)
        given.batch_sizes[t] = t < 30 ? ROWS : t < 36 ? 4 : 1;
    for (int i = 0; i < WORDS * WORD_LENGTH; i++)
        given.words[i] = i % WORD_LENGTH > 8 ? CHARACTERS - 1 : i * 7 % CHARACTERS;
}

static struct matrix matrix(int precision)
{
    const void *const weights[] = {given.numbers, given.halves, given.bytes};
    return (struct matrix){weights[precision], given.scale, given.offset};
}

/* Memory for the results of one kernel, handed out piece by piece. */
struct results {
    float *memory;
    int64_t used;
};

static float *take(struct results *results, int64_t size, int copies_numbers)
{
    float *const piece = results->memory + results->used;
    results->used += size;
    if (results->used > RESULTS)
        abort();
    if (copies_numbers)
        memcpy(piece, given.numbers, 4 * size);
    return piece;
}

static int64_t run_forward(const struct functions *f, int precision, struct results *r)
{
    const struct lstm_forward_arguments args = {
        .precision = precision,
        .num_timesteps = TIMESTEPS, .num_tokens = TOKENS, .num_rows = ROWS,
        .projection_dim = P, .cell_size = C,
        .batch_sizes = given.batch_sizes,
        .cell_clip = 3.0f, .proj_clip = INFINITY,
        .input = matrix(precision), .recurrent = matrix(precision), .projection = matrix(precision),
        .bias = given.numbers, .inputs = given.numbers,
        .hidden = take(r, ROWS * P, 1), .cell = take(r, ROWS * C, 1),
        .outputs = take(r, TOKENS * P, 0),
        .gates = take(r, TOKENS * 4 * C, 0), .cells = take(r, TOKENS * C, 0),
    };
    return f->forward(&args);
}

static int64_t run_backward(const struct functions *f, struct results *r)
{
    const struct lstm_backward_arguments args = {
        .num_timesteps = TIMESTEPS, .num_tokens = TOKENS, .num_rows = ROWS,
        .projection_dim = P, .cell_size = C,
        .batch_sizes = given.batch_sizes,
        .cell_clip = 3.0f, .proj_clip = INFINITY,
        .recurrent = matrix(FLOAT32), .projection = matrix(FLOAT32),
        .first_cell = given.numbers,
        .outputs = given.numbers, .gates = given.numbers, .cells = given.numbers,
        .grad_gates = take(r, TOKENS * 4 * C, 0), .projected = take(r, TOKENS * C, 0),
        .grad_outputs = take(r, TOKENS * P, 1),
        .grad_hidden = take(r, ROWS * P, 1), .grad_cell = take(r, ROWS * C, 1),
    };
    return f->backward(&args);
}

static int64_t run_linear(const struct functions *f, int precision, struct results *r)
{
    const struct linear_arguments args = {
        .precision = precision,
        .num_rows = TOKENS, .num_inputs = P, .num_outputs = 4 * C,
        .matrix = matrix(precision), .bias = given.numbers,
        .inputs = given.numbers, .outputs = take(r, TOKENS * 4 * C, 0),
    };
    return f->linear(&args);
}

/* Three blocks of words, the last of which is filled in part. */
enum { VOCABULARY = 17 * PANEL, SIZE = 64, NUM_BLOCKS = 3 };

static int64_t run_word_scores(const struct functions *f, int precision, struct results *r)
{
    const struct word_scores_arguments args = {
        .precision = precision,
        .num_rows = TOKENS, .num_inputs = SIZE, .num_words = VOCABULARY,
        .matrix = matrix(precision), .bias = given.numbers,
        .inputs = given.numbers, .words = given.words,
        .logits = take(r, TOKENS, 0), .maxima = take(r, TOKENS * NUM_BLOCKS, 0),
        .sums = take(r, TOKENS * NUM_BLOCKS, 0),
        .num_greater = (int32_t *)take(r, TOKENS * NUM_BLOCKS, 0),
    };
    return f->word_scores(&args);
}

static int64_t run_convolution(const struct functions *f, struct results *r)
{
    const struct filters filters = {WIDTH, FILTERS, given.numbers, given.numbers};
    const struct convolution_arguments args = {
        .num_words = WORDS, .word_length = WORD_LENGTH,
        .num_characters = CHARACTERS, .padding = CHARACTERS - 1,
        .words = given.words, .num_widths = 1, .filters = &filters,
        .num_outputs = FILTERS, .outputs = take(r, WORDS * FILTERS, 0),
        .argmax = (int32_t *)take(r, WORDS * FILTERS, 0),
    };
    return f->convolution(&args);
}

/* The forward pass, the linear layer and the scores of words in three precisions, the backward pass,
 * the convolution. */
enum { KERNELS = 11 };

static int64_t run_one(const struct functions *f, int kernel, struct results *results)
{
    if (kernel < 3)
        return run_forward(f, kernel, results);
    if (kernel < 6)
        return run_linear(f, kernel - 3, results);
    if (kernel < 9)
        return run_word_scores(f, kernel - 6, results);
    return kernel == 9 ? run_backward(f, results) : run_convolution(f, results);
}

static float expected[KERNELS][RESULTS];

/* Runs the kernels of a capability; `writes_expected` is 1 for the run that others are compared to. */
static void run_all(const struct functions *f, int writes_expected)
{
    float *const memory = malloc(4 * RESULTS);
    for (int kernel = 0; kernel < KERNELS; kernel++) {
        struct results results = {writes_expected ? expected[kernel] : memory, 0};
        if (run_one(f, kernel, &results) != DONE ||
            (!writes_expected && memcmp(memory, expected[kernel], 4 * results.used))) {
            fprintf(stderr, "%s: kernel %d differs from one thread\n", f->capability, kernel);
            exit(1);
        }
    }
    free(memory);
}

static void *run_in_thread(void *functions)
{
    run_all(functions, 0);
    return NULL;
}

int main(int count, char **arguments)
{
    const int size_of_team = count > 1 ? atoi(arguments[1]) : 4;
    const int callers = count > 2 ? atoi(arguments[2]) : 4;
    pthread_t threads[64];
    fill();
    for (unsigned i = 0; i < sizeof(all_functions) / sizeof(*all_functions); i++) {
        const struct functions *const f = &all_functions[i];
        if (!runs_here(f->capability))
            continue;
        threads_of_next_region = 1;
        run_all(f, 1);
        threads_of_next_region = size_of_team;
        run_all(f, 0);
        for (int caller = 0; caller < callers; caller++)
            if (pthread_create(&threads[caller], NULL, run_in_thread, (void *)f))
                abort();
        for (int caller = 0; caller < callers; caller++)
            pthread_join(threads[caller], NULL);
        printf("%s\n", f->capability);
    }
    return 0;
}
