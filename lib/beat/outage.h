/* SPDX-License-Identifier: MIT */
/*
 * Destinations that take nothing: a queue that is full; a store that answers,
 * but has no memory, or no backend. What is due for them stays due, so that the
 * policies of its schedule judge it when they take again, and one line of the
 * log says so when it begins and one when it is over. For lib/beat only.
 */
#ifndef BEAT_OUTAGE_H
#define BEAT_OUTAGE_H

#include <stdbool.h>

struct err;
struct outage;
struct schedule_fire;

/* NULL when memory runs out. */
struct outage *outage_new(void);
void outage_free(struct outage *o);

/* A fire was put into its queue, or not; that it is sent again is the caller's
 * affair. ERR_FULL is of its queue, all else of the store. */
void outage_taken(struct outage *o, const struct schedule_fire *fire);
void outage_refused(struct outage *o, const struct schedule_fire *fire,
		    const struct err *why);
/* Nothing waits that could show when the store takes again: what is due next
 * will be tried. */
void outage_forget(struct outage *o);

/* Whether nothing is to be claimed: for any queue, or for this one. */
bool outage_of_store(const struct outage *o);
bool outage_of_queue(const struct outage *o, const char *queue);

#endif
