/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: what workflows there are, what is known of them, and which of them
 * are due for repair.
 *
 * What is in a list and not there any more, since its life has ended, is struck off by
 * who meets it. A workflow is looked at FLOW_REPAIR_S after it was begun, and then
 * FLOW_REPAIR_S after something has happened in it, or at the end of its life. When it is
 * due for repair, or its callbacks have not ended, the next look comes after as long as
 * nothing has happened.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/flow.h"
#include "store/redis/flow_list.h"

/* Workflows in one call of housekeeping. */
#define STALE_MAX 100
/* One in which nothing happens is looked at no less often than that. */
#define STALE_MAX_MS INT64_C(600000)
/* What flow_get.lua tells, before the time. */
#define GET_FIELDS 15

struct rflow_query {
	struct rquery query;
	struct rflow_lists lists;
	struct buf ids; /* each with a NUL behind */
	size_t n;
	struct flow_info *infos; /* of those that are there: `id` is set */
	char (*labels)[FLOW_LABEL_MAX + 1]; /* theirs */
	int64_t *called; /* and how many callbacks they wait for */
	int64_t now_ms;
	int64_t offset;
	unsigned int most;
	broker_flows_fn *on_flows;
	broker_names_fn *on_names;
	void *arg;
};

static void
look_free(struct rquery *i)
{
	struct rflow_query *q = container_of(i, struct rflow_query, query);

	rflow_lists_done(&q->lists);
	buf_done(&q->ids);
	free(q->called);
	free(q->labels);
	free(q->infos);
	free(q);
}

static struct rflow_query *
look_new(struct broker *b, const struct rquery *query)
{
	struct rflow_query *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->query = *query;
	q->query.broker = (struct rbroker *)b;
	q->query.free = look_free;
	if (rflow_lists_init(&q->lists, q->query.broker) == 0)
		return q;
	look_free(&q->query);
	return NULL;
}

/* For q->n of them. */
static int
look_make_room(struct rflow_query *q)
{
	free(q->infos);
	free(q->labels);
	free(q->called);
	q->infos = calloc(q->n + 1, sizeof(*q->infos));
	q->labels = calloc(q->n + 1, sizeof(*q->labels));
	q->called = calloc(q->n + 1, sizeof(*q->called));
	return q->infos != NULL && q->labels != NULL && q->called != NULL ? 0
									  : -1;
}

/* --- what each of them is ----------------------------------------------------- */

static int64_t
get_number(const struct redis_reply *reply, size_t i)
{
	const int64_t n = redis_reply_integer(redis_reply_at(reply, i));

	return n > 0 && n <= BROKER_TIME_MAX_MS ? n : 0;
}

static void
get_read(struct rflow_query *q, size_t k, const struct redis_reply *reply)
{
	struct flow_info *info = &q->infos[k];
	const struct slice label = redis_reply_string(redis_reply_at(reply, 3));
	int64_t open;

	if (flow_state_parse(redis_reply_string(redis_reply_at(reply, 0)),
			     &info->state) != 0)
		info->state = FLOW_OPEN;
	info->on_failure =
	    slice_eq(redis_reply_string(redis_reply_at(reply, 1)),
		     slice_of(flow_policy_words[FLOW_CANCEL]))
		? FLOW_CANCEL
		: FLOW_CONTINUE;
	info->whole = get_number(reply, 2) == 1;
	snprintf(q->labels[k], sizeof(q->labels[k]), "%.*s", (int)label.len,
		 label.p != NULL ? label.p : "");
	info->label = slice_of(q->labels[k]);
	info->life_s = get_number(reply, 4);
	info->begun_ms = get_number(reply, 5);
	info->moved_ms = get_number(reply, 6);
	info->ended_ms = get_number(reply, 7);
	info->steps = get_number(reply, 8);
	info->waiting = get_number(reply, 9);
	open = get_number(reply, 10);
	info->released = open > info->waiting ? open - info->waiting : 0;
	info->ended[FLOW_STEP_SUCCEEDED] = get_number(reply, 11);
	info->ended[FLOW_STEP_FAILED] = get_number(reply, 12);
	info->ended[FLOW_STEP_SKIPPED] = get_number(reply, 13);
	q->called[k] = get_number(reply, 14);
	q->now_ms = get_number(reply, GET_FIELDS);
}

/* begun_ms tells one that is there. */
static void
look_take_info(struct rquery *i, size_t k, const struct redis_reply *reply)
{
	struct rflow_query *q = container_of(i, struct rflow_query, query);

	if (redis_reply_count(reply) > GET_FIELDS)
		get_read(q, k, reply);
}

static void
look_ask_infos(struct rquery *i)
{
	struct rflow_query *q = container_of(i, struct rflow_query, query);
	const struct redis_args none = {NULL, 0};
	const char *id = q->ids.data;
	struct rflow_home home;
	size_t k;

	for (k = 0; k < q->n; k++, id += strlen(id) + 1) {
		q->infos[k] = (struct flow_info){.begun_ms = 0};
		snprintf(q->infos[k].id, sizeof(q->infos[k].id), "%s", id);
		if (rflow_home_init(&home, i->broker, slice_of(id)) == 0)
			rquery_eval(i, look_take_info, k, SCRIPT_FLOW_GET,
				    rflow_home_keys(&home), none);
		else
			err_nomem(&i->err);
		rflow_home_done(&home);
	}
}

/* Leaves those that are there, and tells how many they are. */
static size_t
look_compact(struct rflow_query *q)
{
	size_t k, n = 0;

	for (k = 0; k < q->n; k++)
		if (q->infos[k].begun_ms != 0)
			q->infos[n++] = q->infos[k];
	return n;
}

/* --- the lists ---------------------------------------------------------------- */

/* No answer is awaited: who meets it next does the same. */
static void
look_note(struct rflow_query *q, const char *what, const char *id, int64_t ms)
{
	char number[ARG_NUMBER_SIZE];
	const struct slice keys[] = {q->lists.due, q->lists.all};
	const struct slice args[] = {slice_of(what), slice_of(id),
				     arg_number(number, ms)};
	struct rbroker *b = q->query.broker;

	redis_eval(b->redis, &b->scripts[SCRIPT_FLOW_NOTE], NULL, NULL, 2, keys,
		   3, args);
}

static void
look_strike_off(struct rflow_query *q)
{
	size_t k;

	for (k = 0; k < q->n; k++)
		if (q->infos[k].begun_ms == 0)
			look_note(q, "-", q->infos[k].id, 0);
}

static void
look_take_ids(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct rflow_query *q = container_of(i, struct rflow_query, query);
	struct slice id;
	size_t k;

	buf_reset(&q->ids);
	q->n = 0;
	for (k = 0; k < redis_reply_count(reply); k++) {
		id = redis_reply_string(redis_reply_at(reply, k));
		if (!flow_id_valid(id))
			continue;
		buf_add(&q->ids, id.p, id.len);
		buf_addc(&q->ids, '\0');
		q->n++;
	}
	if (q->ids.failed || look_make_room(q) != 0)
		err_nomem(&i->err);
}

/* --- one, and a page of all ------------------------------------------------------ */

static void
list_tell(struct rflow_query *q, struct slice next)
{
	struct err *err = &q->query.err;
	size_t n;

	if (err->code != ERR_NONE) {
		q->on_flows(NULL, 0, (struct slice){NULL, 0}, err, q->arg);
	} else {
		look_strike_off(q);
		n = look_compact(q);
		q->on_flows(q->infos, n, next, NULL, q->arg);
	}
	look_free(&q->query);
}

static void
get_on_answered(struct rquery *i)
{
	struct rflow_query *q = container_of(i, struct rflow_query, query);

	if (i->err.code == ERR_NONE && q->infos[0].begun_ms == 0)
		err_set(&i->err, ERR_NOT_FOUND, "no workflow %s",
			q->infos[0].id);
	list_tell(q, (struct slice){NULL, 0});
}

void
rflow_get(struct broker *b, struct slice flow, broker_flows_fn *on_flows,
	  void *arg)
{
	const struct rquery query = {.what = "asking about a workflow",
				     .ask = look_ask_infos,
				     .answered = get_on_answered};
	struct rflow_query *q = look_new(b, &query);
	struct err err;

	if (q != NULL) {
		q->on_flows = on_flows;
		q->arg = arg;
		q->n = 1;
		buf_add(&q->ids, flow.p, flow.len);
		if (look_make_room(q) == 0 && !q->ids.failed) {
			rquery_begin(&q->query);
			return;
		}
		look_free(&q->query);
	}
	err_nomem(&err);
	on_flows(NULL, 0, (struct slice){NULL, 0}, &err, arg);
}

static void
list_on_infos(struct rquery *i)
{
	struct rflow_query *q = container_of(i, struct rflow_query, query);
	const int64_t next = q->offset + (int64_t)q->n;
	char text[CURSOR_SIZE];

	list_tell(q, q->n == q->most ? cursor_write(text, &next, 1)
				     : (struct slice){NULL, 0});
}

static void
list_on_ids(struct rquery *i)
{
	if (i->err.code == ERR_NONE)
		rquery_next(i, look_ask_infos, list_on_infos);
	else
		list_on_infos(i);
}

static void
list_ask_ids(struct rquery *i)
{
	const struct rflow_query *q =
	    container_of(i, struct rflow_query, query);
	char first[ARG_NUMBER_SIZE], last[ARG_NUMBER_SIZE];
	const struct slice argv[] = {SLICE("ZREVRANGE"), q->lists.all,
				     arg_number(first, q->offset),
				     arg_number(last, q->offset + q->most - 1)};

	rquery_command(i, look_take_ids, 0, REDIS_ARGS(argv));
}

void
rflow_list(struct broker *b, struct slice cursor, unsigned int n,
	   broker_flows_fn *on_flows, void *arg)
{
	const struct rquery query = {.what = "listing workflows",
				     .ask = list_ask_ids,
				     .answered = list_on_ids};
	struct rflow_query *q = look_new(b, &query);
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		on_flows(NULL, 0, (struct slice){NULL, 0}, &err, arg);
		return;
	}
	q->on_flows = on_flows;
	q->arg = arg;
	q->most = n;
	if (cursor.len > 0 &&
	    cursor_read(cursor, &q->offset, 1, &q->query.err) == 0 &&
	    q->offset > CURSOR_OFFSET_MAX)
		cursor_bad(&q->query.err);
	rquery_begin(&q->query);
}

/* --- those that are due for repair ------------------------------------------------ */

/* Who has begun it is gone. It ends, and with it the records of its steps. */
static void
stale_on_cancelled(struct slice state, const struct err *err, void *arg)
{
}

/* When one that has ended is looked at next: a second after its life it is gone. */
static int64_t
stale_ended_next(const struct rflow_query *q, const struct flow_info *info,
		 int64_t quiet)
{
	const int64_t gone =
	    info->ended_ms + 1000 * (info->life_s + 1) - q->now_ms;
	int64_t next = quiet < STALE_MAX_MS ? quiet : STALE_MAX_MS;

	if (q->called[info - q->infos] == 0)
		return gone;
	if (next < FLOW_REPAIR_S * 1000)
		next = FLOW_REPAIR_S * 1000;
	return next < gone ? next : gone;
}

static bool
stale_is_due(struct rflow_query *q, const struct flow_info *info)
{
	const int64_t quiet = q->now_ms - info->moved_ms;

	if (info->begun_ms == 0) {
		look_note(q, "-", info->id, 0);
	} else if (flow_state_has_ended(info->state)) {
		look_note(q, "0", info->id, stale_ended_next(q, info, quiet));
		/* What its callbacks need, once more. */
		return quiet < 2 * FLOW_REPAIR_S * 1000 ||
		       q->called[info - q->infos] > 0;
	} else if (quiet < FLOW_REPAIR_S * 1000) {
		look_note(q, "0", info->id, FLOW_REPAIR_S * 1000 - quiet);
	} else if (info->state == FLOW_OPEN &&
		   quiet >= INT64_C(1000) * FLOW_IDLE_S) {
		broker_flow_cancel(&q->query.broker->pub, slice_of(info->id),
				   stale_on_cancelled, NULL);
	} else {
		/* Steps may take long; each time it is twice as long. */
		look_note(q, "0", info->id,
			  quiet < STALE_MAX_MS ? quiet : STALE_MAX_MS);
		return true;
	}
	return false;
}

static void
stale_on_infos(struct rquery *i)
{
	struct rflow_query *q = container_of(i, struct rflow_query, query);
	struct slice names[STALE_MAX];
	size_t k, n = 0;

	for (k = 0; i->err.code == ERR_NONE && k < q->n; k++)
		if (stale_is_due(q, &q->infos[k]))
			names[n++] = slice_of(q->infos[k].id);
	if (i->err.code == ERR_NONE)
		q->on_names(names, n, NULL, q->arg);
	else
		q->on_names(NULL, 0, &i->err, q->arg);
	look_free(i);
}

static void
stale_on_ids(struct rquery *i)
{
	if (i->err.code == ERR_NONE)
		rquery_next(i, look_ask_infos, stale_on_infos);
	else
		stale_on_infos(i);
}

static void
stale_ask_ids(struct rquery *i)
{
	const struct rflow_query *q =
	    container_of(i, struct rflow_query, query);
	char most[ARG_NUMBER_SIZE], again[ARG_NUMBER_SIZE];
	const struct slice keys[] = {q->lists.due};
	const struct slice args[] = {arg_number(most, STALE_MAX),
				     arg_number(again, FLOW_REPAIR_S * 1000)};

	rquery_eval(i, look_take_ids, 0, SCRIPT_FLOW_DUE, REDIS_ARGS(keys),
		    REDIS_ARGS(args));
}

void
rflow_stale(struct broker *b, broker_names_fn *on_names, void *arg)
{
	const struct rquery query = {.what = "looking for workflows to repair",
				     .ask = stale_ask_ids,
				     .answered = stale_on_ids};
	struct rflow_query *q = look_new(b, &query);
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		on_names(NULL, 0, &err, arg);
		return;
	}
	q->on_names = on_names;
	q->arg = arg;
	rquery_begin(&q->query);
}
