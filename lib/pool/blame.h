/* SPDX-License-Identifier: MIT */
/*
 * Which jobs the end of an executor is held against.
 *
 * Only two kinds of job are: one that the executor named while it died or did
 * not answer, and one that was alone in it. All others are put back uncharged:
 * what may have been the cause is suspect, and runs alone the next time, so that
 * the next crash has a name.
 */
#ifndef POOL_BLAME_H
#define POOL_BLAME_H

#include "util/buf.h"

struct executor;
struct executor_exit;
struct pool;
struct pool_job;

/* It has ended: each of its jobs is given back, with what that means for it. */
void blame_exit(struct pool *p, struct executor *e,
		const struct executor_exit *end);
/* It lives, but what ran the job outside of it has died; `why` says what. The
 * job is with no executor any more. */
void blame_lost(struct pool *p, struct executor *e, struct pool_job *job,
		struct slice why);

#endif
