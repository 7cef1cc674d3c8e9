/* SPDX-License-Identifier: MIT */
/*
 * Counts of attempts that ended here: by queue and task, how they ended, how
 * long their tasks waited and how long they ran (store/measures.h).
 *
 * They are collected in memory and sent once a second while there are any; an
 * idle worker sends nothing. While the backend is out of reach they stay here
 * and count for the minute in which it is back. A batch is sent once: one whose
 * answer is lost may be missing, and none counts twice. What was sent stays in
 * the totals, for the worker's own metrics: this is the one place where it counts.
 *
 * It belongs to the loop's thread.
 */
#ifndef DISPATCH_TALLY_H
#define DISPATCH_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/measures.h"

struct err;
struct event_base;
struct results;
struct tally;

/* Tasks of one worker that are counted by their names; the others count as
 * MEASURE_OTHER of their queue. */
#define TALLY_NAMES_MAX 500

struct tally_options {
	struct event_base *base;
	struct results *results;
	/* The names of the queues, by index; NULL-ended. Copied. */
	const char *const *queues;
	/* Whether a task is known by this name: metrics name only such. NULL: all
	 * are. */
	bool (*is_registered)(const char *task, void *arg);
	/* All that was counted is stored, or was given up. */
	void (*on_sent)(void *arg);
	void *arg;
};

/* NULL with *err. Free it after results_close(), which drops what is under
 * way. */
struct tally *tally_new(const struct tally_options *options, struct err *err);
void tally_free(struct tally *t);

/* One attempt. */
struct tally_attempt {
	enum measure_what how; /* MEASURE_SUCCEEDED, _FAILED or _RETRIED */
	int64_t wait_us;       /* negative: not known */
	int64_t run_us;	       /* the same */
};
/* The counts of one task. */
struct tally_cell;
/* Those of a task in a queue; a name that is not valid counts as MEASURE_OTHER.
 * Good as long as the tally; NULL when memory runs out. */
struct tally_cell *tally_find(struct tally *t, unsigned int queue,
			      struct slice task);
/* Counts it there; NULL: nowhere. */
void tally_add(struct tally *t, struct tally_cell *cell,
	       const struct tally_attempt *attempt);

/* All that was counted since the start. */
struct tally_total {
	const char *queue, *task; /* as long as the tally */
	int64_t numbers[MEASURE_NUMBERS];
	int64_t wait[BUCKETS], run[BUCKETS];
};
/*
 * A new array, in the order of tasks and queues; free() it. METRICS_TASKS_MAX
 * tasks have names: the first that were counted and were registered then, for as
 * long as the tally lives, so that no series ends or is counted twice. The others
 * are METRICS_OTHER of their queue. NULL without memory.
 */
struct tally_total *tally_totals(const struct tally *t, size_t *ret_n);

/*
 * Sends what there is now, instead of within a second. Whether on_sent() will
 * follow; if not, nothing is left, or the backend is out of reach.
 */
bool tally_send(struct tally *t);

#endif
