/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: housekeeping. The worker that entered first, of those whose
 * heartbeats are good, deletes from dead lists what is too much; a step is one
 * job, in which one queue has its turn, so other jobs and processes come between
 * two steps.
 */
#include "store/sqlite/broker.h"

#include <stdlib.h>

#include "store/sqlite/blobs.h"
#include "store/sqlite/flows.h"
#include "store/sqlite/record.h"
#include "store/sqlite/waits.h"
#include "util/sat.h"

/* How much of what may go has to go. */
struct stidy_step {
	int64_t excess; /* tasks too many */
	int64_t size;	/* of the list, and … */
	int64_t heavy;	/* … its bytes too many, for which one stays */
	int64_t before; /* what died until then is too old; 0: nothing is */
	int64_t bytes;	/* that may still go */
	int64_t rows;	/* the same */
};

/* Whether the next of the oldest rows goes, which is shown; counts it. */
static bool
stidy_goes(struct stidying *t, struct tx *tx, struct stidy_step *step)
{
	const bool old = tx_int(tx, SQL_DEAD_OLDEST, 1) <= step->before;

	const int64_t bytes = tx_int(tx, SQL_DEAD_OLDEST, 2);

	if (step->excess <= 0 && !old && (step->heavy <= 0 || step->size <= 1))
		return false;
	if (step->rows <= 0 || step->bytes <= 0)
		return false;
	step->excess--;
	step->size--;
	step->rows--;
	step->heavy = sat_sub(step->heavy, bytes);
	step->bytes = sat_sub(step->bytes, bytes);
	if (old)
		t->expired++;
	else
		t->beyond++;
	return true;
}

/* Looks first, and deletes then: both at once do not go together. */
static int
stidy_queue_run(struct stidying *t, struct tx *tx, int64_t queue,
		struct stidy_step step, struct err *err)
{
	int64_t numbers[BROKER_TIDY_STEP];
	size_t n = 0, i;
	int more = tx_first(tx, err, SQL_DEAD_OLDEST, queue,
			    (int64_t)BROKER_TIDY_STEP + 1);

	for (; more == 1; more = tx_next(tx, err, SQL_DEAD_OLDEST)) {
		if (!stidy_goes(t, tx, &step)) {
			tx_end(tx, SQL_DEAD_OLDEST);
			more = 0;
			break;
		}
		numbers[n++] = tx_int(tx, SQL_DEAD_OLDEST, 0);
	}
	if (more < 0)
		return -1;
	for (i = 0; i < n; i++)
		if (tx_run(tx, err, SQL_DEAD_DROP, numbers[i]) < 0)
			return -1;
	return 0;
}

/* What runs out by itself, at the end of a round: keys of unique tasks and records,
 * which else go with the next ones only; what nobody registers any more; queues
 * that nobody uses. */
static int
stidy_rest_run(struct stidying *t, struct tx *tx, struct err *err)
{
	const int64_t now = tx_now(tx);
	const int expired = tx_run(tx, err, SQL_UNIQUES_EXPIRE, now);
	int records = expired, waits, blobs, flows;

	if (expired >= 0)
		records = srecords_tidy_run(tx, BROKER_TIDY_STEP,
					    SRECORDS_EXPIRE_BYTES, err);
	if (records < 0)
		return -1;
	waits = swaits_sweep_run(tx, &t->waits, t->limits.record_ttl_s, err);
	blobs = waits < 0 ? -1 : sblobs_sweep_run(tx, &t->uses, err);
	flows = blobs < 0 ? -1 : sflow_sweep_run(tx, err);
	if (flows < 0)
		return -1;
	/* The statements take some at a time. */
	t->more =
	    expired > 0 || records > 0 || waits > 0 || blobs > 0 || flows > 0;
	if (t->limits.registry_ms > 0 &&
	    (tx_run(tx, err, SQL_REGISTRY_IDLE, now) < 0 ||
	     tx_run(tx, err, SQL_REGISTRY_FORGET, now - t->limits.registry_ms) <
		 0))
		return -1;
	if (t->limits.idle_ms == 0)
		return 0;
	if (tx_run(tx, err, SQL_QUEUES_IDLE, now) < 0 ||
	    tx_run(tx, err, SQL_QUEUES_FORGET, now - t->limits.idle_ms,
		   (int64_t)BROKER_TIDY_STEP) < 0)
		return -1;
	return tx_run(tx, err, SQL_UNKNOWN_FORGET) < 0 ? -1 : 0;
}

/* Whether it is this worker who does it: 1, 0, or -1 with *err. */
static int
stidy_is_ours(const struct sbroker *b, struct tx *tx, struct err *err)
{
	const int found = tx_first(tx, err, SQL_WORKERS_FIRST, tx_now(tx));
	int64_t first;

	/* None has said anything yet. */
	if (found <= 0)
		return found < 0 ? -1 : 1;
	first = tx_int(tx, SQL_WORKERS_FIRST, 0);
	tx_end(tx, SQL_WORKERS_FIRST);
	return first == b->worker_id;
}

/* Finds the next queue that has too much. May run again, after a rollback. */
static int
stidy_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct stidying *t = container_of(job, struct stidying, job);
	const struct sbroker *b = container_of(t, struct sbroker, tidying);
	const struct broker_limits *limits = &t->limits;
	const int64_t most =
	    limits->dead_max > 0 ? limits->dead_max : INT64_MAX;
	const int64_t heaviest =
	    limits->dead_max_bytes > 0 ? limits->dead_max_bytes : INT64_MAX;
	struct stidy_step step = {.bytes = BROKER_TIDY_BYTES,
				  .rows = BROKER_TIDY_STEP};
	struct slice name;
	int64_t queue;
	int found;

	t->beyond = t->expired = 0;
	t->more = false;
	buf_reset(&t->queue);
	if (limits->dead_ttl_ms > 0)
		step.before = tx_now(tx) - limits->dead_ttl_ms;
	found = stidy_is_ours(b, tx, err);
	t->ours = found == 1;
	if (found <= 0)
		return found;
	found =
	    tx_first(tx, err, SQL_QUEUE_OVERFULL, most, step.before, heaviest);
	if (found <= 0)
		return found < 0 ? -1 : stidy_rest_run(t, tx, err);
	queue = tx_int(tx, SQL_QUEUE_OVERFULL, 0);
	name = tx_bytes(tx, SQL_QUEUE_OVERFULL, 1);
	buf_add(&t->queue, name.p, name.len);
	step.size = tx_int(tx, SQL_QUEUE_OVERFULL, 2);
	step.excess = sat_sub(step.size, most);
	step.heavy = sat_sub(tx_int(tx, SQL_QUEUE_OVERFULL, 3), heaviest);
	tx_end(tx, SQL_QUEUE_OVERFULL);
	if (stidy_queue_run(t, tx, queue, step, err) != 0)
		return -1;
	/* There, or in another queue; where nothing went, the next step would find
	 * the same. */
	t->more = t->beyond + t->expired > 0;
	return t->more ? 0 : stidy_rest_run(t, tx, err);
}

static void
stidy_done(struct database_job *job, const struct err *err)
{
	struct stidying *t = container_of(job, struct stidying, job);
	struct sbroker *b = container_of(t, struct sbroker, tidying);
	const struct broker_trimmed trimmed = {
	    .queue = {t->queue.data, t->queue.len},
	    .beyond = t->beyond,
	    .expired = t->expired};

	t->under_way = err == NULL && t->more;
	if (err == NULL && trimmed.beyond + trimmed.expired > 0 &&
	    !t->queue.failed && b->opt.on_trimmed != NULL)
		b->opt.on_trimmed(&trimmed, b->opt.arg);
	if (t->under_way)
		database_post(&b->user, &t->job);
	else if (err == NULL && t->ours)
		slost_begin(b);
}

void
sbroker_tidy(struct broker *broker, const struct broker_limits *limits)
{
	struct sbroker *b = (struct sbroker *)broker;
	struct stidying *t = &b->tidying;

	if (!b->entered || t->under_way)
		return;
	t->limits = *limits;
	t->under_way = true;
	database_post(&b->user, &t->job);
}

void
stidy_init(struct sbroker *b)
{
	b->tidying.job = (struct database_job){.run = stidy_run,
					       .done = stidy_done,
					       .absent = DATABASE_FAIL,
					       .frees = true,
					       .rows = BROKER_TIDY_STEP,
					       .bytes = BROKER_TIDY_BYTES};
}

void
stidy_done_with(struct sbroker *b)
{
	buf_done(&b->tidying.queue);
	buf_done(&b->tidying.waits);
	buf_done(&b->tidying.uses);
}
