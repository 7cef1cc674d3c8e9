/* SPDX-License-Identifier: MIT */
/*
 * Destinations that take nothing.
 *
 * The fires that were claimed before it was known are sent again each second:
 * they are what finds out when it is over. An outage has been told of until the
 * first fire is taken; whether claims wait is another question, since the fires
 * that were sent again may have become too late, and then the next one has to
 * try.
 */
#include "beat/outage.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "beat/outbox.h"
#include "schedules/claim.h"
#include "schedules/schedules.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"

/* A queue counts as full for longer than it takes until its fires are sent
 * again: without such a fire, what is due next is tried. */
#define FULL_US (OUTBOX_OLD_US + OUTBOX_OLD_US / 2)

/* One for each queue that was ever full; schedules name few. */
struct full_queue {
	SLIST_ENTRY(full_queue) link;
	bool told;
	int64_t until_us; /* monotonic */
	char name[];
};

struct outage {
	SLIST_HEAD(, full_queue) queues;
	bool store, store_told;
};

struct outage *
outage_new(void)
{
	return calloc(1, sizeof(struct outage));
}

void
outage_free(struct outage *o)
{
	struct full_queue *q;

	while (o != NULL && (q = SLIST_FIRST(&o->queues)) != NULL) {
		SLIST_REMOVE_HEAD(&o->queues, link);
		free(q);
	}
	free(o);
}

static struct full_queue *
find_full(const struct outage *o, const char *queue)
{
	struct full_queue *q;

	SLIST_FOREACH(q, &o->queues, link)
	if (strcmp(q->name, queue) == 0)
		return q;
	return NULL;
}

/* Without memory the queue is taken for one that has room: its fires wait in
 * the outbox. */
static struct full_queue *
note_full(struct outage *o, const char *queue)
{
	struct full_queue *q = find_full(o, queue);
	const size_t size = strlen(queue) + 1;

	if (q != NULL || (q = calloc(1, sizeof(*q) + size)) == NULL)
		return q;
	memcpy(q->name, queue, size);
	SLIST_INSERT_HEAD(&o->queues, q, link);
	return q;
}

static void
refuse_queue(struct outage *o, const char *queue, const struct err *why)
{
	const struct log_subject about = {.queue = queue};
	struct full_queue *q = note_full(o, queue);

	if (q == NULL)
		return;
	if (!q->told)
		log_about(LOG_LEVEL_warning, &about,
			  "%s; what is due for it waits", why->msg);
	q->told = true;
	q->until_us = clock_mono_us() + FULL_US;
}

void
outage_refused(struct outage *o, const struct schedule_fire *fire,
	       const struct err *why)
{
	if (why->code == ERR_FULL) {
		refuse_queue(o, fire->queue, why);
		return;
	}
	if (!o->store_told)
		log_warning("fires cannot be enqueued: %s; what is due waits",
			    why->msg);
	o->store = o->store_told = true;
}

void
outage_taken(struct outage *o, const struct schedule_fire *fire)
{
	const struct log_subject about = {.queue = fire->queue};
	struct full_queue *q = find_full(o, fire->queue);

	if (q != NULL && q->told)
		log_about(LOG_LEVEL_notice, &about,
			  "queue %s takes tasks again", q->name);
	if (q != NULL) {
		q->told = false;
		q->until_us = 0;
	}
	if (o->store_told)
		log_notice("fires are enqueued again");
	o->store = o->store_told = false;
}

void
outage_forget(struct outage *o)
{
	o->store = false;
}

bool
outage_of_store(const struct outage *o)
{
	return o->store;
}

bool
outage_of_queue(const struct outage *o, const char *queue)
{
	const struct full_queue *q = find_full(o, queue);

	return q != NULL && clock_mono_us() < q->until_us;
}
