/* SPDX-License-Identifier: MIT */
/*
 * Running the programs that are measured, and those that measure. All
 * functions end the benchmark with a message when something fails.
 */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include <sys/types.h>

/* "$BUILD_DIR/FILE"; free() it. */
char *program_path(const char *file);

/*
 * Runs a program of $BUILD_DIR to its end, which must be a good one. Its
 * standard input and output are files, or /dev/null if NULL. Returns the
 * seconds it took.
 */
double program_run(const char *const *argv, const char *in, const char *out);

/* The same of a program in $PATH, with its output thrown away. */
double program_run_system(const char *const *argv);
/* Its path, or NULL; free() it. */
char *program_find(const char *name);

/* --- flowrrad ------------------------------------------------------------ */

struct worker {
	pid_t pid; /* 0: not running */
	int notify_fd;
};

/* Starts flowrrad in `dir`, with the configuration flowrra.conf there, and its
 * log in flowrrad.log. worker_wait() returns when it is ready for tasks. */
void worker_start(struct worker *w, const char *dir);
void worker_wait(struct worker *w);
/* SIGTERM; returns when all that ran has been stored and settled. */
void worker_stop(struct worker *w);

#endif
