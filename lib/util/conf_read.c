/* SPDX-License-Identifier: MIT */
/* A configuration that is read in a thread, while a loop turns. */
#include "util/conf_read.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/conf.h"
#include "util/err.h"

/* What the thread works on, with nothing of the loop's in it: the last of the
 * two that lets go frees it. */
struct reading {
	pthread_mutex_t lock;
	int done_fd; /* an eventfd: the thread has finished */
	bool finished, left;
	const char *path;
	const char *const *settings;
	int (*check)(const struct conf *conf, struct err *err);
	struct conf *conf;
	struct err err;
};

struct conf_read {
	struct reading *reading;
	struct event *on_finish;
	void (*on_done)(struct conf *conf, const struct err *why, void *arg);
	void *arg;
};

static void
reading_free(struct reading *g)
{
	conf_free(g->conf);
	close(g->done_fd);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

static void *
read_conf(void *arg)
{
	const uint64_t one = 1;
	struct reading *g = arg;
	bool left;

	if (conf_load(g->path, g->settings, &g->conf, &g->err) == 0 &&
	    g->check != NULL && g->check(g->conf, &g->err) != 0) {
		conf_free(g->conf);
		g->conf = NULL;
	}
	pthread_mutex_lock(&g->lock);
	g->finished = true;
	left = g->left;
	/* Under the lock: once it is open, the other side may free all. */
	if (!left && write(g->done_fd, &one, sizeof(one)) < 0)
		abort(); /* a counter of 0 takes 1 */
	pthread_mutex_unlock(&g->lock);
	if (left)
		reading_free(g);
	return NULL;
}

static void
on_finish(evutil_socket_t fd, short what, void *arg)
{
	struct conf_read *r = arg;
	struct reading *g = r->reading;
	struct conf *conf;

	pthread_mutex_lock(&g->lock);
	conf = g->conf;
	g->conf = NULL;
	pthread_mutex_unlock(&g->lock);
	if (conf != NULL)
		r->on_done(conf, NULL, r->arg);
	else
		r->on_done(NULL, &g->err, r->arg);
}

/* Detached: nobody waits for it. */
static int
start_thread(struct reading *g)
{
	sigset_t all, old;
	pthread_t thread;

	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	errno = pthread_create(&thread, NULL, read_conf, g);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (errno != 0)
		return -1;
	pthread_detach(thread);
	return 0;
}

static struct reading *
reading_new(const struct conf_read_options *options)
{
	struct reading *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->path = options->path;
	g->settings = options->settings;
	g->check = options->check;
	if ((g->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1) {
		free(g);
		return NULL;
	}
	pthread_mutex_init(&g->lock, NULL);
	return g;
}

struct conf_read *
conf_read_start(const struct conf_read_options *options, struct err *err)
{
	struct conf_read *r = calloc(1, sizeof(*r));
	struct reading *g = reading_new(options);

	if (r != NULL && g != NULL) {
		*r = (struct conf_read){.reading = g,
					.on_done = options->on_done,
					.arg = options->arg};
		r->on_finish =
		    event_new(options->base, g->done_fd, EV_READ, on_finish, r);
	}
	if (r != NULL && r->on_finish != NULL &&
	    event_add(r->on_finish, NULL) == 0 && start_thread(g) == 0)
		return r;
	err_sys(err, ERR_SYSTEM, "cannot read the configuration in a thread");
	if (r != NULL && r->on_finish != NULL)
		event_free(r->on_finish);
	if (g != NULL)
		reading_free(g);
	free(r);
	return NULL;
}

void
conf_read_free(struct conf_read *r)
{
	bool finished;

	if (r == NULL)
		return;
	pthread_mutex_lock(&r->reading->lock);
	r->reading->left = true;
	finished = r->reading->finished;
	pthread_mutex_unlock(&r->reading->lock);
	event_free(r->on_finish);
	if (finished)
		reading_free(r->reading);
	free(r);
}
