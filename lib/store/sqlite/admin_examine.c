/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: what may be wrong with the database's file, with the clock of
 * its machine, and with tasks that wait for others; and whether it can be written now. examine.h looks at
 * the file.
 */
#include <stdlib.h>

#include "sqlite/examine.h"
#include "store/sqlite/admin.h"
#include "util/sat.h"

/* More than examine.h has checks, and this file; any that would be more are
 * left out. */
#define FINDINGS_MAX 16
/* Clocks of processes on one machine agree; a second is for its rounding. */
#define CLOCK_SLACK_MS 1000

struct examine_query {
	struct database_job job;
	broker_report_fn *on_report;
	void *arg;
	/* The answer. */
	int64_t clock_us;
	struct finding found[FINDINGS_MAX];
	size_t n;
};

static void
on_finding(const struct finding *f, void *arg)
{
	struct examine_query *q = arg;

	if (q->n < FINDINGS_MAX)
		q->found[q->n++] = *f;
}

/* A worker's heartbeat is good for BROKER_HEARTBEAT_TTL_S from when it came. */
static int
examine_clock_run(struct examine_query *q, struct tx *tx, struct err *err)
{
	static const struct finding back = {
	    .what = "the clock was set back: a worker reported a time in the "
		    "future",
	    .remedy = "check the time service of this machine (timedatectl); "
		      "delayed tasks run late"};
	int64_t latest;

	if (tx_first(tx, err, SQL_WORKERS_LATEST) < 0)
		return -1;
	latest = tx_int(tx, SQL_WORKERS_LATEST, 0);
	tx_end(tx, SQL_WORKERS_LATEST);
	if (sat_sub(latest, BROKER_HEARTBEAT_TTL_S * INT64_C(1000)) >
	    tx_now(tx) + CLOCK_SLACK_MS)
		on_finding(&back, q);
	return 0;
}

/* There is such a moment only if thousands wait for one, or if a record was taken
 * away. */
static int
examine_waits_run(struct examine_query *q, struct tx *tx, struct err *err)
{
	static const struct finding untold = {
	    .what = "tasks wait for others that have ended, or are gone",
	    .remedy = "see that a worker runs: its housekeeping has them go "
		      "on, or skips them, within seconds"};
	const int found = tx_any(tx, err, SQL_WAITS_UNTOLD);

	if (found == 1)
		on_finding(&untold, q);
	return found < 0 ? -1 : 0;
}

static int
sexamine_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct examine_query *q = container_of(job, struct examine_query, job);

	/* A job may run again from the start. */
	q->n = 0;
	q->clock_us = tx_now(tx) * 1000;
	if (examine_run(tx, on_finding, q, err) != 0)
		return -1;
	if (examine_clock_run(q, tx, err) != 0)
		return -1;
	return examine_waits_run(q, tx, err);
}

/* It changes nothing, but waits for the writers' lock, as each job does that
 * would; and only a commit with something in it would meet a full disk. */
static int
try_run(struct database_job *job, struct tx *tx, struct err *err)
{
	return examine_room(tx, err);
}

void
sadmin_try(struct broker *b, broker_value_fn *on_value, void *arg)
{
	static const struct database_job job = {.run = try_run,
						.absent = DATABASE_FAIL};

	squestion_ask(b, &job, (struct slice){NULL, 0}, on_value, arg);
}

static void
sexamine_drop(struct database_job *job)
{
	free(container_of(job, struct examine_query, job));
}

static void
sexamine_done(struct database_job *job, const struct err *err)
{
	struct examine_query *q = container_of(job, struct examine_query, job);
	struct broker_finding findings[FINDINGS_MAX];
	const struct broker_report report = {.server = examine_version(),
					     .clock_us = q->clock_us,
					     .findings = findings,
					     .n = q->n};
	size_t i;

	for (i = 0; i < q->n; i++)
		findings[i] =
		    (struct broker_finding){.error = q->found[i].error,
					    .what = q->found[i].what,
					    .remedy = q->found[i].remedy};
	q->on_report(err == NULL ? &report : NULL, err, q->arg);
	sexamine_drop(job);
}

void
sadmin_examine(struct broker *b, broker_report_fn *on_report, void *arg)
{
	struct examine_query *q = calloc(1, sizeof(*q));
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		on_report(NULL, &err, arg);
		return;
	}
	q->job = (struct database_job){.run = sexamine_run,
				       .done = sexamine_done,
				       .drop = sexamine_drop,
				       .reads = true};
	q->on_report = on_report;
	q->arg = arg;
	database_post(&((struct sbroker *)b)->user, &q->job);
}
