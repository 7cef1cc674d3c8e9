/* SPDX-License-Identifier: MIT */
/* The outbox: fires on their way into queues, and marked when they are there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat/state.h"
#include "store/broker.h"
#include "store/results.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"

/* A full queue is tried again for so long. */
#define FULL_US INT64_C(3600000000)
/* The worst lag that is shown is of so long. */
#define MAX_LAG_LIFE_US INT64_C(300000000)

/*
 * Fires that are sent together. Where results live apart, their records are
 * made first; one that is there already is a sign that somebody has sent the
 * fire before, and the broker will know.
 */
struct batch {
	struct beat *beat;
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
};

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
	free(t);
}

static struct batch *
batch_new(struct beat *b, struct schedules_fires *fires)
{
	struct batch *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->beat = b;
	t->of = calloc(fires->n, sizeof(void *));
	t->submits = calloc(fires->n, sizeof(*t->submits));
	t->ids = calloc(fires->n, sizeof(*t->ids));
	t->bodies = calloc(fires->n, sizeof(*t->bodies));
	t->created = calloc(fires->n, sizeof(*t->created));
	t->marks = calloc(fires->n, sizeof(*t->marks));
	t->why = calloc(fires->n, sizeof(*t->why));
	if (t->of == NULL || t->submits == NULL || t->ids == NULL ||
	    t->bodies == NULL || t->created == NULL || t->marks == NULL ||
	    t->why == NULL) {
		batch_free(t);
		return NULL;
	}
	return t;
}

void
send_drop(struct beat *b)
{
	struct batch *t;

	batch_free(b->batch);
	b->batch = NULL;
	while ((t = b->sent) != NULL) {
		b->sent = t->next;
		batch_free(t);
	}
	b->n_sent = 0;
}

/* --- answers ----------------------------------------------------------- */

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

static void
mark(struct batch *t, const struct schedule_fire *fire, const struct err *why)
{
	struct schedule_mark *m = &t->marks[t->n_marks];

	*m = (struct schedule_mark){.schedule = fire->schedule,
				    .fire_us = fire->fire_us};
	if (why != NULL) {
		log_fire(fire, LOG_LEVEL_error, "gave up", why);
		snprintf(t->why[t->n_marks], sizeof(t->why[0]), "%.*s",
			 (int)sizeof(t->why[0]) - 1, why->msg);
		m->refused = t->why[t->n_marks];
		results_forget(
		    t->beat->results,
		    &(struct slice){fire->task_id, strlen(fire->task_id)}, 1);
	}
	t->n_marks++;
}

/* Whether there is no use in sending it again. */
static bool
is_hopeless(const struct schedule_fire *fire, const struct err *why)
{
	if (why->code == ERR_FULL)
		return clock_wall_us() - fire->created_us > FULL_US;
	return why->code == ERR_DATA || why->code == ERR_USAGE;
}

static void
settle_fires(struct batch *t, const struct schedule_fire *fire,
	     const struct err *why)
{
	if (why->code == ERR_NONE) {
		mark(t, fire, NULL);
	} else if (is_hopeless(fire, why)) {
		mark(t, fire, why);
	} else {
		/* What the broker says of itself is logged there. */
		if (t->n_left++ == 0 && t->beat->broker_up)
			log_fire(fire, LOG_LEVEL_warning,
				 "will be sent again later", why);
	}
}

static void
count_fires(struct beat *b, const struct batch *t)
{
	const int64_t now_us = clock_wall_us();

	b->fires += (int64_t)t->n_marks;
	if (t->first_due_us == NEVER || t->n_marks == 0)
		return;
	b->lag_us = now_us - t->first_due_us;
	/* The worst of this stretch of time, or of the one before. */
	if (now_us - b->max_since_us > MAX_LAG_LIFE_US ||
	    now_us < b->max_since_us) {
		b->max_since_us = now_us;
		b->max_before_us = b->max_lag_us;
		b->max_lag_us = 0;
	}
	if (b->lag_us > b->max_lag_us)
		b->max_lag_us = b->lag_us;
}

static void
finish_batch(struct batch *t)
{
	struct beat *b = t->beat;

	log_debug("%zu fires enqueued in %lld us", t->n_marks,
		  (long long)(clock_mono_us() - t->begin_us));
	count_fires(b, t);
	b->sending = false;
	b->batch = NULL;
	t->next = b->sent;
	b->sent = t;
	b->n_sent++;
	if (t->n_left > 0) {
		b->look_all = true;
		b->at.look = clock_mono_us() + OLD_US / 2;
	}
	beat_turn(b);
}

static void
on_submitted(struct broker_submit *submits, size_t n, void *arg)
{
	struct batch *t = arg;
	size_t i;

	for (i = 0; i < n; i++)
		settle_fires(t, t->of[i], &submits[i].err);
	finish_batch(t);
}

/* --- sending ----------------------------------------------------------- */

static void
submit_fires(struct batch *t)
{
	if (t->n == 0)
		finish_batch(t);
	else
		broker_submit(t->beat->broker, t->submits, t->n, on_submitted,
			      t);
}

/* Those whose record could not be made wait. */
static void
on_created(struct err *errs, size_t n, void *arg)
{
	struct batch *t = arg;
	size_t i, kept = 0;

	for (i = 0; i < n; i++) {
		if (errs[i].code != ERR_NONE && errs[i].code != ERR_REFUSED) {
			settle_fires(t, t->of[i], &errs[i]);
			continue;
		}
		t->of[kept] = t->of[i];
		t->submits[kept++] = t->submits[i];
	}
	t->n = kept;
	submit_fires(t);
}

static bool
is_old(const struct schedule_fire *fire, int64_t now_us)
{
	/* One from the future was claimed before a clock was set back. */
	return fire->created_us <= now_us - OLD_US ||
	       fire->created_us > now_us + OLD_US;
}

static void
fill_submissions(struct batch *t, const struct schedule_fire *fire,
		 size_t *ends)
{
	const struct slice id = slice_of(fire->task_id);
	struct err err = ERR_INIT;

	if (fire_record(fire, &t->records, &err) != 0) {
		settle_fires(t, fire, &err);
		return;
	}
	ends[t->n] = t->records.len;
	t->of[t->n] = fire;
	t->ids[t->n] = id;
	t->submits[t->n++] =
	    (struct broker_submit){.queue = fire->queue,
				   .id = id,
				   .bytes = slice_of(fire->task),
				   .priority = fire->priority,
				   .unique = id,
				   .unique_s = UNIQUE_S};
}

/* 0, or -1 without memory. */
static int
fill_all(struct batch *t, bool young)
{
	const int64_t now_us = clock_wall_us();
	size_t *ends = calloc(t->fires->n, sizeof(*ends)), i, begin = 0;

	if (ends == NULL)
		return -1;
	for (i = 0; i < t->fires->n; i++)
		if (young || is_old(&t->fires->items[i], now_us))
			fill_submissions(t, &t->fires->items[i], ends);
		else
			t->beat->at.look = clock_mono_us() + OLD_US / 2;
	/* The buffer stays where it is from now on. */
	for (i = 0; i < t->n; i++) {
		t->bodies[i] =
		    (struct slice){t->records.data + begin, ends[i] - begin};
		t->submits[i].record = t->bodies[i];
		begin = ends[i];
	}
	free(ends);
	return 0;
}

bool
send_fires(struct beat *b, struct schedules_fires *fires, bool young,
	   int64_t first_due_us)
{
	struct batch *t = fires->n > 0 ? batch_new(b, fires) : NULL;

	if (t == NULL) {
		/* Without memory they are found again. */
		if (fires->n > 0)
			b->at.look = clock_mono_us() + OLD_US;
		schedules_fires_free(fires);
		return false;
	}
	t->fires = fires;
	t->first_due_us = first_due_us;
	t->begin_us = clock_mono_us();
	if (fill_all(t, young) != 0 || t->n + t->n_marks == 0) {
		batch_free(t);
		return false;
	}
	b->batch = t;
	b->sending = true;
	if (b->one_store || t->n == 0)
		submit_fires(t);
	else
		results_create(b->results, t->ids, t->bodies, t->created, t->n,
			       on_created, t);
	return true;
}

int
send_mark(struct beat *b, struct err *err)
{
	const int64_t begin_us = clock_mono_us();
	struct batch *t;

	while ((t = b->sent) != NULL) {
		if (t->n_marks > 0 &&
		    schedules_mark(b->db, t->marks, t->n_marks, clock_wall_us(),
				   err) != 0)
			return -1;
		log_debug("%zu fires marked in %lld us", t->n_marks,
			  (long long)(clock_mono_us() - begin_us));
		b->sent = t->next;
		b->n_sent--;
		batch_free(t);
	}
	return 0;
}
