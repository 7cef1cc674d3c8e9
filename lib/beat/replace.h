/* SPDX-License-Identifier: MIT */
/*
 * Ends the tasks of earlier fires whose places later ones take
 * (overlap=replace), as client/cancel.h does for people, but without waiting:
 * decisions ask how far it is, and are made again later. For lib/beat only.
 */
#ifndef BEAT_REPLACE_H
#define BEAT_REPLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "schedules/schedules.h"

struct broker;
struct conf;
struct replace;
struct results;

/* For how long a task is waited for. A trade: a handler has time to see that it
 * is cancelled, and the fire that waits is not missed yet (PLAN_ON_TIME_US). */
#define REPLACE_US INT64_C(3000000)

struct replace_options {
	/* Borrowed. */
	struct broker *broker;
	struct results *results;
	const struct conf *conf; /* until replace_set_conf() */
	/* replace_is_storing() has become false. */
	void (*on_stored)(void *arg);
	void *arg;
};

/* NULL when memory runs out. */
struct replace *replace_new(const struct replace_options *options);
/* Calls nobody back. The stores are closed before it: they use what it owns. */
void replace_free(struct replace *r);
void replace_set_conf(struct replace *r, const struct conf *conf);

/* A task that has a record which is not final; or a workflow that has not ended. */
struct replace_task {
	enum schedule_work work;
	const char *schedule, *id;
	const char *queue; /* if its record names none */
};
/*
 * 0: the task has ended, or is where nobody can end it, or was waited for in
 * vain; the log says which. Else ask again after so many microseconds.
 */
int64_t replace_wait(struct replace *r, const struct replace_task *task);
/* The fire cannot wait for the task any longer. */
void replace_give_up(struct replace *r, const struct replace_task *task);

/* Goes on with the tasks that were asked for. */
void replace_go_on(struct replace *r);
/* Whether a task is out of its queue whose record does not say so yet. */
bool replace_is_storing(const struct replace *r);

#endif
