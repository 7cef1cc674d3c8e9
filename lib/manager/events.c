/* SPDX-License-Identifier: MIT */
/*
 * Events of tasks, as they happen: from the backend's channel to the caller's
 * function. The caller waits in events_follow() while on_event runs on the
 * client's loop.
 *
 * A worker sees by itself that somebody listens, but within a second. Who wants
 * to be told when nothing is missed any more (on_ready) has each worker that lives
 * say so: by an order through the broker, which the worker answers with an event
 * (introduce.c).
 */
#include "manager/events.h"

#include <string.h>

#include "client/load.h"
#include "codec/fields.h"
#include "codec/result_json.h"
#include "manager/following.h"
#include "manager/introduce.h"
#include "store/results.h"
#include "util/pending.h"

/* Of what an event may be made; a record is as deep as it may be (result_json.c). */
#define EVENT_DEPTH_MAX 2010

struct listening {
	struct following f;
	const struct events_follow *what;
	struct introduction *introduction; /* NULL: nobody waits for it */
	bool ready;
	struct buf outer, inner; /* of fields_read() */
};

/* What is looked at of an event, and of its task. */
struct event_fields {
	struct slice type, id, worker, task;
};
struct event_task {
	struct slice task_id, task_name, queue, flow;
};
#define EVENT_FIELD(of, kind, member)                                          \
	{                                                                      \
		.name = {#member, sizeof(#member) - 1}, .type = FIELD_##kind,  \
		.offset = offsetof(struct of, member)                          \
	}
static const struct field event_fields[] = {
    EVENT_FIELD(event_fields, TEXT, type), EVENT_FIELD(event_fields, TEXT, id),
    EVENT_FIELD(event_fields, TEXT, worker),
    EVENT_FIELD(event_fields, OBJECT, task)};
static const struct field event_task_fields[] = {
    EVENT_FIELD(event_task, TEXT, task_id),
    EVENT_FIELD(event_task, TEXT, task_name),
    EVENT_FIELD(event_task, TEXT, queue), EVENT_FIELD(event_task, TEXT, flow)};

/* NULL is any text, also where the event has none. */
static bool
is_text(struct slice text, const char *wanted)
{
	return wanted == NULL ||
	       (text.p != NULL && slice_eq(text, slice_of(wanted)));
}

/* Not read as JSON values, which would cost more than all else: there may be ten
 * thousands in a second. */
static bool
matches(struct listening *l, struct slice task)
{
	const struct events_follow *what = l->what;
	const struct fields_in in = {.table = event_task_fields,
				     .n = sizeof(event_task_fields) /
					  sizeof(event_task_fields[0]),
				     .max_depth = EVENT_DEPTH_MAX,
				     .scratch = &l->inner};
	struct event_task read = {.task_id = {NULL, 0}};

	if (what->id == NULL && what->task == NULL && what->queue == NULL &&
	    what->flow == NULL)
		return true;
	return task.p != NULL && fields_read(&in, task, &read, NULL) == 0 &&
	       is_text(read.task_id, what->id) &&
	       is_text(read.task_name, what->task) &&
	       is_text(read.queue, what->queue) &&
	       is_text(read.flow, what->flow);
}

/* 1: that was the last. */
static int
event_hand_over(const struct events_follow *what, struct slice line)
{
	json_t *event;
	int last = 0;

	if (what->on_line != NULL)
		return what->on_line(line, what->arg);
	event = load_json(line, NULL);
	if (json_is_object(event))
		last = what->on_event(event, what->arg);
	json_decref(event);
	return last;
}

static bool
event_answer(const struct events_follow *what, struct slice line)
{
	json_t *event = load_json(line, NULL);
	const bool last =
	    json_is_object(event) && what->on_answer(event, what->arg) != 0;

	json_decref(event);
	return last;
}

/* Anybody may publish on the channel: what is not an object is passed over. */
static void
on_event_line(struct listening *l, struct slice line)
{
	const struct fields_in in = {.table = event_fields,
				     .n = sizeof(event_fields) /
					  sizeof(event_fields[0]),
				     .max_depth = EVENT_DEPTH_MAX,
				     .scratch = &l->outer};
	struct event_fields read = {.type = {NULL, 0}};

	if (fields_read(&in, line, &read, NULL) != 0)
		return;
	if (slice_eq(read.type, SLICE("worker.hears"))) {
		if (l->introduction != NULL)
			introduction_answer(l->introduction, read.id,
					    read.worker);
	} else if (slice_eq(read.type, SLICE("worker.signalled"))) {
		if (l->what->on_answer != NULL && event_answer(l->what, line))
			following_end(&l->f, NULL);
	} else if (l->ready && matches(l, read.task) &&
		   event_hand_over(l->what, line) != 0) {
		following_end(&l->f, NULL);
	}
}

/* Trouble does not end the listening: the store reconnects, and listens again.
 */
static void
on_events(struct slice text, const struct err *err, void *arg)
{
	struct listening *l = arg;
	const struct events_follow *what = l->what;
	struct slice line;
	const char *end;

	if (l->f.ended)
		return;
	if (err != NULL) {
		if (what->on_trouble != NULL)
			what->on_trouble(err, what->arg);
		return;
	}
	while (text.len > 0 && !l->f.ended) {
		end = memchr(text.p, '\n', text.len);
		line = (struct slice){
		    text.p, end != NULL ? (size_t)(end - text.p) : text.len};
		on_event_line(l, line);
		text.p += line.len + (end != NULL);
		text.len -= line.len + (end != NULL);
	}
	if (what->on_pause != NULL)
		what->on_pause(what->arg);
}

static void
on_introduced(void *arg)
{
	struct listening *l = arg;

	l->ready = true;
	if (!l->f.ended)
		l->what->on_ready(l->what->arg);
}

/* The store would tell by now: so each worker is asked to. */
static void
on_listening(void *arg)
{
	struct listening *l = arg;

	if (l->introduction != NULL)
		introduction_begin(l->introduction);
}

static int
listening_begin(struct following *f, struct err *err)
{
	struct listening *l = container_of(f, struct listening, f);
	const struct results_ear ear = {
	    .detail = l->what->whole ? RESULTS_WHOLE : RESULTS_BRIEF,
	    .on_event = on_events,
	    .on_ready = on_listening,
	    .arg = l};

	l->ready = l->what->on_ready == NULL;
	if (!l->ready &&
	    (l->introduction = introduction_new(f->client, ear.detail,
						on_introduced, l, err)) == NULL)
		return -1;
	return results_listen(f->client->results, &ear, err);
}

static void
listening_leave(struct following *f)
{
	struct listening *l = container_of(f, struct listening, f);

	introduction_free(l->introduction);
	results_listen(f->client->results, NULL, NULL);
}

int
events_follow(struct flowrra_client *c, const struct events_follow *what,
	      struct err *err)
{
	struct listening l = {.f = {.client = c,
				    .stopped = what->stopped,
				    .arg = what->arg,
				    .begin = listening_begin,
				    .leave = listening_leave},
			      .what = what};
	int r = following_run(&l.f, err);

	buf_done(&l.outer);
	buf_done(&l.inner);
	return r;
}
