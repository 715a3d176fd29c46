/* The size of each team of threads. It is set while no kernel runs. */
extern int threads_of_next_region;
