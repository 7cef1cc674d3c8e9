/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: a script of a workflow, which does a page of its work in a call.
 * What each call has released is brought to its queue before the next one.
 *
 * One that insists begins again after a pause, whatever went wrong: each script does
 * nothing twice.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/flow.h"

/* A server that is away is back in milliseconds or in minutes. */
#define PAUSE_MS 250

static void turn_run(struct rflow_turn *t);

static void
turn_free_args(struct rflow_turn *t)
{
	while (t->n_args > 0)
		free(t->args[--t->n_args]);
}

static int
turn_set_args(struct rflow_turn *t, const struct slice *args, size_t n)
{
	for (; t->n_args < n; t->n_args++) {
		const struct slice arg = args[t->n_args];

		t->args[t->n_args] =
		    strndup(arg.p != NULL ? arg.p : "", arg.len);
		if (t->args[t->n_args] == NULL)
			return -1;
	}
	return 0;
}

void
rflow_turn_free(struct rflow_turn *t)
{
	if (t == NULL)
		return;
	rflow_delivery_free(t->delivery);
	rflow_home_done(&t->home);
	turn_free_args(t);
	free(t->list);
	buf_done(&t->cursor);
	buf_done(&t->names);
	buf_done(&t->roles);
	free(t->flow);
	free(t);
}

static void
turn_free_query(struct rquery *i)
{
	rflow_turn_free(container_of(i, struct rflow_turn, query));
}

static void
turn_drop(void *arg)
{
	rflow_turn_free(arg);
}

/* --- the end of a call -------------------------------------------------------- */

/* What keeps it from going on is told as trouble of the one whose claim waits. */
static void
turn_pause(struct rflow_turn *t, const struct err *why)
{
	const struct timeval pause = {.tv_usec = PAUSE_MS * 1000};
	struct rbroker *b = t->query.broker;
	struct rbroker *owner = t->n_ends > 0 ? t->queue->broker : NULL;

	TAILQ_INSERT_TAIL(&b->flow.paused, t, link);
	if (!evtimer_pending(b->flow.again, NULL))
		evtimer_add(b->flow.again, &pause);
	if (redis_state(b->redis) == REDIS_UP && why->code != ERR_UNAVAILABLE &&
	    owner != NULL)
		owner->opt.on_state(true, false, why, owner->opt.arg);
}

static void
turn_failed(struct rflow_turn *t, const struct err *why)
{
	t->err = *why;
	if (t->insists)
		turn_pause(t, why);
	else
		t->on_done(t);
}

static void
turn_on_delivered(void *arg, const struct err *why)
{
	struct rflow_turn *t = arg;
	const struct err err = why != NULL ? *why : (struct err)ERR_INIT;

	rflow_delivery_free(t->delivery);
	t->delivery = NULL;
	if (err.code != ERR_NONE)
		turn_failed(t, &err);
	else if (t->cursor.len > 0 && !t->once)
		turn_run(t);
	else
		t->on_done(t);
}

static void
turn_on_answered(struct rquery *i)
{
	struct rflow_turn *t = container_of(i, struct rflow_turn, query);

	if (i->err.code != ERR_NONE)
		turn_failed(t, &i->err);
	else if (t->delivery != NULL)
		rflow_delivery_start(t->delivery, turn_on_delivered, turn_drop,
				     t);
	else
		turn_on_delivered(t, NULL);
}

/* --- the answer ----------------------------------------------------------------- */

/* A seal that has released a step has the list of its queue among its keys from now on,
 * where they may be in one call: most of the others are for the same. */
static int
turn_take_queue(struct rflow_turn *t, struct slice out)
{
	const struct rbroker *b = t->query.broker;
	struct rflow_out step;
	char *queue;

	if (t->script != SCRIPT_FLOW_SEAL || t->list != NULL ||
	    !b->flow.together || rflow_out_read(out, &step) != 0)
		return 0;
	if ((queue = strndup(step.queue.p, step.queue.len)) == NULL ||
	    asprintf(&t->list, "%s:%s", b->queue_key, queue) < 0) {
		free(queue);
		t->list = NULL;
		return -1;
	}
	free(t->args[0]);
	t->args[0] = queue;
	t->home.keys[t->home.n_keys++] = slice_of(t->list);
	return 0;
}

static int
turn_take_outs(struct rflow_turn *t, const struct redis_reply *outs)
{
	const size_t n = redis_reply_count(outs) / 2;
	size_t i;

	if (n == 0)
		return 0;
	if (turn_take_queue(t, redis_reply_string(redis_reply_at(outs, 1))) !=
	    0)
		return -1;
	t->delivery = rflow_delivery_new(t->query.broker, slice_of(t->flow));
	if (t->delivery == NULL)
		return -1;
	for (i = 0; i < n; i++)
		if (rflow_delivery_add(
			t->delivery,
			redis_reply_string(redis_reply_at(outs, 2 * i)),
			redis_reply_string(redis_reply_at(outs, 2 * i + 1))) !=
		    0)
			return -1;
	return 0;
}

static void
turn_take_names(struct rflow_turn *t, const struct redis_reply *names,
		struct slice roles)
{
	struct slice name;
	size_t i;

	for (i = 0; i < redis_reply_count(names); i++) {
		name = redis_reply_string(redis_reply_at(names, i));
		if (!task_id_valid(name))
			continue;
		buf_add(&t->names, name.p, name.len);
		buf_addc(&t->names, '\0');
		buf_addc(&t->roles, i < roles.len
					? roles.p[i]
					: rflow_role_letter(FLOW_STEP));
		t->n_names++;
	}
}

/* Of reopening, what stands where others tell what is to go to its queue are the IDs
 * themselves. */
static void
turn_take(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct rflow_turn *t = container_of(i, struct rflow_turn, query);
	const bool reopens = t->script == SCRIPT_FLOW_REOPEN;
	const struct slice cursor =
	    redis_reply_string(redis_reply_at(reply, 0));
	const struct slice state = redis_reply_string(redis_reply_at(reply, 1));

	buf_reset(&t->cursor);
	buf_add(&t->cursor, cursor.p, cursor.len);
	snprintf(t->state, sizeof(t->state), "%.*s", (int)state.len,
		 state.p != NULL ? state.p : "");
	if (!t->answered)
		t->first = redis_reply_integer(redis_reply_at(reply, 2));
	t->answered = true;
	turn_take_names(t, redis_reply_at(reply, reopens ? 3 : 4),
			redis_reply_string(redis_reply_at(reply, 5)));
	if ((!reopens && turn_take_outs(t, redis_reply_at(reply, 3)) != 0) ||
	    t->cursor.failed || t->names.failed || t->roles.failed)
		err_nomem(&i->err);
}

/* --- calls ----------------------------------------------------------------------- */

static void
turn_ask(struct rquery *i)
{
	struct rflow_turn *t = container_of(i, struct rflow_turn, query);
	struct slice args[RFLOW_ARGS + 2 * RFLOW_ENDS_MAX + 1];
	const struct pending *p;
	size_t n;

	for (n = 0; n < t->n_args; n++)
		args[n] = slice_of(t->args[n]);
	TAILQ_FOREACH (p, &t->ends, link) {
		const struct broker_settle *s =
		    container_of(p, const struct broker_settle, pending);

		args[n++] = s->id;
		args[n++] =
		    (struct slice){&rflow_outcome_letters[s->outcome], 1};
	}
	args[n++] = (struct slice){t->cursor.data != NULL ? t->cursor.data : "",
				   t->cursor.len};
	rquery_eval(i, turn_take, 0, t->script, rflow_home_keys(&t->home),
		    (struct redis_args){args, n});
}

/* After a pause it begins at the beginning. */
static void
turn_run(struct rflow_turn *t)
{
	t->query.err = (struct err)ERR_INIT;
	rquery_next(&t->query, turn_ask, turn_on_answered);
}

static void
turn_on_again(evutil_socket_t fd, short what, void *arg)
{
	struct rbroker *b = arg;
	struct rflow_turns due = TAILQ_HEAD_INITIALIZER(due);
	struct rflow_turn *t;

	while ((t = TAILQ_FIRST(&b->flow.paused)) != NULL) {
		TAILQ_REMOVE(&b->flow.paused, t, link);
		TAILQ_INSERT_TAIL(&due, t, link);
	}
	/* Those that fail once more are paused again. */
	while ((t = TAILQ_FIRST(&due)) != NULL) {
		TAILQ_REMOVE(&due, t, link);
		buf_reset(&t->cursor);
		turn_run(t);
	}
}

struct rflow_turn *
rflow_turn_new(struct rbroker *b, struct slice flow, enum rscript script,
	       const struct slice *args, size_t n_args)
{
	struct rflow_turn *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->query = (struct rquery){.broker = b,
				   .what = "changing a workflow",
				   .ask = turn_ask,
				   .answered = turn_on_answered,
				   .free = turn_free_query};
	TAILQ_INIT(&t->ends);
	t->script = script;
	t->flow = strndup(flow.p, flow.len);
	if (rflow_home_init(&t->home, b, flow) != 0 || t->flow == NULL ||
	    turn_set_args(t, args, n_args) != 0) {
		rflow_turn_free(t);
		return NULL;
	}
	return t;
}

int
rflow_turn_again(struct rflow_turn *t, const struct slice *args, size_t n_args)
{
	turn_free_args(t);
	if (turn_set_args(t, args, n_args) != 0)
		return -1;
	buf_reset(&t->cursor);
	t->answered = false;
	turn_run(t);
	return 0;
}

void
rflow_turn_now(struct rflow_turn *t)
{
	turn_run(t);
}

void
rflow_turn_begin(struct rflow_turn *t)
{
	rquery_begin(&t->query);
}

/* --- opening and closing ------------------------------------------------------- */

int
rflow_open(struct rbroker *b, struct err *err)
{
	b->flow.again = evtimer_new(b->opt.base, turn_on_again, b);
	b->flow.flush = evtimer_new(b->opt.base, rflow_on_flush, b);
	return b->flow.again != NULL && b->flow.flush != NULL ? 0
							      : err_nomem(err);
}

void
rflow_close(struct rbroker *b)
{
	struct rflow_turn *t;

	rflow_drop_deliveries(b);
	TAILQ_CONCAT(&b->flow.paused, &b->flow.gathering, link);
	while ((t = TAILQ_FIRST(&b->flow.paused)) != NULL) {
		TAILQ_REMOVE(&b->flow.paused, t, link);
		rflow_turn_free(t);
	}
	if (b->flow.again != NULL)
		event_free(b->flow.again);
	if (b->flow.flush != NULL)
		event_free(b->flow.flush);
}
