/* SPDX-License-Identifier: MIT */
/*
 * Answers that cost much and are asked for often, kept for some seconds. Any thread
 * may use one; a new one is made by one thread, while the others get the old one.
 */
#ifndef WEB_KEPT_H
#define WEB_KEPT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct kept {
	pthread_mutex_t lock;
	json_t *value;
	int64_t until_us; /* of the monotonic clock */
	bool being_made;
};

void kept_init(struct kept *k);
void kept_done(struct kept *k);

/* A copy; NULL: it has to be made, by the caller, who then calls kept_set(). */
json_t *kept_get(struct kept *k);
/* Keeps a copy. `value` NULL: it could not be made; what was there stays, and the
 * next one to ask tries again once its time is over. */
void kept_set(struct kept *k, const json_t *value, int64_t good_us);

#endif
