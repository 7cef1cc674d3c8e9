/* SPDX-License-Identifier: MIT */
/*
 * Whether the Sentinels of a URL could make another server the master: each of them is
 * asked (SENTINEL CKQUORUM).
 *
 * Not thread-safe: the loop's thread owns it.
 */
#ifndef REDIS_QUORUM_H
#define REDIS_QUORUM_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

struct event_base;
struct redis_quorum;
struct redis_url;

struct redis_sentinel_view {
	char name[300];	    /* its host and port */
	bool answers, well; /* well: there are enough of them, it says */
	struct err why;	    /* else; or why it does not answer */
};
/* From the loop, once; the views are good until the quorum is freed, as it may be
 * in this call. */
typedef void redis_quorum_fn(const struct redis_sentinel_view *views, size_t n,
			     void *arg);

/* NULL with *err: there is no memory, or it is no URL of Sentinels. */
struct redis_quorum *redis_quorum_new(struct event_base *base,
				      const struct redis_url *url,
				      redis_quorum_fn *on_views, void *arg,
				      struct err *err);
/* Calls nobody. NULL is allowed. */
void redis_quorum_free(struct redis_quorum *q);

#endif
