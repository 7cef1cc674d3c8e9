/* SPDX-License-Identifier: MIT */
/*
 * Moving tasks to another store.
 *
 * A task that the other store has already, as its record says, was imported before: it
 * is the same if it has the same name and was submitted at the same time. Another one
 * with this ID is in the way, and the task stays.
 */
#include "manager/move_between.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cancel.h"
#include "client/client.h"
#include "client/load.h"
#include "client/put.h"
#include "core/task.h"
#include "manager/carry.h"
#include "manager/member.h"
#include "manager/move.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "store/results.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/name.h"

#define BETWEEN_BATCH 100

/* One that is on its way. */
struct leaving {
	char *line;	/* of the export */
	json_t *task;	/* its bytes */
	json_t *record; /* in the other store; NULL: none */
	bool sent;	/* it is there, and to be taken out here */
	struct err err; /* why not */
};

struct between {
	struct move_between *m;
	const char *queue, *hold;
	struct leaving batch[BETWEEN_BATCH];
	size_t n;
	struct err err; /* ends it */
};

static const char *
leaving_id(const struct leaving *l)
{
	const char *id = member_text(l->task, "id");

	return id != NULL ? id : "?";
}

/* --- the other store ------------------------------------------------------- */

/* Times may be written in several ways. */
bool
move_is_same(const json_t *task, const json_t *record)
{
	const char *there = member_text(record, "task_name");
	const char *name = member_text(task, "name");
	const int64_t submitted_us = member_time_us(task, "submitted_at");

	return there != NULL && name != NULL && strcmp(there, name) == 0 &&
	       (submitted_us == 0 ||
		member_time_us(record, "submitted_at") == submitted_us);
}

/* Steps have a home in their store. */
static int
leaving_check(struct leaving *l)
{
	if (json_object_get(l->task, "flow") != NULL)
		return err_set(&l->err, ERR_REFUSED,
			       "task %.200s is a step of a workflow, and "
			       "cannot be moved to another store",
			       leaving_id(l));
	if (l->record != NULL && !move_is_same(l->task, l->record))
		return err_set(&l->err, ERR_REFUSED,
			       "the other store has another task with the ID "
			       "%.200s",
			       leaving_id(l));
	return 0;
}

static int
between_load_records(struct between *b, struct err *err)
{
	const char *ids[BETWEEN_BATCH];
	json_t *records[BETWEEN_BATCH] = {NULL};
	size_t i;
	int r;

	for (i = 0; i < b->n; i++)
		ids[i] = leaving_id(&b->batch[i]);
	r = query_records(b->m->to, ids, b->n, records, err);
	for (i = 0; i < b->n; i++)
		b->batch[i].record = records[i];
	return r;
}

/* The line's number is its place in the batch, and one more. */
static void
on_import_refused(size_t line, const struct err *why, void *arg)
{
	struct between *b = arg;

	b->batch[line - 1].err = *why;
}

static int
between_import(struct between *b, struct err *err)
{
	const struct carry_import_options o = {
	    .queue = b->m->queue != NULL ? b->m->queue : b->queue,
	    .on_refused = on_import_refused,
	    .arg = b};
	struct carry_import *im = carry_import_new(b->m->to, &o, err);
	struct leaving *l;
	int r = im != NULL ? 0 : -1;
	size_t i;

	for (i = 0; i < b->n && r == 0; i++) {
		l = &b->batch[i];
		if (leaving_check(l) != 0)
			continue;
		l->sent = true;
		if (l->record == NULL)
			r = carry_import_line(im, i + 1, slice_of(l->line),
					      err);
	}
	if (r == 0)
		r = carry_import_end(im, err);
	carry_import_free(im);
	for (i = 0; i < b->n; i++)
		b->batch[i].sent =
		    b->batch[i].sent && b->batch[i].err.code == ERR_NONE;
	return r;
}

/* --- this store -------------------------------------------------------------- */

/* The task first: without a record it would still be here. */
static int
between_take_out(struct between *b, struct err *err)
{
	const char *ids[BETWEEN_BATCH];
	size_t i, n = 0;
	bool found;

	for (i = 0; i < b->n; i++) {
		if (!b->batch[i].sent)
			continue;
		if (client_take_out(b->m->from, b->hold,
				    leaving_id(&b->batch[i]), &found, err) != 0)
			return -1;
		ids[n++] = leaving_id(&b->batch[i]);
	}
	return query_forget(b->m->from, ids, n, err);
}

/* Into the queue where it was. */
static int
between_bring_back(struct between *b, struct leaving *l, struct err *err)
{
	json_t *answer = move_task(b->m->from, leaving_id(l), b->queue, err);

	json_decref(answer);
	return answer != NULL ? 0 : -1;
}

static int
between_tell(struct between *b, struct err *err)
{
	struct leaving *l;
	int r = 0;

	for (l = b->batch; l < b->batch + b->n && r == 0; l++) {
		b->m->moved += l->sent;
		b->m->refused += !l->sent;
		if (!l->sent)
			r = between_bring_back(b, l, err);
		if (b->m->on_outcome != NULL)
			b->m->on_outcome(leaving_id(l),
					 l->sent ? "moved" : "refused", &l->err,
					 b->m->arg);
	}
	return r;
}

/* --- a queue ------------------------------------------------------------------ */

static void
between_reset(struct between *b)
{
	while (b->n > 0) {
		b->n--;
		free(b->batch[b->n].line);
		json_decref(b->batch[b->n].task);
		json_decref(b->batch[b->n].record);
	}
}

static int
between_flush(struct between *b, struct err *err)
{
	int r = 0;

	if (b->n > 0 &&
	    (between_load_records(b, err) != 0 || between_import(b, err) != 0 ||
	     between_take_out(b, err) != 0 || between_tell(b, err) != 0))
		r = -1;
	between_reset(b);
	return r;
}

/* What has no ID that can be read was not moved by us; it stays. */
static int
on_line(struct slice line, void *arg)
{
	struct between *b = arg;
	struct leaving l = {.line = strndup(line.p, line.len)};
	json_t *whole = load_json(line, NULL);
	const char *bytes = member_text(whole, "bytes");

	if (bytes != NULL)
		l.task = load_json(slice_of(bytes), NULL);
	json_decref(whole);
	if (l.line == NULL || member_text(l.task, "id") == NULL) {
		free(l.line);
		json_decref(l.task);
		return 0;
	}
	b->batch[b->n++] = l;
	return b->n == BETWEEN_BATCH && between_flush(b, &b->err) != 0;
}

/* All that is on its way from one queue. */
static int
between_run(struct move_between *m, const char *queue, const char *hold,
	    struct err *err)
{
	struct between *b = calloc(1, sizeof(*b));
	struct carry_export e = {.kinds = CARRY_WAITING | CARRY_DELAYED,
				 .queue = hold,
				 .on_line = on_line,
				 .arg = b};
	int r;

	if (b == NULL)
		return err_nomem(err);
	b->m = m;
	b->queue = queue;
	b->hold = hold;
	r = carry_export(m->from, &e, err);
	if (b->err.code != ERR_NONE) {
		*err = b->err;
		r = -1;
	}
	if (r == 0)
		r = between_flush(b, err);
	between_reset(b);
	free(b);
	return r;
}

/* --- all ------------------------------------------------------------------------ */

bool
move_is_leaving(const char *queue)
{
	return strncmp(queue, MOVE_LEAVING, strlen(MOVE_LEAVING)) == 0;
}

static const char *
records_of(const struct conf *conf)
{
	return conf->backend.url[0] != '\0' ? conf->backend.url
					    : conf->broker.url;
}

int
move_between_check(const struct move_between *m, struct err *err)
{
	const struct conf *from = m->from->conf, *to = m->to->conf;
	json_t *queues;

	if (strcmp(from->broker.url, to->broker.url) == 0 ||
	    strcmp(records_of(from), records_of(to)) == 0)
		return err_set(err, ERR_USAGE,
			       "both stores have their tasks or records in the "
			       "same place; to change the queue, use --to "
			       "alone");
	/* Before anything leaves. */
	if ((queues = queues_list(m->to, NULL, err)) == NULL)
		return err_prefix(err, "the other store");
	json_decref(queues);
	return 0;
}

static int
leaving_name(const char *queue, char hold[NAME_QUEUE_MAX + 1], struct err *err)
{
	if (strlen(queue) + strlen(MOVE_LEAVING) > NAME_QUEUE_MAX)
		return err_set(
		    err, ERR_DATA,
		    "the name of queue %.64s is too long to be moved", queue);
	snprintf(hold, NAME_QUEUE_MAX + 1, MOVE_LEAVING "%s", queue);
	return 0;
}

/* Those of a queue leave it; then all that have. Those of another call have left
 * before. */
static int
between_queue(struct move_between *m, const json_t *tasks, const char *queue,
	      struct err *err)
{
	char hold[NAME_QUEUE_MAX + 1];
	struct move leave = {.to = hold};
	json_t *some = json_array(), *one;
	size_t i;
	int r;

	if (move_is_leaving(queue)) {
		json_decref(some);
		return between_run(m, queue + strlen(MOVE_LEAVING), queue, err);
	}
	r = leaving_name(queue, hold, err);
	json_array_foreach (tasks, i, one)
		if (member_text(one, "queue") != NULL &&
		    strcmp(member_text(one, "queue"), queue) == 0)
			json_array_append(some, one);
	if (r == 0)
		r = move_tasks(m->from, &leave, some, err);
	json_decref(some);
	m->gone += leave.gone;
	m->refused += leave.refused;
	return r == 0 ? between_run(m, queue, hold, err) : -1;
}

int
move_between(struct move_between *m, const json_t *tasks, struct err *err)
{
	json_t *queues = json_object(), *one;
	const char *queue;
	size_t i;
	int r = 0;

	json_array_foreach (tasks, i, one)
		if ((queue = member_text(one, "queue")) != NULL)
			json_object_set_new(queues, queue, json_true());
	json_object_foreach (queues, queue, one)
		if (r == 0)
			r = between_queue(m, tasks, queue, err);
	json_decref(queues);
	return r;
}

int
move_between_resume(struct move_between *m, const char *queue, struct err *err)
{
	const size_t len = strlen(MOVE_LEAVING);
	json_t *queues = NULL, *one;
	const char *hold;
	size_t i;
	int r = 0;

	/* Into the queue of those that leave, first of all. */
	if (move_deliver(m->from, queue, err) < 0 ||
	    (queues = queues_list(m->from, NULL, err)) == NULL)
		r = -1;
	json_array_foreach (queues, i, one) {
		hold = member_text(one, "queue");
		if (r == 0 && move_is_leaving(hold) &&
		    (queue == NULL || strcmp(hold + len, queue) == 0))
			r = between_run(m, hold + len, hold, err);
	}
	json_decref(queues);
	return r;
}
