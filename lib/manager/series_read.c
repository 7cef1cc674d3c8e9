/* SPDX-License-Identifier: MIT */
/*
 * Minutes and hours that were read, and are kept: a table with one place for
 * each of the last day's minutes, and for each hour there is. One that wants the
 * place of another takes it.
 *
 * The lock is not held while the store is asked: a store that does not answer
 * holds up only those who need it.
 */
#include "manager/series_read.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "store/results.h"
#include "util/clock.h"
#include "util/err.h"

/* A day of minutes, and what is left of 90 days of hours, and the total. */
#define MINUTE_PLACES 1440
#define HOUR_PLACES 2200
#define PLACES (MINUTE_PLACES + HOUR_PLACES + 1)
/* Together; what comes then is not kept. */
#define KEPT_BYTES_MAX (size_t)(32u << 20)
/* Counts of a minute come at most this long after its end, where the clocks of
 * hosts agree: a worker sends them each second. */
#define LATE_S 120
/* Which they may not: a worker an hour behind us fills the minute that was over
 * here an hour ago, and a clock that was set ahead and back has ended minutes
 * that are still to come. So no minute is ever known for good: one that ended a
 * while ago is read again after an eighth of that while, which costs all minutes
 * of a chart together less than a question a second. */
#define AGAIN_PART 8
/* Questions under way at a time: an answer may have 300 kB. */
#define READ_AT_ONCE 100

struct series {
	pthread_mutex_t lock;
	struct series_slot *kept[PLACES];
	size_t bytes;
};

/* --- places ------------------------------------------------------------ */

/* A ring for each step; the total has one place. */
static size_t
place_of(enum measure_step step, int64_t begin_s)
{
	const uint64_t number =
	    step != MEASURE_TOTAL ? (uint64_t)(begin_s / (int64_t)step) : 0;

	switch (step) {
	case MEASURE_MINUTE:
		return number % MINUTE_PLACES;
	case MEASURE_HOUR:
		return MINUTE_PLACES + number % HOUR_PLACES;
	case MEASURE_TOTAL:
		break;
	}
	return PLACES - 1;
}

/* Whether it need not be read again. Many viewers of one second share it. */
static bool
slot_is_fresh(const struct series_slot *slot)
{
	const int64_t read_s = (clock_mono_us() - slot->read_us) / 1000000;
	int64_t over_s;

	if (slot->step == MEASURE_TOTAL)
		return read_s < 1;
	/* By the clock as it is now: what it was when this was read may have
	 * been wrong. */
	over_s =
	    clock_wall_us() / 1000000 - slot->begin_s - (int64_t)slot->step;
	return read_s < (over_s >= LATE_S ? over_s / AGAIN_PART : 1);
}

/* With the lock. */
static void
slot_unref(struct series_slot *slot)
{
	if (slot != NULL && --slot->refs == 0)
		free(slot);
}

/* NULL: it is to be read. */
static struct series_slot *
slot_find(struct series *s, enum measure_step step, int64_t begin_s)
{
	struct series_slot *slot = s->kept[place_of(step, begin_s)];

	if (slot == NULL || slot->step != step || slot->begin_s != begin_s ||
	    !slot_is_fresh(slot))
		return NULL;
	slot->refs++;
	return slot;
}

/* With the lock. Beyond the bound nothing is kept, rather than to throw out
 * what is asked for each second. */
static void
slot_keep(struct series *s, struct series_slot *slot)
{
	struct series_slot **place =
	    &s->kept[place_of(slot->step, slot->begin_s)];

	if (*place != NULL) {
		s->bytes -= (*place)->bytes;
		slot_unref(*place);
		*place = NULL;
	}
	if (s->bytes + slot->bytes > KEPT_BYTES_MAX)
		return;
	slot->refs++;
	s->bytes += slot->bytes;
	*place = slot;
}

/* --- reading ----------------------------------------------------------- */

/* Some slots that travel together. */
struct reading {
	struct query q;
	enum measure_step step;
	size_t n, left;
	struct err err; /* of the first that failed */
	struct wanted {
		struct reading *all;
		int64_t begin_s;
		struct series_slot **ret;
	} wanted[READ_AT_ONCE];
};

/* Copies the name to *text, and moves that behind it. */
static struct slice
slot_keep_name(struct slice name, char **text)
{
	const struct slice copy = {*text, name.len};

	if (name.len > 0 && name.p != NULL)
		memcpy(*text, name.p, name.len);
	*text += name.len;
	return copy;
}

/* A copy; NULL when memory runs out. */
static struct series_slot *
slot_make(const struct measure *measures, size_t n)
{
	size_t bytes = sizeof(struct series_slot) + n * sizeof(*measures), i;
	struct series_slot *slot;
	char *text;

	for (i = 0; i < n; i++)
		bytes += measures[i].queue.len + measures[i].task.len;
	if ((slot = malloc(bytes)) == NULL)
		return NULL;
	*slot = (struct series_slot){.refs = 1, .bytes = bytes, .n = n};
	text = (char *)&slot->measures[n];
	for (i = 0; i < n; i++) {
		struct measure *m = &slot->measures[i];

		*m = measures[i];
		m->queue = slot_keep_name(m->queue, &text);
		m->task = slot_keep_name(m->task, &text);
	}
	return slot;
}

/* On the client's loop; query_end() wakes the thread that waits, and orders its
 * view of what was written here. */
static void
on_slot_read(const struct measure *measures, size_t n, const struct err *err,
	     void *arg)
{
	const struct wanted *w = arg;
	struct reading *all = w->all;
	struct series_slot *slot = NULL;

	if (err == NULL && (slot = slot_make(measures, n)) != NULL) {
		slot->step = all->step;
		slot->begin_s = w->begin_s;
		slot->read_us = clock_mono_us();
		*w->ret = slot;
	} else if (err == NULL) {
		err_nomem(&all->err);
	} else if (all->err.code == ERR_NONE) {
		all->err = *err;
	}
	if (--all->left == 0)
		query_end(&all->q,
			  all->err.code != ERR_NONE ? &all->err : NULL);
}

/* Called once (`once`): answers of a first time could still come. */
static void
send_reading(struct query *q)
{
	struct reading *all = container_of(q, struct reading, q);
	size_t i;

	all->left = all->n;
	for (i = 0; i < all->n; i++)
		results_measures(q->client->results, all->step,
				 all->wanted[i].begin_s, on_slot_read,
				 &all->wanted[i]);
}

/* Emptied for the next ones. */
static int
reading_run(struct reading *all, struct err *err)
{
	const int result = all->n > 0 ? query_run(&all->q, err) : 0;

	all->n = 0;
	return result;
}

/* Reads those that are NULL. What was read stays in `slots` also if another
 * fails. */
static int
read_missing(struct flowrra_client *c, enum measure_step step, int64_t begin_s,
	     struct series_slot **slots, size_t n, struct err *err)
{
	struct reading *all = calloc(1, sizeof(*all));
	int result = 0;
	size_t i;

	if (all == NULL)
		return err_nomem(err);
	all->q = (struct query){.client = c,
				.send = send_reading,
				.of_results = true,
				.once = true};
	all->step = step;
	for (i = 0; i < n && result == 0; i++) {
		if (slots[i] != NULL)
			continue;
		all->wanted[all->n++] = (struct wanted){
		    all, begin_s + (int64_t)i * (int64_t)step, &slots[i]};
		if (all->n == READ_AT_ONCE)
			result = reading_run(all, err);
	}
	if (result == 0)
		result = reading_run(all, err);
	free(all);
	return result;
}

/* Two threads may read the same slot at once: the later one is kept, and each
 * has its own. */
int
series_read(struct series *s, struct flowrra_client *c, enum measure_step step,
	    int64_t begin_s, struct series_slot **slots, size_t n,
	    struct err *err)
{
	bool *read = calloc(n + 1, sizeof(*read));
	int result = -1;
	size_t i;

	if (read == NULL)
		return err_nomem(err);
	pthread_mutex_lock(&s->lock);
	for (i = 0; i < n; i++) {
		slots[i] =
		    slot_find(s, step, begin_s + (int64_t)i * (int64_t)step);
		read[i] = slots[i] == NULL;
	}
	pthread_mutex_unlock(&s->lock);
	if (client_check(c, err) == 0)
		result = read_missing(c, step, begin_s, slots, n, err);
	pthread_mutex_lock(&s->lock);
	for (i = 0; i < n; i++)
		if (read[i] && slots[i] != NULL)
			slot_keep(s, slots[i]);
	pthread_mutex_unlock(&s->lock);
	free(read);
	if (result != 0)
		series_done(s, slots, n);
	return result;
}

void
series_done(struct series *s, struct series_slot **slots, size_t n)
{
	size_t i;

	pthread_mutex_lock(&s->lock);
	/* NOLINTBEGIN(clang-analyzer-unix.Malloc): each has a count of its own */
	for (i = 0; i < n; i++)
		slot_unref(slots[i]);
	/* NOLINTEND(clang-analyzer-unix.Malloc) */
	pthread_mutex_unlock(&s->lock);
}

/* --- opening ----------------------------------------------------------- */

struct series *
series_new(struct err *err)
{
	struct series *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_nomem(err);
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void
series_free(struct series *s)
{
	size_t i;

	if (s == NULL)
		return;
	/* Nobody holds one any more. */
	for (i = 0; i < PLACES; i++)
		free(s->kept[i]);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
