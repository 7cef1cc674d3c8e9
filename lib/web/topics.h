/* SPDX-License-Identifier: MIT */
/*
 * Topics: what the sampler asks for, and what each of them said the last time.
 *
 * A topic is a GET route of the API, asked as an operator would: so what is live
 * has the shape of what is asked for, and a page needs no second code for it.
 * task:ID is a record and its progress; all that are wanted travel together. One
 * thread uses it.
 */
#ifndef WEB_TOPICS_H
#define WEB_TOPICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The events that readers want: none, brief ones, or with whole records. */
enum feed { FEED_NONE, FEED_BRIEF, FEED_WHOLE };

struct err;
struct samples;
struct topics;
struct web_shared;

/*
 * One that is wanted. `id` is another one each time that nobody wanted it before:
 * a topic that was left and taken up again at once is told whole, since its new
 * readers know nothing of what was said to the old ones.
 */
struct topic_wanted {
	char *name;
	uint64_t id;
	bool due; /* for topics_ask(): it may have changed */
};
/* The id of the task that a topic is about; NULL: it is another topic. */
const char *topic_task(const char *name);

/* NULL with *err. `shared` has a client that no other thread waits for; `daemon`
 * has the mask that is in force. */
struct topics *topics_new(const struct web_shared *shared,
			  const struct web_shared *daemon,
			  struct samples *samples, struct err *err);
void topics_free(struct topics *topics);

/* Asks for each that is due, puts what is new into the samples, and forgets what
 * is not wanted; the last of `wanted` has no name. 0, or -1: the stores are out
 * of reach, and *err says so. */
int topics_ask(struct topics *topics, const struct topic_wanted *wanted,
	       struct err *err);

#endif
