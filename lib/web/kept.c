/* SPDX-License-Identifier: MIT */
/* Answers that are kept. They are copied in and out, since jansson's values have
 * counters that no two threads may touch. */
#include "web/kept.h"

#include "util/clock.h"

json_t *
kept_get(struct kept *k, const struct flowrra_client *client)
{
	json_t *value = NULL;

	pthread_mutex_lock(&k->lock);
	if (k->of == client && k->value != NULL &&
	    (clock_mono_us() < k->until_us || k->being_made))
		value = json_deep_copy(k->value);
	else
		k->being_made = true;
	pthread_mutex_unlock(&k->lock);
	return value;
}

void
kept_set(struct kept *k, const struct flowrra_client *client,
	 const json_t *value, int64_t good_us)
{
	json_t *copy = value != NULL ? json_deep_copy(value) : NULL;

	pthread_mutex_lock(&k->lock);
	k->being_made = false;
	k->until_us = clock_mono_us() + good_us;
	if (copy != NULL || k->of != client) {
		json_decref(k->value);
		k->value = copy;
		k->of = client;
	}
	pthread_mutex_unlock(&k->lock);
}
