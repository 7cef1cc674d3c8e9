/* SPDX-License-Identifier: MIT */
/* The scene: calls are noted, and answered in the next turn of the loop. */
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "manager/scene_private.h"
#include "suite.h"

static struct fault {
	unsigned int skip, times;
	struct err err;
} faults[SCENE_N_CALLS];

static TAILQ_HEAD(answer_list, scene_answer) answers;
static struct results_ear listener; /* on_event is NULL: nobody */

static void
give_event(const char *event)
{
	struct err why;

	err_set(&why, ERR_UNAVAILABLE, "some may be missing");
	if (listener.on_event == NULL)
		return;
	if (event == NULL)
		listener.on_ready(listener.arg);
	else if (strcmp(event, "!") == 0)
		listener.on_event((struct slice){NULL, 0}, &why, listener.arg);
	else
		listener.on_event(slice_of(event), NULL, listener.arg);
}

static void
give_measures(const struct scene_answer *a, const struct err *err)
{
	struct measure measures[64];
	size_t i, n = 0;

	for (i = 0; i < scene.n_measures; i++)
		if (scene.measures[i].step == a->step &&
		    scene.measures[i].begin_s == a->begin_s)
			measures[n++] = scene.measures[i].measure;
	a->on_measures(err == NULL ? measures : NULL, err == NULL ? n : 0, err,
		       a->arg);
}

/* Returns whether it was one of these. */
static bool
give_typed(const struct scene_answer *a, const struct err *err)
{
	const struct broker_report report = {
	    .server = "scene",
	    .clock_us = scene.clock_us != 0 ? scene.clock_us : SCENE_NOON_US,
	    .foreign = scene.foreign,
	    .findings = scene.findings,
	    .n = scene.n_findings};

	if (a->on_queues != NULL)
		a->on_queues(err == NULL ? a->queues : NULL, a->n, err, a->arg);
	else if (a->on_found != NULL)
		a->on_found(err == NULL ? a->found : NULL, a->n, err, a->arg);
	else if (a->on_workers != NULL)
		a->on_workers(err == NULL ? scene_data.workers : NULL,
			      err == NULL ? scene_data.n_workers : 0, err,
			      a->arg);
	else if (a->on_report != NULL)
		a->on_report(err == NULL ? &report : NULL, err, a->arg);
	else if (a->on_names != NULL)
		a->on_names(err == NULL ? scene.names : NULL,
			    err == NULL ? scene.n_names : 0, err, a->arg);
	else if (a->on_entries != NULL)
		a->on_entries(err == NULL ? scene.names : NULL,
			      err == NULL ? scene.registrations : NULL,
			      err == NULL ? scene.n_names : 0, err, a->arg);
	else if (a->on_counts != NULL)
		a->on_counts(err == NULL ? &scene.counts : NULL, err, a->arg);
	else if (a->on_measures != NULL)
		give_measures(a, err);
	else if (a->on_turn != NULL)
		a->on_turn(a->arg, false);
	else
		return false;
	return true;
}

static void
give(evutil_socket_t fd, short what, void *arg)
{
	struct scene_answer *a = scene.reversed
				     ? TAILQ_LAST(&answers, answer_list)
				     : TAILQ_FIRST(&answers);
	const struct err *err = a->err.code != ERR_NONE ? &a->err : NULL;
	const struct broker_page page = {
	    .items = a->items, .n = a->n, .next = a->value};

	TAILQ_REMOVE(&answers, a, link);
	if (give_typed(a, err))
		; /* it was one of those */
	else if (a->on_value != NULL)
		a->on_value(a->value, err, a->arg);
	else if (a->on_page != NULL)
		a->on_page(err == NULL ? &page : NULL, err, a->arg);
	else if (a->on_records != NULL)
		a->on_records(a->records, a->n, a->value, err, a->arg);
	else if (a->on_requeued != NULL)
		a->on_requeued(a->batch, a->n, a->arg);
	else if (a->put != NULL)
		a->put->on_done(a->put);
	else
		give_event(a->event);
	free(a);
}

struct scene_answer *
scene_answer_later(struct scene_answer init)
{
	const struct timeval now = {0};
	struct scene_answer *a = malloc(sizeof(*a));

	ck_assert_ptr_nonnull(a);
	*a = init;
	TAILQ_INSERT_TAIL(&answers, a, link);
	event_base_once(loop_base(scene.client->loop), -1, EV_TIMEOUT, give,
			NULL, &now);
	return a;
}

struct scene_answer *
scene_called(enum scene_call call, struct slice what, struct scene_answer init)
{
	static const char *const names[] = {
#define X(name) [SCENE_##name] = #name,
	    SCENE_CALLS(X)
#undef X
	};
	struct fault *f = &faults[call];
	struct scene_answer *a;

	buf_addf(&scene.journal, what.len > 0 ? "%s %.*s; " : "%s; ",
		 names[call], (int)what.len, what.p);
	if (scene.on_call != NULL)
		scene.on_call(call);
	a = scene_answer_later(init);
	if (f->times > 0 && f->skip == 0)
		a->err = f->err;
	else
		a->value = (struct slice){NULL, 0};
	if (f->skip > 0)
		f->skip--;
	else if (f->times > 0)
		f->times--;
	return a->err.code == ERR_NONE ? a : NULL;
}

void
scene_answers_init(void)
{
	TAILQ_INIT(&answers);
}

void
scene_answers_done(void)
{
	struct scene_answer *a;

	while ((a = TAILQ_FIRST(&answers)) != NULL) {
		TAILQ_REMOVE(&answers, a, link);
		if (a->on_turn != NULL)
			a->on_turn(a->arg, true);
		free(a);
	}
}

void
scene_listener(const struct results_ear *ear)
{
	listener = ear != NULL ? *ear : (struct results_ear){.on_event = NULL};
}

void
scene_fail(enum scene_call call, unsigned int skip, unsigned int times,
	   enum err_code code, const char *msg)
{
	faults[call] = (struct fault){.skip = skip, .times = times};
	err_set(&faults[call].err, code, "%s", msg);
}

const struct err *
scene_fault(enum scene_call call)
{
	return &faults[call].err;
}
