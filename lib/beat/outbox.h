/* SPDX-License-Identifier: MIT */
/*
 * The outbox: fires that were claimed, on their way into queues. A batch at a
 * time is sent; what was sent is marked in the database when the caller says
 * so, several batches together. For lib/beat only.
 *
 * A fire that is sent twice becomes one task: the broker knows its id. So after
 * an answer that is missing, or a mark that failed, it is just sent again.
 */
#ifndef BEAT_OUTBOX_H
#define BEAT_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/clock.h"

struct broker;
struct err;
struct outage;
struct outbox;
struct results;
struct schedules;
struct schedule_fire;
struct schedules_fires;

/* Fires that were claimed so long ago and are not marked are sent by any
 * scheduler that sees them. Shorter than the 5 s after which a fire counts as
 * missed (PLAN_ON_TIME_US), longer than a submission takes. */
#define OUTBOX_OLD_US INT64_C(2000000)

/* What became of a batch. */
struct outbox_sent {
	size_t n_done;	      /* fires that are queued, or refused for good */
	size_t n_left;	      /* fires that failed: send them again */
	int64_t first_due_us; /* as it was given to outbox_send() */
};

struct outbox_options {
	/* Borrowed. */
	struct schedules *db;
	struct broker *broker;
	struct results *results;
	bool one_store;	       /* the broker stores the records, too */
	struct outage *outage; /* is told of each answer */
	/* A batch has its answers; outbox_sending() is false again. May be called
	 * from within outbox_send(). */
	void (*on_sent)(const struct outbox_sent *sent, void *arg);
	/* The time, by a clock that can be believed. */
	int64_t (*now_us)(const void *arg);
	void *arg;
};

/* NULL when memory runs out. */
struct outbox *outbox_new(const struct outbox_options *options);
/* Calls nobody back. The broker and the results are closed before it: they use
 * what it owns. */
void outbox_free(struct outbox *o);

/* The form of times in the records that it makes from now on; utc before. */
void outbox_set_times(struct outbox *o, enum clock_form times);

/* Whether a fire was claimed OUTBOX_OLD_US ago, or before a clock was set
 * back. */
bool outbox_is_old(const struct schedule_fire *fire, int64_t now_us);

enum outbox_age { OUTBOX_ALL, OUTBOX_OLD };
/*
 * Puts fires into their queues and owns them from now on; not while it is
 * sending. With OUTBOX_OLD those that were claimed less than OUTBOX_OLD_US ago
 * are passed over: who has claimed them is about to send them. Returns how many
 * fires are left for another time: these, or all without memory; on_sent() is
 * not called if that leaves none to be sent. `first_due_us` is given to
 * on_sent().
 */
size_t outbox_send(struct outbox *o, struct schedules_fires *fires,
		   enum outbox_age age, int64_t first_due_us);
bool outbox_sending(const struct outbox *o);

/* How many batches were sent and not marked. */
unsigned int outbox_unmarked(const struct outbox *o);
/* Marks all of them. On failure those that are left stay for the next call. */
int outbox_mark(struct outbox *o, struct err *err);

#endif
