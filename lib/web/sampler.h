/* SPDX-License-Identifier: MIT */
/*
 * The hub's threads: the sampler, which asks for topics, the follower, which
 * hears when a task has changed, and the feeder, which hears the events of all
 * tasks while somebody wants them. What they find is put into a queue for the
 * loop (samples.h). Private to the hub; the loop calls.
 */
#ifndef WEB_SAMPLER_H
#define WEB_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "web/samples.h"
#include "web/topics.h"

struct err;
struct hub_options;
struct sampler;

/* `options` must last; `wake` is an eventfd of the loop's. */
struct sampler *sampler_new(const struct hub_options *options, int wake,
			    struct err *err);
/* Has the threads end soon, without waiting for them. */
void sampler_stop(struct sampler *s);
/* Waits for the threads: a store that does not answer takes its deadline. */
void sampler_free(struct sampler *s);

/* What is to be asked for from now on, at once if it is another set than before;
 * copied, the last has no name. 0, or -1 without memory: as before. */
int sampler_want(struct sampler *s, const struct topic_wanted *topics,
		 enum feed feed);
/* Asks for all of it at once: who may see what has changed. */
void sampler_again(struct sampler *s);
/* The next of what was found; NULL: there is none. */
struct sample *sampler_take(struct sampler *s);
/* When the stores answered last, by the monotonic clock; 0: never. */
int64_t sampler_answered_us(const struct sampler *s);

#endif
