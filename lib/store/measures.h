/* SPDX-License-Identifier: MIT */
/*
 * Measures: how many attempts ended, in which way and how fast, a minute, a
 * queue and a task. Workers add what they have counted, about once a second;
 * a chart reads a minute, an hour, or all there was. Part of the
 * contract of results.h, whose rules hold.
 *
 * A store adds each count to its minute, to its hour and to the total in one
 * step: an hour is complete as soon as its minutes are, nobody has to sum them
 * up, and no hour is missing since nobody was there to do that.
 *
 * What is kept is limited. Minutes live for MEASURE_MINUTES_S, or less where
 * very many tasks run (not less than MEASURE_FIELDS_FULL allows), hours for
 * MEASURE_HOURS_S, the total as long as anything is added in that time. In one
 * of them at most MEASURE_FIELDS_MAX different numbers are kept; what is beyond
 * goes to the task MEASURE_OTHER of its queue. Good for charts and rates, not
 * for accounts: a worker that dies takes the counts of its last second along.
 */
#ifndef STORE_MEASURES_H
#define STORE_MEASURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buckets.h"
#include "util/buf.h"

struct err;
struct results;

#define MEASURE_MINUTES_S (3 * 24 * 3600)
#define MEASURE_HOURS_S (90 * 24 * 3600)
/* Sixteen bytes of text and as many of overhead for each: 100 kB. */
#define MEASURE_FIELDS_MAX 4096
/* One with more numbers than this lives shorter by as much: then all minutes
 * together take no more than some 100 MB. */
#define MEASURE_FIELDS_FULL 512
/* Tasks that there is no room for. */
#define MEASURE_OTHER "other"
/* Numbers in one call of results_measure(). */
#define MEASURE_BATCH_MAX 1000

/* What a number counts. These values are stored: they never change. */
enum measure_what {
	MEASURE_SUCCEEDED = 0, /* attempts, by how they ended */
	MEASURE_FAILED = 1,    /* for good */
	MEASURE_RETRIED = 2,
	MEASURE_WAIT_US = 3, /* the sum of the waiting times */
	MEASURE_RUN_US = 4,  /* the sum of the durations */
	/* Deleted from dead lists, of the task MEASURE_OTHER: what was one too
	 * many, and what was too old (struct broker_trimmed). */
	MEASURE_DEAD_BEYOND = 5,
	MEASURE_DEAD_EXPIRED = 6,
	MEASURE_NUMBERS, /* of those before */
	/* And a bucket: how many waited, and ran, that long. */
	MEASURE_WAIT = 100,
	MEASURE_RUN = 200,
};
/* Whether a number that was read is one of these. */
bool measure_what_valid(int64_t what);
/* Whether it is one of attempts, as most are: what is of dead lists has no
 * task, and is none of a chart of tasks. */
bool measure_what_of_attempt(int64_t what);

struct measure {
	struct slice queue, task; /* valid names */
	unsigned int what;
	int64_t n; /* above 0 */
};

/* What results_measures() can be asked for. */
enum measure_step {
	MEASURE_TOTAL = 0,
	MEASURE_MINUTE = 60,
	MEASURE_HOUR = 3600,
};

/* `err` is NULL, or says why they were not added, or may not have been. */
typedef void results_measured_fn(const struct err *err, void *arg);
/*
 * Adds up to MEASURE_BATCH_MAX measures to the minute of `at_s` (wall clock),
 * its hour, and the total. They are sent once: a loss shows in a chart as a
 * dent, where counts that came twice would be a lie.
 */
void results_measure(struct results *r, int64_t at_s,
		     const struct measure *measures, size_t n,
		     results_measured_fn *on_done, void *arg);

/* `measures` are in no order, and good until the callback returns; NULL if err
 * says why there is no answer. */
typedef void results_measures_fn(const struct measure *measures, size_t n,
				 const struct err *err, void *arg);
/* The measures of the minute or hour that `at_s` lies in, or all there were. */
void results_measures(struct results *r, enum measure_step step, int64_t at_s,
		      results_measures_fn *on_measures, void *arg);

/* --- for implementations ------------------------------------------------ */

/* The second in which it begins. */
int64_t measure_begin(enum measure_step step, int64_t at_s);

#endif
