/* SPDX-License-Identifier: MIT */
/*
 * Looks for a task in its queue: among those that wait, that a worker has, that
 * are delayed. The number of its questions is bounded. For lib/beat only.
 */
#ifndef BEAT_TRACE_H
#define BEAT_TRACE_H

#include "core/task.h"
#include "util/buf.h"

struct broker;
struct broker_page;

enum trace_end {
	TRACE_FOUND,
	TRACE_NOWHERE, /* unless it moved in the meantime: look once more */
	TRACE_UNKNOWN, /* the queue is too long to be looked through */
	TRACE_FAILED   /* the broker could not tell */
};

/* The caller fills the first members, and keeps it until on_end(), or until the
 * broker is closed; then trace_done(). */
struct trace {
	struct broker *broker;
	const char *id;
	char queue[TASK_QUEUE_MAX + 1];
	void (*on_end)(enum trace_end end, void *arg);
	void *arg;
	/* Its own. */
	unsigned int place, pages;
	struct buf cursor;
};

/* on_end() is called once, from the loop. */
void trace_start(struct trace *t);
/* Also for zeros, and twice. */
void trace_done(struct trace *t);

#endif
