/* SPDX-License-Identifier: MIT */
/*
 * A submission as a process: `flowrractl submit`, one a task, as scripts use it.
 *
 * Beside it, in turns of some tasks each, run its floor (sqlite_floor.c,
 * redis_floor.c) and, where they are installed, two queues for the shell that keep
 * their jobs in files or memory: nq and tsp (task-spooler). What each of them has
 * submitted runs meanwhile, and has ended before the next one's turn. With the
 * embedded database, so does `flowrractl run`, whose store is of its own; and, as one
 * process for all of a turn, run --each, xargs and parallel.
 */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include "system.h"
#include "table.h"

/* With flowrrad running; `await` returns when it has run `n` tasks of these. */
void process_measure(const struct system *s, struct table *t,
		     void (*await)(long n));
/* With no flowrrad; the ratio is to the rate above. */
void process_measure_alone(struct table *t);

#endif
