/* SPDX-License-Identifier: MIT */
/*
 * One round of one system under test, from a fresh server:
 *
 *	idle	flowrrad is up and has done nothing: its memory
 *	latency	latency_bench.c, which says how it measures
 *	process	one flowrractl a task (process.h)
 *	single	flowrrad stopped; submit_bench.c, then one flowrractl a task
 *	rest	flowrrad runs what these have queued
 *	bulk	flowrrad stopped; flowrractl submit --stdin from a file
 *	drain	flowrrad started: the handlers note when the first one starts
 *		and the last one ends (module.c), so that starting up does not
 *		count. CPU time is taken from the first start until the results
 *		of the last tasks have been seen by a client.
 *
 * Beside SQLite, what that does by itself is measured right behind ours, on the same
 * disk (sqlite_floor_bench.c), and ours is printed as a part of it.
 *
 * In the end each task must have run once, and some, picked from
 * all, must have left its result; else the benchmark ends with a message.
 */
#ifndef BENCH_ROUND_H
#define BENCH_ROUND_H

#include "system.h"
#include "table.h"

/* A system under test, and what was measured of it. */
struct contender {
	const struct system_type *type;
	struct table table;
	char version[64];
};

void round_run(struct contender *c);

#endif
