/* SPDX-License-Identifier: MIT */
/*
 * Answers that are kept for a while.
 *
 * They are copied in and out, since jansson's values have counters that no two
 * threads may touch. When one has grown old, a single caller makes it again, and
 * the others get the old one meanwhile: so a slow store is asked once, not by
 * each page.
 */
#include "web/kept.h"

#include "util/clock.h"

void
kept_init(struct kept *k)
{
	*k = (struct kept){.value = NULL};
	pthread_mutex_init(&k->lock, NULL);
}

void
kept_done(struct kept *k)
{
	json_decref(k->value);
	pthread_mutex_destroy(&k->lock);
}

/* At the beginning there is no old one: then all who ask at once make it, rather
 * than to wait with the lock for a store. */
json_t *
kept_get(struct kept *k)
{
	json_t *value = NULL;

	pthread_mutex_lock(&k->lock);
	if (k->value != NULL &&
	    (clock_mono_us() < k->until_us || k->being_made))
		value = json_deep_copy(k->value);
	else
		k->being_made = true;
	pthread_mutex_unlock(&k->lock);
	return value;
}

/* NULL: it could not be made; the old one stays, and is tried again after the same
 * time. */
void
kept_set(struct kept *k, const json_t *value, int64_t good_us)
{
	json_t *copy = value != NULL ? json_deep_copy(value) : NULL;

	pthread_mutex_lock(&k->lock);
	k->being_made = false;
	k->until_us = clock_mono_us() + good_us;
	if (copy != NULL) {
		json_decref(k->value);
		k->value = copy;
	}
	pthread_mutex_unlock(&k->lock);
}
