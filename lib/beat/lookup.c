/* SPDX-License-Identifier: MIT */
/*
 * Questions that decisions have, and their answers.
 *
 * A question is IDLE when it is made, NOTED when a decision lacked its answer,
 * ASKED while the store thinks, then ANSWERED or FAILED until the answer is
 * stale; then it may be noted again, or is dropped.
 */
#include "beat/lookup.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "beat/trace.h"
#include "codec/result_json.h"
#include "core/result.h"
#include "store/broker.h"
#include "store/flow.h"
#include "store/results.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"

/* Long enough to spare busy schedules the question, short enough that a module's
 * new defaults apply soon. */
#define DEFAULTS_FRESH_US INT64_C(10000000)
/* Just for the claim that follows: the task may finish at any moment. Failures
 * are not kept for longer either, to be tried again by a postponed claim. */
#define FATE_FRESH_US INT64_C(1000000)
/* How long it is known that a task was looked for: so often at most is one that
 * runs for long. */
#define TRACE_LIFE_US INT64_C(10000000)
/* Tasks that are looked for at the same time; another one counts as unfinished
 * for now. */
#define TRACES_MAX 8

enum state { IDLE, NOTED, ASKED, ANSWERED, FAILED };
/* What is asked about. */
enum kind { OF_DEFAULTS, OF_TASK, OF_FLOW };

struct question {
	TAILQ_ENTRY(question) link;
	struct lookup *lookup;
	enum state state;
	enum kind kind;
	int64_t answered_us; /* monotonic */
	struct registered defaults;
	enum fate fate;
	/* Of a task whose record is not final: when it was looked for last
	 * (monotonic; 0: never), what its record was, whether it was nowhere. */
	struct trace trace;
	int64_t traced_us;
	struct buf record;
	bool missing, same; /* same: the record, as it was then */
	bool traceable;	    /* it is to be looked for */
	char key[];	    /* a task's name, its ID, or that of a workflow */
};
TAILQ_HEAD(question_list, question);

struct lookup {
	struct lookup_options opt;
	struct question_list all;
	void *tree;
	size_t noted, asked, tracing;
};

/* By kind, then by key: a task may be named as another's id. */
static int
compare_questions(const void *a, const void *b)
{
	const struct question *p = a, *q = b;

	if (p->kind != q->kind)
		return (int)p->kind - (int)q->kind;
	return strcmp(p->key, q->key);
}

struct lookup *
lookup_new(const struct lookup_options *options)
{
	struct lookup *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->opt = *options;
	TAILQ_INIT(&l->all);
	return l;
}

static void
drop_question(struct question *q)
{
	struct lookup *l = q->lookup;

	tdelete(q, &l->tree, compare_questions);
	TAILQ_REMOVE(&l->all, q, link);
	trace_done(&q->trace);
	buf_done(&q->record);
	free(q);
}

void
lookup_free(struct lookup *l)
{
	struct question *q, *next;

	if (l == NULL)
		return;
	for (q = TAILQ_FIRST(&l->all); q != NULL; q = next) {
		next = TAILQ_NEXT(q, link);
		drop_question(q);
	}
	free(l);
}

/* The question, made if there is none. NULL when memory runs out. */
static struct question *
find_question(struct lookup *l, enum kind kind, const char *key)
{
	const size_t len = strlen(key);
	struct question *q = calloc(1, sizeof(*q) + len + 1), **old;

	if (q == NULL)
		return NULL;
	q->lookup = l;
	q->kind = kind;
	memcpy(q->key, key, len + 1);
	if ((old = tfind(q, &l->tree, compare_questions)) != NULL ||
	    tsearch(q, &l->tree, compare_questions) == NULL) {
		free(q);
		return old != NULL ? *old : NULL;
	}
	TAILQ_INSERT_TAIL(&l->all, q, link);
	return q;
}

static bool
is_fresh(const struct question *q)
{
	const int64_t life = q->kind != OF_DEFAULTS || q->state == FAILED
				 ? FATE_FRESH_US
				 : DEFAULTS_FRESH_US;

	return (q->state == ANSWERED || q->state == FAILED) &&
	       clock_mono_us() - q->answered_us < life;
}

static bool
is_traced(const struct question *q)
{
	return q->traced_us != 0 &&
	       clock_mono_us() - q->traced_us < TRACE_LIFE_US;
}

/* Without memory the decision is postponed, as when the store is away. */
static enum lookup_state
question_state(struct question *q)
{
	if (q == NULL)
		return LOOKUP_FAILED;
	if (is_fresh(q))
		return q->state == ANSWERED ? LOOKUP_KNOWN : LOOKUP_FAILED;
	if (q->state != NOTED && q->state != ASKED) {
		q->state = NOTED;
		q->lookup->noted++;
	}
	return LOOKUP_NOTED;
}

enum lookup_state
lookup_defaults(struct lookup *l, const char *task, struct registered *ret)
{
	struct question *q = find_question(l, OF_DEFAULTS, task);
	const enum lookup_state state = question_state(q);

	if (state == LOOKUP_KNOWN)
		*ret = q->defaults;
	return state;
}

static enum lookup_state
fate_of(struct lookup *l, enum kind kind, const char *id, bool traceable,
	enum fate *ret)
{
	struct question *q = find_question(l, kind, id);
	const enum lookup_state state = question_state(q);

	if (q != NULL && traceable)
		q->traceable = true;
	if (state == LOOKUP_KNOWN)
		*ret = q->fate;
	return state;
}

enum lookup_state
lookup_fate(struct lookup *l, const char *task_id, enum fate *ret)
{
	return fate_of(l, OF_TASK, task_id, true, ret);
}

enum lookup_state
lookup_record(struct lookup *l, const char *task_id, enum fate *ret)
{
	return fate_of(l, OF_TASK, task_id, false, ret);
}

enum lookup_state
lookup_flow(struct lookup *l, const char *id, enum fate *ret)
{
	return fate_of(l, OF_FLOW, id, false, ret);
}

/* --- asking ------------------------------------------------------------ */

/* The last answer of a round wakes the scheduler. */
static void
finish_question(struct question *q, enum state state)
{
	struct lookup *l = q->lookup;

	q->state = state;
	q->answered_us = clock_mono_us();
	if (--l->asked == 0)
		l->opt.on_answers(l->opt.arg);
}

/* A registration that makes no sense is a worker's bug. It must not keep the
 * schedule from firing: the task gets the defaults of one that is unknown. */
static void
on_registered(struct slice value, const struct err *err, void *arg)
{
	struct question *q = arg;

	struct err why = ERR_INIT;

	if (err != NULL) {
		log_warning("cannot read the registration of task %s: %s",
			    q->key, err->msg);
		finish_question(q, FAILED);
		return;
	}
	if (registered_decode(value, &q->defaults, &why) != 0) {
		log_warning("invalid registration of task %s: %s", q->key,
			    why.msg);
		registered_decode((struct slice){NULL, 0}, &q->defaults, NULL);
	}
	finish_question(q, ANSWERED);
}

/* --- tasks that may be lost ---------------------------------------------- */

static void
on_traced(enum trace_end end, void *arg)
{
	const struct log_subject about = {.task_id =
					      ((struct question *)arg)->key};
	struct question *q = arg;
	const bool again = q->missing && q->same;

	q->lookup->tracing--;
	q->traced_us = clock_mono_us();
	q->missing = end == TRACE_NOWHERE;
	q->fate = FATE_UNFINISHED;
	if (q->missing)
		q->fate = again ? FATE_LOST : FATE_MISSING;
	if (q->fate == FATE_LOST)
		log_about(LOG_LEVEL_notice, &about,
			  "task %s is not in queue %s, and no worker has it, "
			  "though its record is not final: it counts as over",
			  q->key, q->trace.queue);
	finish_question(q, end == TRACE_FAILED ? FAILED : ANSWERED);
}

/* An id that JSON may write in another way would not be found. */
static bool
is_plain(const char *id)
{
	return strpbrk(id, "\"\\/") == NULL;
}

/* Notes the record; false: the same as before. */
static bool
note_record(struct question *q, struct slice bytes)
{
	q->same =
	    q->record.len > 0 &&
	    slice_eq(bytes, (struct slice){q->record.data, q->record.len});
	buf_reset(&q->record);
	buf_add(&q->record, bytes.p, bytes.len);
	return !q->record.failed;
}

/* Whether the task is being looked for. One that was found, or whose queue is
 * long, is left alone for a while. */
static bool
begin_trace(struct question *q, struct slice bytes)
{
	struct buf scratch = BUF_INIT;
	struct result record;
	bool begun = false;

	if (!q->traceable || !note_record(q, bytes) || !is_plain(q->key) ||
	    q->lookup->tracing == TRACES_MAX ||
	    (is_traced(q) && !(q->missing && q->same)))
		return false;
	if (result_decode(bytes, &scratch, &record, NULL) == 0 &&
	    record.queue.len > 0 && record.queue.len <= TASK_QUEUE_MAX) {
		snprintf(q->trace.queue, sizeof(q->trace.queue), "%.*s",
			 (int)record.queue.len, record.queue.p);
		q->trace.broker = q->lookup->opt.broker;
		q->trace.id = q->key;
		q->trace.on_end = on_traced;
		q->trace.arg = q;
		q->lookup->tracing++;
		trace_start(&q->trace);
		begun = true;
	}
	buf_done(&scratch);
	return begun;
}

static void
on_record(struct slice bytes, const struct err *err, void *arg)
{
	struct question *q = arg;
	enum result_status status;

	if (err != NULL) {
		finish_question(q, FAILED);
		return;
	}
	/* A record that makes no sense holds nothing up. */
	if (bytes.len == 0)
		q->fate = FATE_NO_RECORD;
	else if (result_decode_status(bytes, &status) != 0 ||
		 result_status_final(status))
		q->fate = FATE_FINISHED;
	else if (begin_trace(q, bytes))
		return;
	else
		q->fate = FATE_UNFINISHED;
	finish_question(q, ANSWERED);
}

/* --- workflows --------------------------------------------------------- */

static void
on_flow(const struct flow_info *flows, size_t n, struct slice next,
	const struct err *err, void *arg)
{
	struct question *q = arg;

	if (err != NULL && err->code != ERR_NOT_FOUND) {
		finish_question(q, FAILED);
		return;
	}
	if (err != NULL || n == 0)
		q->fate = FATE_NO_RECORD;
	else
		q->fate = flow_state_has_ended(flows[0].state)
			      ? FATE_FINISHED
			      : FATE_UNFINISHED;
	finish_question(q, ANSWERED);
}

/* --- rounds ------------------------------------------------------------ */

static void
ask_question(struct question *q)
{
	const struct lookup_options *opt = &q->lookup->opt;

	if (q->kind == OF_TASK)
		results_get(opt->results, slice_of(q->key), on_record, q);
	else if (q->kind == OF_FLOW)
		broker_flow_get(opt->broker, slice_of(q->key), on_flow, q);
	else
		broker_registered(opt->broker, slice_of(q->key), on_registered,
				  q);
}

/* Here, and not when they become stale: no timer is needed, and the list is
 * short as long as nobody asks. */
static void
forget_stale(struct lookup *l)
{
	struct question *q, *next;

	for (q = TAILQ_FIRST(&l->all); q != NULL; q = next) {
		next = TAILQ_NEXT(q, link);
		if (q->state != NOTED && q->state != ASKED && !is_fresh(q) &&
		    !is_traced(q))
			drop_question(q);
	}
}

bool
lookup_asking(const struct lookup *l)
{
	return l->asked > 0;
}

bool
lookup_ask(struct lookup *l)
{
	struct question *q, *next;

	if (l->noted == 0)
		return false;
	forget_stale(l);
	/* Marked first: an answer may come at once. */
	l->asked += l->noted;
	l->noted = 0;
	for (q = TAILQ_FIRST(&l->all); q != NULL; q = next) {
		next = TAILQ_NEXT(q, link);
		if (q->state != NOTED)
			continue;
		q->state = ASKED;
		ask_question(q);
	}
	return true;
}
