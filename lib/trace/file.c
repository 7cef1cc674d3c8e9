/* SPDX-License-Identifier: MIT */
/*
 * Spans in a file: one request a line, as the file receiver of OpenTelemetry's
 * collector (otlpjsonfile) reads it.
 *
 * A thread writes, since a disk may stand still for as long as it likes. The end of
 * a write comes back to the loop through a timer.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/sink.h"
#include "util/err.h"
#include "util/timer.h"

/* The group of the service may read it, as its logs. */
#define FILE_MODE 0640

struct sink {
	char *path;
	sink_done_fn *on_done;
	void *arg;
	struct timer *written; /* fired by the thread */
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct slice body; /* borrowed; empty: nothing to write */
	bool reopen, closing;
	/* The thread's. */
	int fd;
	bool torn; /* the last line has no end */
	int sys;   /* of the last write; 0: it went well */
};

/* A file that is not there yet is made; a FIFO without a reader would be waited
 * for. */
static int
file_open(const char *path)
{
	return open(path,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
			O_NONBLOCK,
		    FILE_MODE);
}

/* --- the thread -------------------------------------------------------- */

/* Returns errno, or 0; what was written of a line makes it torn. */
static int
write_all(int fd, struct slice bytes, bool *ret_torn)
{
	ssize_t n;

	while (bytes.len > 0) {
		n = write(fd, bytes.p, bytes.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		*ret_torn = true;
		bytes.p += n;
		bytes.len -= (size_t)n;
	}
	return 0;
}

/* What was cut off before gets an end of its line: a reader passes over it. */
static int
file_write_line(struct sink *s, struct slice line)
{
	int sys = 0;

	if (s->fd < 0 && (s->fd = file_open(s->path)) < 0)
		return errno;
	if (s->torn)
		sys = write_all(s->fd, SLICE("\n"), &s->torn);
	if (sys == 0)
		sys = write_all(s->fd, line, &s->torn);
	if (sys == 0)
		sys = write_all(s->fd, SLICE("\n"), &s->torn);
	if (sys == 0)
		s->torn = false;
	return sys;
}

static void
file_close_fd(struct sink *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->torn = false;
}

/* The lock is held, but for the time of the write. */
static void *
file_main(void *arg)
{
	struct sink *s = arg;
	struct slice body;
	int sys;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (s->body.len == 0 && !s->closing)
			pthread_cond_wait(&s->changed, &s->lock);
		if (s->body.len == 0)
			break;
		body = s->body;
		if (s->reopen)
			file_close_fd(s);
		s->reopen = false;
		pthread_mutex_unlock(&s->lock);
		sys = file_write_line(s, body);
		pthread_mutex_lock(&s->lock);
		s->sys = sys;
		s->body = (struct slice){NULL, 0};
		pthread_cond_broadcast(&s->changed);
		timer_fire(s->written);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* --- the loop ---------------------------------------------------------- */

/* On the loop: the thread has written, or failed to. A disk that is full may have
 * room later. */
static void
on_file_written(void *arg)
{
	struct sink *s = arg;
	char why[256];
	int sys;

	pthread_mutex_lock(&s->lock);
	sys = s->sys;
	pthread_mutex_unlock(&s->lock);
	snprintf(why, sizeof(why), "cannot write %.150s: %.80s", s->path,
		 strerrordesc_np(sys));
	s->on_done(sys == 0 ? SINK_DONE : SINK_AGAIN, sys == 0 ? NULL : why,
		   s->arg);
}

static void
file_send(struct sink *s, struct slice body)
{
	pthread_mutex_lock(&s->lock);
	s->body = body;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void
file_reopen(struct sink *s)
{
	pthread_mutex_lock(&s->lock);
	s->reopen = true;
	pthread_mutex_unlock(&s->lock);
}

static int
file_check(const char *path, struct err *err)
{
	if (path[0] == '/' && path[1] != '\0')
		return 0;
	return err_set(err, ERR_CONFIG,
		       "[trace] export: \"file:%.64s\" is not file:/PATH",
		       path);
}

/* The thread ends when it has written what it has, and the rest. */
static void
file_close(struct sink *s, struct slice rest)
{
	if (s->started) {
		pthread_mutex_lock(&s->lock);
		while (s->body.len > 0)
			pthread_cond_wait(&s->changed, &s->lock);
		s->body = rest;
		s->closing = true;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->thread, NULL);
	}
	file_close_fd(s);
	timer_free(s->written);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s);
}

static struct sink *
file_new(struct event_base *base, const char *path, struct err *err)
{
	struct sink *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_nomem(err);
		return NULL;
	}
	s->fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if ((s->path = strdup(path)) == NULL ||
	    (s->written = timer_new(base, on_file_written, s)) == NULL)
		err_nomem(err);
	else if ((s->fd = file_open(path)) < 0)
		err_sys(err, ERR_CONFIG, "[trace] export: cannot write %s",
			path);
	else
		return s;
	file_close(s, (struct slice){NULL, 0});
	return NULL;
}

static struct sink *
file_open_sink(struct event_base *base, const char *path, sink_done_fn *on_done,
	       void *arg, struct err *err)
{
	struct sink *s;
	int r;

	if (file_check(path, err) != 0 ||
	    (s = file_new(base, path, err)) == NULL)
		return NULL;
	s->on_done = on_done;
	s->arg = arg;
	if ((r = pthread_create(&s->thread, NULL, file_main, s)) != 0) {
		errno = r;
		err_sys(err, ERR_SYSTEM, "cannot start a thread for traces");
		file_close(s, (struct slice){NULL, 0});
		return NULL;
	}
	s->started = true;
	return s;
}

const struct sink_kind sink_file = {.check = file_check,
				    .open = file_open_sink,
				    .send = file_send,
				    .reopen = file_reopen,
				    .close = file_close,
				    .ends_all = true};
