/* SPDX-License-Identifier: MIT */
/*
 * Samples: what the hub's threads have found, on its way to the loop.
 *
 * The threads put, the loop takes, and an eventfd tells the loop; no value of
 * jansson crosses, only texts, since its reference counts belong to one thread.
 */
#ifndef WEB_SAMPLES_H
#define WEB_SAMPLES_H

#include <jansson.h>
#include <sys/queue.h>

struct err;
struct samples;
struct web_mask;

/* The two forms of a text: as it is, and as viewers see it. */
enum { SEEN_WHOLE, SEEN_MASKED, SEEN_N };

enum sample_kind {
	SAMPLE_STATE, /* of a topic */
	SAMPLE_EVENT, /* of the feed */
	SAMPLE_STALE, /* the stores are away; `delta` says why */
	SAMPLE_LIVE   /* and back */
};

struct sample {
	enum sample_kind kind;
	char *topic;
	char *full[SEEN_N];  /* all of it; NULL for events */
	char *delta[SEEN_N]; /* what has changed since; NULL: `full` is the
				first */
	TAILQ_ENTRY(sample) next;
};

/* NULL without memory. */
struct sample *sample_new(enum sample_kind kind, const char *topic);
void sample_free(struct sample *sample);
/* Writes both forms of a value, which it takes (NULL: there was no memory for
 * it). 0, or -1 without memory. */
int sample_write(const struct web_mask *mask, json_t *value,
		 char *texts[SEEN_N]);

/* `wake` is an eventfd of the loop's. NULL with *err. */
struct samples *samples_new(int wake, struct err *err);
/* With those that nobody has taken. */
void samples_free(struct samples *samples);
/* Any thread. Takes the sample; an event beyond the bound is dropped. */
void samples_put(struct samples *samples, struct sample *sample);
/* From the thread that puts in states: those that are put between the two wake the
 * loop once, at the end. Events of other threads do at once. */
void samples_hold(struct samples *samples);
void samples_release(struct samples *samples);
/* The next one, which is the caller's; NULL: there is none. */
struct sample *samples_take(struct samples *samples);

#endif
