/* SPDX-License-Identifier: MIT */
/*
 * The outbox: fires on their way into queues, and marked when they are there.
 *
 * It stands behind the claim (decide.c), which has written the fires into the
 * database, and before the broker. Its order makes a fire exactly one task:
 * claimed in the database, then queued under its own id, then marked. A
 * scheduler that dies between two of these steps leaves an unmarked fire, which
 * is sent again, by another one too; the broker takes it for what it is.
 * Workflows follow when the tasks of a batch have their answers, one at a time
 * (flow_send.c).
 */
#include "beat/outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat/flow_send.h"
#include "beat/late.h"
#include "beat/outage.h"
#include "beat/task.h"
#include "schedules/claim.h"
#include "schedules/schedules.h"
#include "store/broker.h"
#include "store/results.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"

/*
 * For how long a fire is sent again to a queue that is full. A trade: most
 * queues have room again within the hour, and without an end the outbox, too,
 * would grow for as long as workers are away.
 */
#define FULL_US INT64_C(3600000000)
/*
 * For how long the broker remembers that it has a fire's task: longer than
 * fires are left unmarked by a machine that is switched off over a weekend.
 */
#define UNIQUE_S (3 * 86400)

/*
 * Fires that are sent together. Where results live apart, their records are
 * made first; one that is there already is a sign that the fire was sent
 * before, and the broker will know.
 *
 * The arrays have room for all fires. The first `n` of `of`, `submits`, `ids`
 * and `bodies` belong together and are those that are being sent; each fire is
 * in the end either in `marks` or counted in `n_left`.
 */
struct batch {
	struct outbox *outbox;
	struct batch *next; /* of those that were sent */
	struct schedules_fires *fires;
	int64_t first_due_us;
	int64_t begin_us;   /* monotonic */
	struct buf records; /* of all, one after the other */
	size_t n;
	const struct schedule_fire **of;
	struct broker_submit *submits;
	struct slice *ids, *bodies;
	struct err *created;
	struct schedule_mark *marks;
	size_t n_marks;
	char (*why)[128]; /* of refused ones; of as many as there are marks */
	size_t n_left;	  /* they are sent again later */
	/* Those of workflows; the one that is being sent is before next_flow. */
	const struct schedule_fire **flows;
	size_t n_flows, next_flow;
	struct flow_send *flow;
};

struct outbox {
	struct outbox_options opt;
	enum clock_form times; /* of records */
	struct batch *sending; /* NULL: none */
	/* Sent and to be marked, the latest first: marks have no order. */
	struct batch *sent;
	unsigned int n_sent;
};

/* Safe for a batch that is half made. */
static void
batch_free(struct batch *t)
{
	if (t == NULL)
		return;
	schedules_fires_free(t->fires);
	buf_done(&t->records);
	free(t->of);
	free(t->submits);
	free(t->ids);
	free(t->bodies);
	free(t->created);
	free(t->marks);
	free(t->why);
	free(t->flows);
	flow_send_free(t->flow);
	free(t);
}

/* All at once, before anything is sent: no answer can then fail for memory. NULL
 * without memory; `fires` are not owned yet. */
static struct batch *
batch_new(struct outbox *o, struct schedules_fires *fires)
{
	struct batch *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->outbox = o;
	t->of = calloc(fires->n, sizeof(void *));
	t->submits = calloc(fires->n, sizeof(*t->submits));
	t->ids = calloc(fires->n, sizeof(*t->ids));
	t->bodies = calloc(fires->n, sizeof(*t->bodies));
	t->created = calloc(fires->n, sizeof(*t->created));
	t->marks = calloc(fires->n, sizeof(*t->marks));
	t->why = calloc(fires->n, sizeof(*t->why));
	t->flows = calloc(fires->n, sizeof(void *));
	if (t->of == NULL || t->submits == NULL || t->ids == NULL ||
	    t->bodies == NULL || t->created == NULL || t->marks == NULL ||
	    t->why == NULL || t->flows == NULL) {
		batch_free(t);
		return NULL;
	}
	return t;
}

struct outbox *
outbox_new(const struct outbox_options *options)
{
	struct outbox *o = calloc(1, sizeof(*o));

	if (o != NULL)
		o->opt = *options;
	return o;
}

void
outbox_set_times(struct outbox *o, enum clock_form times)
{
	o->times = times;
}

void
outbox_free(struct outbox *o)
{
	struct batch *t;

	if (o == NULL)
		return;
	batch_free(o->sending);
	while ((t = o->sent) != NULL) {
		o->sent = t->next;
		batch_free(t);
	}
	free(o);
}

bool
outbox_sending(const struct outbox *o)
{
	return o->sending != NULL;
}

unsigned int
outbox_unmarked(const struct outbox *o)
{
	return o->n_sent;
}

/* --- answers ----------------------------------------------------------- */

/* The subject lets people find all lines of one schedule or task. */
static void
log_fire(const struct schedule_fire *fire, enum log_level level,
	 const char *what, const struct err *why)
{
	const struct log_subject about = {.schedule = fire->schedule,
					  .task_id = fire->task_id,
					  .queue = fire->queue};

	log_about(level, &about, "fire %s %s: %s", fire->task_id, what,
		  why->msg);
}

/* Notes that a fire is done with. */
static struct schedule_mark *
add_mark(struct batch *t, const struct schedule_fire *fire)
{
	struct schedule_mark *m = &t->marks[t->n_marks++];

	*m = (struct schedule_mark){.schedule = fire->schedule,
				    .fire_us = fire->fire_us};
	return m;
}

/* It never becomes a task. Its record would say "pending" for as long as it
 * lives. */
static void
drop_fire(struct batch *t, const struct schedule_fire *fire, const char *why)
{
	struct schedule_mark *m = add_mark(t, fire);
	char *text = t->why[m - t->marks];

	snprintf(text, sizeof(t->why[0]), "%.*s", (int)sizeof(t->why[0]) - 1,
		 why);
	m->refused = text;
	if (fire->work == SCHEDULE_WORKFLOW)
		return;
	results_forget(t->outbox->opt.results,
		       &(struct slice){fire->task_id, strlen(fire->task_id)},
		       1);
}

/* The machine's own clock may be set to any time while answers are waited for,
 * and what is judged by it is dropped for good. */
static int64_t
outbox_now_us(const struct outbox *o)
{
	return o->opt.now_us(o->opt.arg);
}

/* Whether there is no use in sending it again: the store has seen the task and
 * does not want it. Other codes say that the store was not reached. */
static bool
is_hopeless(const struct schedule_fire *fire, const struct err *why,
	    int64_t now_us)
{
	if (why->code == ERR_FULL)
		return now_us - fire->created_us > FULL_US;
	return why->code == ERR_DATA || why->code == ERR_USAGE;
}

/* A full queue says for certain that it has not taken the fire, so that one
 * that is too late is dropped then. */
static bool
is_late(const struct schedule_fire *fire, const struct err *why, int64_t now_us,
	enum schedule_reason *ret)
{
	*ret = late_reason(fire, now_us);
	return why->code == ERR_FULL && *ret != SCHEDULE_N_REASONS;
}

/* Each fire of a batch comes here once, with its last answer. */
static void
settle_fire(struct batch *t, const struct schedule_fire *fire,
	    const struct err *why)
{
	const struct outbox_options *opt = &t->outbox->opt;
	const int64_t now_us = outbox_now_us(t->outbox);
	enum schedule_reason reason;

	if (why->code == ERR_NONE) {
		outage_taken(opt->outage, fire);
		add_mark(t, fire);
	} else if (is_late(fire, why, now_us, &reason)) {
		outage_refused(opt->outage, fire, why);
		drop_fire(t, fire, schedule_reason_name(reason));
	} else if (is_hopeless(fire, why, now_us)) {
		log_fire(fire, LOG_LEVEL_error, "gave up", why);
		drop_fire(t, fire, why->msg);
	} else {
		t->n_left++;
		/* Of a store that is away, its own state tells. */
		if (broker_is_up(opt->broker) && results_is_up(opt->results))
			outage_refused(opt->outage, fire, why);
	}
}

/* The batch is the sent list's before the callback, which may mark it. */
static void
finish_batch(struct batch *t)
{
	struct outbox *o = t->outbox;
	const struct outbox_sent sent = {.n_done = t->n_marks,
					 .n_left = t->n_left,
					 .first_due_us = t->first_due_us};

	log_debug("%zu fires enqueued in %lld us", t->n_marks,
		  (long long)(clock_mono_us() - t->begin_us));
	o->sending = NULL;
	t->next = o->sent;
	o->sent = t;
	o->n_sent++;
	o->opt.on_sent(&sent, o->opt.arg);
}

/* --- workflows ----------------------------------------------------------- */

static void send_flows(struct batch *t);

static void
on_flow_sent(const struct err *why, void *arg)
{
	struct batch *t = arg;

	t->flow = NULL;
	settle_fire(t, t->flows[t->next_flow - 1], why);
	send_flows(t);
}

/* Ends the batch when there are none left. */
static void
send_flows(struct batch *t)
{
	const struct outbox_options *opt = &t->outbox->opt;
	struct flow_send_options options = {.broker = opt->broker,
					    .results = opt->results,
					    .one_store = opt->one_store,
					    .times = t->outbox->times,
					    .on_sent = on_flow_sent,
					    .arg = t};
	struct err err = ERR_INIT;

	while (t->next_flow < t->n_flows) {
		options.fire = t->flows[t->next_flow++];
		t->flow = flow_send_start(&options, &err);
		if (t->flow != NULL)
			return;
		settle_fire(t, options.fire, &err);
	}
	finish_batch(t);
}

/* --- tasks --------------------------------------------------------------- */

static void
on_submitted(struct broker_submit *submits, size_t n, void *arg)
{
	struct batch *t = arg;
	size_t i;

	for (i = 0; i < n; i++)
		settle_fire(t, t->of[i], &submits[i].err);
	send_flows(t);
}

/* --- sending ----------------------------------------------------------- */

/* None may be left to be sent: their records failed, or made no sense. */
static void
submit_fires(struct batch *t)
{
	if (t->n == 0)
		send_flows(t);
	else
		broker_submit(t->outbox->opt.broker, t->submits, t->n,
			      on_submitted, t);
}

/* Those whose record could not be made wait: a worker might finish the task
 * before its record exists. ERR_REFUSED: there is one already. */
static void
on_created(struct err *errs, size_t n, void *arg)
{
	struct batch *t = arg;
	size_t i, kept = 0;

	for (i = 0; i < n; i++) {
		if (errs[i].code != ERR_NONE && errs[i].code != ERR_REFUSED) {
			settle_fire(t, t->of[i], &errs[i]);
			continue;
		}
		t->of[kept] = t->of[i];
		t->submits[kept++] = t->submits[i];
	}
	t->n = kept;
	submit_fires(t);
}

bool
outbox_is_old(const struct schedule_fire *fire, int64_t now_us)
{
	/* One from the future was claimed before a clock was set back. */
	return fire->created_us <= now_us - OUTBOX_OLD_US ||
	       fire->created_us > now_us + OUTBOX_OLD_US;
}

/* `ends`: where each record ends in t->records, which may still move. */
static void
fill_submission(struct batch *t, const struct schedule_fire *fire, size_t *ends)
{
	const struct slice id = slice_of(fire->task_id);
	struct err err = ERR_INIT;

	if (fire->work == SCHEDULE_WORKFLOW) {
		t->flows[t->n_flows++] = fire;
		return;
	}
	if (fire_record(fire, t->outbox->times, &t->records, &err) != 0) {
		settle_fire(t, fire, &err);
		return;
	}
	ends[t->n] = t->records.len;
	t->of[t->n] = fire;
	t->ids[t->n] = id;
	t->submits[t->n++] =
	    (struct broker_submit){.queue = fire->queue,
				   .id = id,
				   .bytes = slice_of(fire->body),
				   .priority = fire->priority,
				   .unique = id,
				   .unique_s = UNIQUE_S};
}

/* Points the submissions to their records, which stay where they are. */
static void
set_records(struct batch *t, const size_t *ends)
{
	size_t i, begin = 0;

	for (i = 0; i < t->n; i++) {
		t->bodies[i] =
		    (struct slice){t->records.data + begin, ends[i] - begin};
		t->submits[i].record = t->bodies[i];
		begin = ends[i];
	}
}

/* 0, or -1 without memory. *ret_young: how many were passed over. */
static int
fill_batch(struct batch *t, enum outbox_age age, size_t *ret_young)
{
	const int64_t now_us = outbox_now_us(t->outbox);
	size_t *ends = calloc(t->fires->n, sizeof(*ends)), i;

	if (ends == NULL)
		return -1;
	*ret_young = 0;
	for (i = 0; i < t->fires->n; i++)
		if (age == OUTBOX_ALL ||
		    outbox_is_old(&t->fires->items[i], now_us))
			fill_submission(t, &t->fires->items[i], ends);
		else
			(*ret_young)++;
	set_records(t, ends);
	free(ends);
	return 0;
}

/* Records first: with one store the broker makes them in the same step. */
static void
begin_batch(struct batch *t)
{
	const struct outbox_options *opt = &t->outbox->opt;

	t->outbox->sending = t;
	if (opt->one_store || t->n == 0)
		submit_fires(t);
	else
		results_create(opt->results, t->ids, t->bodies, t->created,
			       t->n, on_created, t);
}

size_t
outbox_send(struct outbox *o, struct schedules_fires *fires,
	    enum outbox_age age, int64_t first_due_us)
{
	const size_t n = fires->n;
	struct batch *t = n > 0 ? batch_new(o, fires) : NULL;
	size_t left = n;

	if (t == NULL) {
		schedules_fires_free(fires);
		return n;
	}
	t->fires = fires;
	t->first_due_us = first_due_us;
	t->begin_us = clock_mono_us();
	if (fill_batch(t, age, &left) != 0 ||
	    t->n + t->n_flows + t->n_marks + t->n_left == 0)
		batch_free(t);
	else
		begin_batch(t);
	return left;
}

int
outbox_mark(struct outbox *o, struct err *err)
{
	const int64_t begin_us = clock_mono_us();
	struct batch *t;

	while ((t = o->sent) != NULL) {
		if (t->n_marks > 0 &&
		    schedules_mark(o->opt.db, t->marks, t->n_marks,
				   outbox_now_us(o), err) != 0)
			return -1;
		log_debug("%zu fires marked in %lld us", t->n_marks,
			  (long long)(clock_mono_us() - begin_us));
		o->sent = t->next;
		o->n_sent--;
		batch_free(t);
	}
	return 0;
}
