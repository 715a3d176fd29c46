/*
 * The functions of OpenMP that the kernels call, on pthreads.
 *
 * ThreadSanitizer knows how pthreads wait for each other. GCC's own library of OpenMP waits in ways
 * that it does not see, so it would report races where there are none.
 */

#include <pthread.h>
#include <stdlib.h>

#include "openmp_on_pthreads.h"

#define MOST_THREADS 64

int threads_of_next_region = 1;

struct team {
    void (*function)(void *);
    void *data;
    int size;
    pthread_barrier_t barrier;
};

struct member {
    struct team *team;
    int number;
};

/* The one that runs in this thread. */
static _Thread_local struct member current;

int omp_get_thread_num(void) { return current.number; }
int omp_get_num_threads(void) { return current.team ? current.team->size : 1; }

void GOMP_barrier(void)
{
#ifndef WITHOUT_BARRIERS
    pthread_barrier_wait(&current.team->barrier);
#endif
}

static void *run_member(void *member)
{
    current = *(const struct member *)member;
    current.team->function(current.team->data);
    return NULL;
}

void GOMP_parallel(void (*function)(void *), void *data, unsigned num_threads, unsigned flags)
{
    struct team team = {.function = function, .data = data, .size = threads_of_next_region};
    struct member members[MOST_THREADS];
    pthread_t threads[MOST_THREADS];
    (void)num_threads, (void)flags;
    if (team.size > MOST_THREADS || pthread_barrier_init(&team.barrier, NULL, team.size))
        abort();
    for (int i = 0; i < team.size; i++)
        members[i] = (struct member){&team, i};
    for (int i = 1; i < team.size; i++)
        if (pthread_create(&threads[i], NULL, run_member, &members[i]))
            abort();
    run_member(&members[0]);
    for (int i = 1; i < team.size; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&team.barrier);
    current = (struct member){NULL, 0};
}
