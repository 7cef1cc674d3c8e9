/* SPDX-License-Identifier: MIT */
/*
 * The queue between the hub's threads and the loop.
 *
 * States need no bound: the sampler makes one a topic and second, and the loop
 * takes all that are there in one turn. Events come as fast as tasks end, so they
 * have one.
 */
#include "web/samples.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "module/dump.h"
#include "util/err.h"
#include "web/mask.h"

/* Events that wait for the loop: what one reader of the feed is sent in ten
 * seconds (HUB_FEED_PER_S). More than that nobody would be shown. */
#define EVENTS_MAX 500

struct samples {
	int wake;
	pthread_mutex_t lock; /* of what follows */
	TAILQ_HEAD(, sample) list;
	size_t n_events;
	bool held;   /* states do not wake the loop */
	bool unread; /* of those that were put meanwhile */
};

/* --- one ------------------------------------------------------------------ */

struct sample *
sample_new(enum sample_kind kind, const char *topic)
{
	struct sample *sample = calloc(1, sizeof(*sample));

	if (sample == NULL)
		return NULL;
	sample->kind = kind;
	if ((sample->topic = strdup(topic)) == NULL) {
		free(sample);
		return NULL;
	}
	return sample;
}

void
sample_free(struct sample *sample)
{
	size_t i;

	if (sample == NULL)
		return;
	for (i = 0; i < SEEN_N; i++) {
		free(sample->full[i]);
		free(sample->delta[i]);
	}
	free(sample->topic);
	free(sample);
}

/* The masked form is made here, once for all viewers, and not by the loop for
 * each of them. */
int
sample_write(const struct web_mask *mask, json_t *value, char *texts[SEEN_N])
{
	json_t *masked = json_deep_copy(value);

	texts[SEEN_WHOLE] = json_dumps(value, dump_flags(value));
	if (masked != NULL)
		mask_json(mask, masked);
	texts[SEEN_MASKED] =
	    masked != NULL ? json_dumps(masked, dump_flags(masked)) : NULL;
	json_decref(masked);
	json_decref(value);
	return texts[SEEN_WHOLE] != NULL && texts[SEEN_MASKED] != NULL ? 0 : -1;
}

/* --- the queue ------------------------------------------------------------ */

struct samples *
samples_new(int wake, struct err *err)
{
	struct samples *samples = calloc(1, sizeof(*samples));

	if (samples == NULL) {
		err_nomem(err);
		return NULL;
	}
	samples->wake = wake;
	TAILQ_INIT(&samples->list);
	pthread_mutex_init(&samples->lock, NULL);
	return samples;
}

void
samples_free(struct samples *samples)
{
	struct sample *sample;

	if (samples == NULL)
		return;
	while ((sample = samples_take(samples)) != NULL)
		sample_free(sample);
	pthread_mutex_destroy(&samples->lock);
	free(samples);
}

/* A full counter has told the loop already. */
static void
samples_wake(struct samples *samples)
{
	const uint64_t one = 1;

	while (write(samples->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* A state is never dropped: the next delta would be on top of nothing. */
void
samples_put(struct samples *samples, struct sample *sample)
{
	const bool event = sample->kind == SAMPLE_EVENT;
	bool full, quiet;

	pthread_mutex_lock(&samples->lock);
	full = event && samples->n_events >= EVENTS_MAX;
	quiet = samples->held && !event;
	if (!full) {
		samples->n_events += event;
		TAILQ_INSERT_TAIL(&samples->list, sample, next);
	}
	samples->unread |= quiet;
	pthread_mutex_unlock(&samples->lock);
	if (full)
		sample_free(sample);
	else if (!quiet)
		samples_wake(samples);
}

void
samples_hold(struct samples *samples)
{
	pthread_mutex_lock(&samples->lock);
	samples->held = true;
	pthread_mutex_unlock(&samples->lock);
}

void
samples_release(struct samples *samples)
{
	bool unread;

	pthread_mutex_lock(&samples->lock);
	unread = samples->unread;
	samples->held = samples->unread = false;
	pthread_mutex_unlock(&samples->lock);
	if (unread)
		samples_wake(samples);
}

struct sample *
samples_take(struct samples *samples)
{
	struct sample *sample;

	pthread_mutex_lock(&samples->lock);
	if ((sample = TAILQ_FIRST(&samples->list)) != NULL) {
		TAILQ_REMOVE(&samples->list, sample, next);
		samples->n_events -= sample->kind == SAMPLE_EVENT;
	}
	pthread_mutex_unlock(&samples->lock);
	return sample;
}
