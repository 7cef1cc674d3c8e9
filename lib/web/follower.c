/* SPDX-License-Identifier: MIT */
/*
 * The thread that follows the tasks which somebody looks at.
 *
 * Another list of tasks means that tasks_follow() is left and begun again, with
 * one look at each. That is as good as asking once more, as the sampler does
 * then anyhow; between two lists nothing is missed, since each begins with a
 * look.
 */
#include "web/follower.h"

#include <stdlib.h>
#include <string.h>

#include "manager/follow.h"
#include "util/err.h"
#include "util/log.h"
#include "web/thread.h"
#include "web/topics.h"

/* Until a backend that was out of reach is tried again. */
#define AGAIN_US 1000000

struct ids {
	char **items;
	size_t n;
};

struct follower {
	struct follower_options options;
	struct web_thread thread; /* its lock is of what follows */
	struct ids wanted;
	/* There is another list than the one that is followed. Read without the
	 * lock while it is. */
	atomic_bool other;
};

/* --- lists of ids --------------------------------------------------------- */

static void
ids_free(struct ids *ids)
{
	while (ids->n > 0)
		free(ids->items[--ids->n]);
	free(ids->items);
	*ids = (struct ids){NULL, 0};
}

/* 0, or -1 without memory, and the list is as it was. */
static int
ids_add(struct ids *ids, const char *id)
{
	char **items =
	    reallocarray(ids->items, ids->n + 1, sizeof(*ids->items));

	if (items == NULL)
		return -1;
	ids->items = items;
	if ((items[ids->n] = strdup(id)) == NULL)
		return -1;
	ids->n++;
	return 0;
}

/* 0, or -1 without memory. */
static int
ids_of_topics(const struct topic_wanted *topics, struct ids *ret)
{
	struct ids ids = {NULL, 0};
	const char *id;

	for (; topics->name != NULL && ids.n < FOLLOWED_MAX; topics++)
		if ((id = topic_task(topics->name)) != NULL &&
		    ids_add(&ids, id) != 0) {
			ids_free(&ids);
			return -1;
		}
	*ret = ids;
	return 0;
}

static int
ids_copy(const struct ids *from, struct ids *ret)
{
	struct ids ids = {NULL, 0};
	size_t i;

	for (i = 0; i < from->n; i++)
		if (ids_add(&ids, from->items[i]) != 0) {
			ids_free(&ids);
			return -1;
		}
	*ret = ids;
	return 0;
}

/* In the same order: the hub keeps that. */
static bool
ids_same(const struct ids *a, const struct ids *b)
{
	size_t i;

	for (i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return a->n == b->n;
}

/* --- the thread ----------------------------------------------------------- */

/* On the client's loop, which one of the threads that wait for it turns. */
static void
on_follower_change(const char *id, void *arg)
{
	const struct follower *f = arg;

	f->options.on_change(id, f->options.arg);
}

static bool
on_follower_asked(void *arg)
{
	struct follower *f = arg;

	return atomic_load(&f->thread.stop) || atomic_load(&f->other);
}

/* Sleeps until there is something to follow, after a failure for a moment at
 * least. A copy, since the list may change while it is followed; 0, or -1 without
 * memory for it, or when the thread is to end. */
static int
follower_take(struct follower *f, bool failed, struct ids *ret)
{
	const int64_t until_us = web_thread_now_us() + AGAIN_US;
	int r = -1;

	pthread_mutex_lock(&f->thread.lock);
	if (failed && !on_follower_asked(f))
		web_thread_wait(&f->thread, until_us);
	while (!atomic_load(&f->thread.stop) && f->wanted.n == 0)
		web_thread_wait(&f->thread, THREAD_FOREVER);
	atomic_store(&f->other, false);
	if (!atomic_load(&f->thread.stop))
		r = ids_copy(&f->wanted, ret);
	pthread_mutex_unlock(&f->thread.lock);
	return r;
}

static void *
follower_thread(void *arg)
{
	struct follower *f = arg;
	struct tasks_follow follow = {.on_change = on_follower_change,
				      .stopped = on_follower_asked,
				      .arg = f};
	struct ids ids = {NULL, 0};
	struct err err = ERR_INIT;
	bool failed = false;

	while (!atomic_load(&f->thread.stop)) {
		if (follower_take(f, failed, &ids) != 0) {
			failed = true;
			continue;
		}
		follow.ids = (const char *const *)ids.items;
		follow.n = ids.n;
		failed = tasks_follow(f->options.client, &follow, &err) != 0;
		if (failed)
			log_debug("tasks are not followed: %s", err.msg);
		ids_free(&ids);
	}
	return NULL;
}

/* --- for the sampler ------------------------------------------------------ */

/* Called with each list that the loop makes; most are the same as before. */
void
follower_want(struct follower *f, const struct topic_wanted *topics)
{
	struct ids wanted;

	if (ids_of_topics(topics, &wanted) != 0)
		return;
	pthread_mutex_lock(&f->thread.lock);
	if (ids_same(&f->wanted, &wanted)) {
		ids_free(&wanted);
	} else {
		ids_free(&f->wanted);
		f->wanted = wanted;
		atomic_store(&f->other, true);
		pthread_cond_broadcast(&f->thread.changed);
	}
	pthread_mutex_unlock(&f->thread.lock);
}

struct follower *
follower_new(const struct follower_options *options, struct err *err)
{
	struct follower *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		err_nomem(err);
		return NULL;
	}
	f->options = *options;
	web_thread_init(&f->thread);
	if (web_thread_begin(&f->thread, follower_thread, f, err) == 0)
		return f;
	follower_free(f);
	return NULL;
}

void
follower_stop(struct follower *f)
{
	web_thread_stop(&f->thread);
}

void
follower_free(struct follower *f)
{
	if (f == NULL)
		return;
	web_thread_done(&f->thread);
	ids_free(&f->wanted);
	free(f);
}
