/* SPDX-License-Identifier: MIT */
/*
 * Counts of attempts that ended here.
 *
 * A count must not cost what it counts: one task in ten thousand runs shorter
 * than 50 µs. So the numbers of a task lie together in a cell, which is found by
 * a hash of its name, and what changed since the last batch is one list of
 * cells.
 */
#include "dispatch/tally.h"

#include <stdlib.h>
#include <string.h>

#include "metrics/metrics.h"
#include "store/results.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/name.h"
#include "util/sat.h"
#include "util/timer.h"

/* What a kill may lose; and a batch a second is nothing to a store. */
#define SEND_MS 1000
/* Twice as many as there are cells, and a power of two. */
#define SLOTS 1024
_Static_assert(SLOTS >= 2 * TALLY_NAMES_MAX && (SLOTS & (SLOTS - 1)) == 0,
	       "cells are found at the first or second try");

struct tally_cell {
	uint32_t hash;
	unsigned int queue;
	struct tally_cell *next; /* that has changed since the last batch */
	bool changed;
	int64_t numbers[MEASURE_NUMBERS]; /* by enum measure_what */
	uint32_t wait[BUCKETS], run[BUCKETS];
	/* Of the batches before: the counts themselves are small, and near. */
	struct tally_total *sent;
	bool named; /* in the totals */
	struct slice task;
	char name[]; /* with its NUL */
};

struct tally {
	struct tally_options opt;
	struct tally_cell *slots[SLOTS];
	size_t n;
	size_t n_named; /* tasks; a task may have a cell for each queue */
	unsigned int n_queues;
	char **queues;
	struct tally_cell **others; /* by queue; NULL: not needed yet */
	struct tally_cell *changed;
	struct timer *timer;
	unsigned int under_way; /* batches */
	/* Of the batch that is being made. */
	struct measure batch[MEASURE_BATCH_MAX];
	size_t batch_n;
	int64_t at_s;
};

/* --- cells ------------------------------------------------------------- */

/* As FNV-1a, but of eight bytes at a time: names are up to 200 bytes long, and
 * nobody gains from a collision. The multiplier is Knuth's (MMIX). */
static uint32_t
tally_hash(unsigned int queue, struct slice task)
{
	uint64_t hash = task.len ^ (uint64_t)queue << 32, word;

	while (task.len > 0) {
		const size_t n =
		    task.len < sizeof(word) ? task.len : sizeof(word);

		word = 0;
		memcpy(&word, task.p, n);
		hash = (hash ^ word) * 6364136223846793005u;
		hash ^= hash >> 32;
		task.p += n;
		task.len -= n;
	}
	return (uint32_t)hash;
}

static struct tally_cell *
cell_new(unsigned int queue, struct slice task, uint32_t hash)
{
	struct tally_cell *c = calloc(1, sizeof(*c) + task.len + 1);

	if (c == NULL || (c->sent = calloc(1, sizeof(*c->sent))) == NULL) {
		free(c);
		return NULL;
	}
	c->hash = hash;
	c->queue = queue;
	memcpy(c->name, task.p, task.len);
	c->task = (struct slice){c->name, task.len};
	return c;
}

/* NULL is allowed. */
static void
cell_free(struct tally_cell *c)
{
	if (c != NULL)
		free(c->sent);
	free(c);
}

/* Whether the totals name its task. Another queue may have the task already; a
 * task that is called like the others must not come twice. */
static bool
cell_is_named(struct tally *t, const struct tally_cell *c)
{
	size_t i;

	if (slice_eq(c->task, SLICE(METRICS_OTHER)))
		return false;
	for (i = 0; i < SLOTS; i++)
		if (t->slots[i] != NULL && t->slots[i]->named &&
		    slice_eq(t->slots[i]->task, c->task))
			return true;
	if (t->n_named == METRICS_TASKS_MAX ||
	    (t->opt.is_registered != NULL &&
	     !t->opt.is_registered(c->name, t->opt.arg)))
		return false;
	t->n_named++;
	return true;
}

static struct tally_cell *
cell_other(struct tally *t, unsigned int queue)
{
	if (t->others[queue] == NULL)
		t->others[queue] = cell_new(queue, SLICE(MEASURE_OTHER), 0);
	return t->others[queue];
}

struct tally_cell *
tally_find(struct tally *t, unsigned int queue, struct slice task)
{
	const uint32_t hash = tally_hash(queue, task);
	size_t i = hash & (SLOTS - 1);
	struct tally_cell *c;

	for (; (c = t->slots[i]) != NULL; i = (i + 1) & (SLOTS - 1))
		if (c->hash == hash && c->queue == queue &&
		    slice_eq(c->task, task))
			return c;
	if (t->n == TALLY_NAMES_MAX || !name_valid(task, NAME_TASK_MAX))
		return cell_other(t, queue);
	if ((c = cell_new(queue, task, hash)) != NULL) {
		c->named = cell_is_named(t, c);
		t->slots[i] = c;
		t->n++;
	}
	return c;
}

void
tally_add(struct tally *t, struct tally_cell *c,
	  const struct tally_attempt *attempt)
{
	if (c == NULL)
		return;
	c->numbers[attempt->how]++;
	if (attempt->wait_us >= 0) {
		sat_count(&c->numbers[MEASURE_WAIT_US], attempt->wait_us);
		c->wait[bucket_of(attempt->wait_us)]++;
	}
	if (attempt->run_us >= 0) {
		sat_count(&c->numbers[MEASURE_RUN_US], attempt->run_us);
		c->run[bucket_of(attempt->run_us)]++;
	}
	if (c->changed)
		return;
	c->changed = true;
	c->next = t->changed;
	/* The first of a batch. */
	if (t->changed == NULL && t->under_way == 0 && !timer_pending(t->timer))
		timer_set_ms(t->timer, SEND_MS);
	t->changed = c;
}

/* --- sending ----------------------------------------------------------- */

/* Whatever came of it, it is over. More may have been counted meanwhile. */
static void
on_tally_stored(const struct err *err, void *arg)
{
	struct tally *t = arg;

	if (--t->under_way > 0)
		return;
	if (t->changed != NULL)
		timer_set_ms(t->timer, SEND_MS);
	t->opt.on_sent(t->opt.arg);
}

static void
batch_end(struct tally *t)
{
	const size_t n = t->batch_n;

	if (n == 0)
		return;
	t->batch_n = 0;
	results_measure(t->opt.results, t->at_s, t->batch, n, on_tally_stored,
			t);
}

static void
batch_add(struct tally *t, const struct tally_cell *c, unsigned int what,
	  int64_t n)
{
	if (n <= 0)
		return;
	/* Before the call, which without memory answers at once. */
	if (t->batch_n == 0)
		t->under_way++;
	t->batch[t->batch_n++] =
	    (struct measure){.queue = slice_of(t->queues[c->queue]),
			     .task = c->task,
			     .what = what,
			     .n = n};
	if (t->batch_n == MEASURE_BATCH_MAX)
		batch_end(t);
}

/* Adds what was counted of a cell since the last batch. */
static void
total_add_counts(struct tally_total *total, const struct tally_cell *c)
{
	unsigned int i;

	for (i = 0; i < MEASURE_NUMBERS; i++)
		sat_count(&total->numbers[i], c->numbers[i]);
	for (i = 0; i < BUCKETS; i++) {
		total->wait[i] += c->wait[i];
		total->run[i] += c->run[i];
	}
}

/* All that was counted of a task, which is none then. */
static void
batch_add_cell(struct tally *t, struct tally_cell *c)
{
	unsigned int i;

	total_add_counts(c->sent, c);
	for (i = 0; i < MEASURE_NUMBERS; i++)
		batch_add(t, c, i, c->numbers[i]);
	for (i = 0; i < BUCKETS; i++) {
		batch_add(t, c, MEASURE_WAIT + i, c->wait[i]);
		batch_add(t, c, MEASURE_RUN + i, c->run[i]);
	}
	memset(c->numbers, 0, sizeof(c->numbers));
	memset(c->wait, 0, sizeof(c->wait));
	memset(c->run, 0, sizeof(c->run));
	c->changed = false;
}

bool
tally_send(struct tally *t)
{
	struct tally_cell *c;

	timer_cancel(t->timer);
	if (t->under_way > 0)
		return true;
	if (t->changed == NULL)
		return false;
	if (!results_is_up(t->opt.results)) {
		timer_set_ms(t->timer, SEND_MS);
		return false;
	}
	t->at_s = clock_wall_us() / 1000000;
	/* One more: the batches must not all be answered before the last. */
	t->under_way++;
	while ((c = t->changed) != NULL) {
		t->changed = c->next;
		batch_add_cell(t, c);
	}
	batch_end(t);
	return --t->under_way > 0;
}

static void
on_tally_due(void *arg)
{
	tally_send(arg);
}

/* --- totals ------------------------------------------------------------ */

/* All that a cell has ever had: what was sent, and what was not yet. */
static void
total_add_cell(struct tally_total *total, const struct tally_cell *c)
{
	unsigned int i;

	for (i = 0; i < MEASURE_NUMBERS; i++)
		sat_count(&total->numbers[i], c->sent->numbers[i]);
	for (i = 0; i < BUCKETS; i++) {
		sat_count(&total->wait[i], c->sent->wait[i]);
		sat_count(&total->run[i], c->sent->run[i]);
	}
	total_add_counts(total, c);
}

/* By tasks, and then queues, as those who write them want it. */
static int
compare_totals(const void *a, const void *b)
{
	const struct tally_total *x = a, *y = b;
	const int c = strcmp(x->task, y->task);

	return c != 0 ? c : strcmp(x->queue, y->queue);
}

/* The first n_queues are the others of each queue, which are there from the first
 * on: a series that begins with more than nothing has no rate. */
struct tally_total *
tally_totals(const struct tally *t, size_t *ret_n)
{
	struct tally_total *totals =
	    calloc(t->n_queues + t->n + 1, sizeof(*totals));
	size_t n = 0, i;

	if (totals == NULL)
		return NULL;
	for (; n < t->n_queues; n++) {
		totals[n].queue = t->queues[n];
		totals[n].task = METRICS_OTHER;
		if (t->others[n] != NULL)
			total_add_cell(&totals[n], t->others[n]);
	}
	for (i = 0; i < SLOTS; i++) {
		const struct tally_cell *c = t->slots[i];

		if (c == NULL)
			continue;
		if (!c->named) {
			total_add_cell(&totals[c->queue], c);
			continue;
		}
		totals[n].queue = t->queues[c->queue];
		totals[n].task = c->name;
		total_add_cell(&totals[n++], c);
	}
	qsort(totals, n, sizeof(*totals), compare_totals);
	*ret_n = n;
	return totals;
}

/* --- the tally --------------------------------------------------------- */

/* -1 when memory runs out. */
static int
tally_add_queues(struct tally *t, const char *const *queues)
{
	unsigned int i;

	while (queues[t->n_queues] != NULL)
		t->n_queues++;
	t->queues = calloc(t->n_queues + 1, sizeof(char *));
	t->others = calloc(t->n_queues + 1, sizeof(struct tally_cell *));
	if (t->queues == NULL || t->others == NULL)
		return -1;
	for (i = 0; i < t->n_queues; i++)
		if ((t->queues[i] = strdup(queues[i])) == NULL)
			return -1;
	return 0;
}

struct tally *
tally_new(const struct tally_options *options, struct err *err)
{
	struct tally *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		err_nomem(err);
		return NULL;
	}
	t->opt = *options;
	t->timer = timer_new(options->base, on_tally_due, t);
	if (t->timer == NULL || tally_add_queues(t, options->queues) != 0) {
		tally_free(t);
		err_nomem(err);
		return NULL;
	}
	return t;
}

void
tally_free(struct tally *t)
{
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < SLOTS; i++)
		cell_free(t->slots[i]);
	for (i = 0; t->others != NULL && i < t->n_queues; i++)
		cell_free(t->others[i]);
	for (i = 0; t->queues != NULL && i < t->n_queues; i++)
		free(t->queues[i]);
	free(t->others);
	free(t->queues);
	timer_free(t->timer);
	free(t);
}
