/* SPDX-License-Identifier: MIT */
/*
 * The tasks whose records are waited for: who is told what.
 *
 * A watch ends within its callback more often than not, so nothing here holds
 * a pointer to another watch, or to the topic, across a callback. What keeps
 * the topic meanwhile is `notifying`.
 */
#include "store/watches.h"

#include <stdint.h>
#include <stdlib.h>

#include "util/fnv.h"
#include "util/pending.h"

/* What a watch has been told. The states follow one another; a final record
 * that comes first leads from the first to the last. */
enum watch_state {
	WATCH_NEW,   /* nothing, or errors only */
	WATCH_SHOWN, /* a record that is not final, or that there is none */
	WATCH_OVER   /* the final record: it is not called any more */
};

struct watch {
	struct results_watch pub;
	TAILQ_ENTRY(watch) link;
	struct topic *topic;
	results_record_fn *on_record;
	void *arg;
	enum watch_state state;
	bool follows;  /* told of every record, final or not */
	bool notified; /* of the present round of watches_notify() */
};

/* --- the table --------------------------------------------------------- */

static size_t
watches_hash(struct slice id)
{
	/* Ids are UUIDs, or a user's own, which may differ in their last
	 * characters only. */
	return fnv_32(FNV_BASIS_32, id) % WATCHES_BUCKETS;
}

void
watches_init(struct watches *table, const struct watches_ops *ops)
{
	size_t i;

	table->ops = ops;
	for (i = 0; i < WATCHES_BUCKETS; i++)
		TAILQ_INIT(&table->buckets[i]);
}

struct topic *
watches_find(struct watches *table, struct slice id)
{
	struct topic *t;

	TAILQ_FOREACH (t, &table->buckets[watches_hash(id)], link)
		if (slice_eq(t->id, id))
			return t;
	return NULL;
}

void
watches_add(struct watches *table, struct topic *t, struct slice id)
{
	t->id = id;
	t->table = table;
	t->notifying = false;
	t->followed = false;
	TAILQ_INIT(&t->watches);
	TAILQ_INSERT_TAIL(&table->buckets[watches_hash(id)], t, link);
}

struct topic *
watches_next(struct watches *table, const struct topic *t)
{
	struct topic *next = t != NULL ? TAILQ_NEXT(t, link) : NULL;
	size_t i = t != NULL ? watches_hash(t->id) + 1 : 0;

	/* By the hash of `t`, so that a walk needs no state of its own. */
	while (next == NULL && i < WATCHES_BUCKETS)
		next = TAILQ_FIRST(&table->buckets[i++]);
	return next;
}

static void
watches_drop(struct topic *t)
{
	TAILQ_REMOVE(&t->table->buckets[watches_hash(t->id)], t, link);
}

/* Ends a topic that nobody watches any more. */
static void
watches_release(struct topic *t)
{
	const struct watches_ops *ops = t->table->ops;

	/* watches_notify() calls this again when it has come round. */
	if (t->notifying || !TAILQ_EMPTY(&t->watches))
		return;
	/* Out of the table first: what leave() does may look for it there. */
	watches_drop(t);
	ops->leave(t);
	ops->free(t);
}

void
watches_done(struct watches *table)
{
	struct topic *t;
	struct watch *w;

	while ((t = watches_next(table, NULL)) != NULL) {
		while ((w = TAILQ_FIRST(&t->watches)) != NULL) {
			TAILQ_REMOVE(&t->watches, w, link);
			free(w);
		}
		watches_drop(t);
		table->ops->free(t);
	}
}

/* --- watches ----------------------------------------------------------- */

struct results_watch *
watches_watch(struct topic *t, struct results *results, bool follows,
	      results_record_fn *on_record, void *arg)
{
	struct watch *w = malloc(sizeof(*w));

	if (w == NULL) {
		/* It may be new, and have no other. */
		watches_release(t);
		return NULL;
	}
	/* One that comes while others are told has its own look before it. */
	*w = (struct watch){.pub.results = results,
			    .topic = t,
			    .on_record = on_record,
			    .arg = arg,
			    .follows = follows,
			    .notified = true};
	t->followed |= follows;
	TAILQ_INSERT_TAIL(&t->watches, w, link);
	return &w->pub;
}

void
watches_unwatch(struct results_watch *watch)
{
	struct watch *w = container_of(watch, struct watch, pub);
	struct topic *t = w->topic;

	/* The topic goes last, and only outside of a round. */
	TAILQ_REMOVE(&t->watches, w, link);
	free(w);
	watches_release(t);
}

/* What results_watch() promises: one look at the record as it is, the final one,
 * and each sign of trouble before that. */
static bool
watch_is_concerned(const struct watch *w, bool final, const struct err *err)
{
	if (w->follows)
		return true;
	if (w->state == WATCH_SHOWN)
		return final || err != NULL;
	return w->state == WATCH_NEW;
}

void
watches_notify(struct topic *t, struct slice record, bool final,
	       const struct err *err)
{
	struct watch *w;

	/* One that begins meanwhile is not in this round: watches_watch() marks
	 * it, and its own query will tell it. */
	t->notifying = true;
	TAILQ_FOREACH (w, &t->watches, link)
		w->notified = !watch_is_concerned(w, final, err);
	/* From the first one each time, since a callback may end any of them,
	 * its own watch or another. */
	for (;;) {
		TAILQ_FOREACH (w, &t->watches, link)
			if (!w->notified)
				break;
		if (w == NULL)
			break;
		w->notified = true;
		/* Before the call, after which the watch may be gone. */
		if (final)
			w->state = WATCH_OVER;
		else if (err == NULL)
			w->state = WATCH_SHOWN;
		w->on_record(record, err, w->arg);
	}
	t->notifying = false;
	watches_release(t);
}

bool
watches_are_over(const struct topic *t)
{
	const struct watch *w;

	TAILQ_FOREACH (w, &t->watches, link)
		if (w->follows || w->state != WATCH_OVER)
			return false;
	return true;
}
