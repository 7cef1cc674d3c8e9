/* SPDX-License-Identifier: MIT */
/* Fires whose schedule's last task has not finished. For lib/beat only. */
#ifndef BEAT_OVERLAP_H
#define BEAT_OVERLAP_H

#include <stdint.h>

#include "beat/lookup.h"

struct beat;
struct rule;
struct schedule;

/* The last task of a schedule. */
enum overlap_last {
	OVERLAP_NONE,	 /* it has finished, or does not matter */
	OVERLAP_RUNNING, /* it has not finished, or nobody can tell */
	OVERLAP_COMING	 /* it is so young that it may not be queued yet */
};
/* LOOKUP_NOTED: it will be asked. LOOKUP_FAILED: not known, and the fire must
 * wait until it is. */
enum lookup_state overlap_ask(struct beat *b, const struct schedule *s,
			      enum overlap_last *ret);
/*
 * For how many microseconds the plan in hand has to wait for the end of the last
 * task, which is being cancelled; 0: not at all. `queue`: where its tasks go.
 */
int64_t overlap_wait(struct beat *b, const struct schedule *s,
		     const struct rule *r, const char *queue,
		     enum overlap_last last);

#endif
