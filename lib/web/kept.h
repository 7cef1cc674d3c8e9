/* SPDX-License-Identifier: MIT */
/*
 * Answers that are dear and asked for often: kept for some seconds, of one
 * client. Any thread may use one; a new one is made by one thread, while the
 * others are given the old.
 */
#ifndef WEB_KEPT_H
#define WEB_KEPT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct flowrra_client;

struct kept {
	pthread_mutex_t lock;
	const struct flowrra_client *of;
	json_t *value;
	int64_t until_us;
	bool being_made;
};
#define KEPT_INIT                                                              \
	{                                                                      \
		.lock = PTHREAD_MUTEX_INITIALIZER                              \
	}

/* A copy; NULL: it has to be made, by the caller, who then calls kept_set(). */
json_t *kept_get(struct kept *k, const struct flowrra_client *client);
/* Keeps a copy. `value` NULL: it could not be made; what was there stays. */
void kept_set(struct kept *k, const struct flowrra_client *client,
	      const json_t *value, int64_t good_us);

#endif
