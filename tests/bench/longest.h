/* SPDX-License-Identifier: MIT */
/*
 * The longest thing that a store did: the bar is that none holds it up.
 *
 * Redis tells it by its slow log. SQLite runs within the program: its statements
 * are timed by a library that is loaded before it (steps.c), and told through a page
 * of memory.
 */
#ifndef BENCH_LONGEST_H
#define BENCH_LONGEST_H

#include <stdatomic.h>
#include <stdint.h>

struct redis_server;

#define LONGEST_WHAT_SIZE 80
struct longest {
	double ms;
	char what[LONGEST_WHAT_SIZE]; /* a command and its first key, or SQL */
};

/* Of the commands since it was last asked, of a server whose slow log takes all
 * that is of interest; 0 ms with no server. */
struct longest longest_command(struct redis_server *server);

/* What steps.so writes, in the file that $BENCH_STEPS names. A statement lasts from
 * its first step to its end, without what its caller does in between. */
struct longest_steps {
	atomic_uint_fast64_t longest_ns;
	char sql[LONGEST_WHAT_SIZE];
};

/* Makes the page, in `dir`; and has what is started from now on load steps.so, until
 * longest_steps_end(). */
struct longest_steps *longest_steps_begin(const char *dir);
void longest_steps_end(void);
/* Of the statements since it was last asked. */
struct longest longest_statement(struct longest_steps *steps);

#endif
