/* SPDX-License-Identifier: MIT */
/*
 * How many unfinished tasks each submitter has ([web] submit_max).
 *
 * What a submitter has submitted is noted. When there are as many as there may be, their
 * records are asked which have ended; only that costs anything. What was submitted
 * before this process began is looked for once, among the newest of each queue.
 */
#ifndef WEB_QUOTA_H
#define WEB_QUOTA_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct flowrra_client;
struct web_quota;

/* NULL when memory runs out. */
struct web_quota *quota_new(void);
void quota_free(struct web_quota *q);

/*
 * Notes a task that is about to be submitted; `prefix` is what the IDs of its submitter
 * begin with. -1 with *err (ERR_FULL) if there are `max` unfinished ones, which are
 * looked at once a second; or when the store does not answer. Any thread.
 */
int quota_take(struct web_quota *q, struct flowrra_client *c,
	       const char *prefix, const char *id, size_t max, struct err *err);

/*
 * Schedules of a submitter: each may have one unfinished task, and leaves one less to be
 * submitted. quota_wants_schedules() is true, once a minute at most, when their number
 * should be counted again; then tell it to quota_note_schedules(). Any thread.
 */
bool quota_wants_schedules(struct web_quota *q, const char *prefix);
void quota_note_schedules(struct web_quota *q, const char *prefix, size_t n);
/* -1 with *err (ERR_FULL) if there is no room for one more besides `n` schedules and the
 * unfinished tasks; else there are n + 1. */
int quota_take_schedule(struct web_quota *q, struct flowrra_client *c,
			const char *prefix, size_t n, size_t max,
			struct err *err);

#endif
