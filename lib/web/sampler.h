/* SPDX-License-Identifier: MIT */
/*
 * The hub's threads: the sampler, which asks routes, and the listener, which
 * follows the events of tasks while somebody wants them. What they find is put
 * into a queue for the loop. Private to the hub.
 */
#ifndef WEB_SAMPLER_H
#define WEB_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct err;
struct hub_options;
struct sampler;

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
void sample_free(struct sample *sample);

/* `wake` is an eventfd of the loop's. */
struct sampler *sampler_new(const struct hub_options *options, int wake,
			    struct err *err);
void sampler_stop(struct sampler *s);
void sampler_free(struct sampler *s);

/* What is to be asked from now on, at once: NULL-ended, copied. */
int sampler_want(struct sampler *s, const char *const *topics, bool feed);
/* The next of what was found; NULL: there is none. */
struct sample *sampler_take(struct sampler *s);
int64_t sampler_answered_us(const struct sampler *s);

#endif
