/* SPDX-License-Identifier: MIT */
/*
 * The thread that follows the tasks which somebody looks at (task:ID), so that
 * nothing is asked about a task that does not change. Private to the hub.
 */
#ifndef WEB_FOLLOWER_H
#define WEB_FOLLOWER_H

#include <stddef.h>

struct err;
struct flowrra_client;
struct follower;
struct topic_wanted;

/*
 * This many tasks are followed, the first of the list; the sampler looks at the
 * others in each of its turns, with one question for all. A subscription each
 * costs every worker that ends a task, whichever: with 200, a drain lost 8 %.
 */
#define FOLLOWED_MAX 16

struct follower_options {
	struct flowrra_client *client; /* other threads may use it as well */
	/* On any thread that uses the client: a task may have changed. Once for
	 * each when it is followed, too. Must not wait. */
	void (*on_change)(const char *id, void *arg);
	void *arg;
};

struct follower *follower_new(const struct follower_options *options,
			      struct err *err);
/* Follows from now on, within a moment, the first tasks among these topics, which are
 * copied; the last has no name. Without memory: those of before. */
void follower_want(struct follower *f, const struct topic_wanted *topics);
/* Has the thread end soon, without waiting for it. */
void follower_stop(struct follower *f);
/* Waits for the thread. NULL is allowed. */
void follower_free(struct follower *f);

#endif
