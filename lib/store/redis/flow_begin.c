/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: beginning a workflow. The lists have its ID first: one that is there
 * without a workflow is struck off by who meets it.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/flow.h"
#include "store/redis/flow_list.h"

struct rflow_beginning {
	struct rquery query;
	struct rflow_home home;
	struct rflow_lists lists;
	char *id, *label;
	const char *policy;
	bool whole;
	int64_t life_s;
	bool in_use; /* the ID is another one's */
	broker_value_fn *on_value;
	void *arg;
};

static void
beginning_free(struct rquery *i)
{
	struct rflow_beginning *g =
	    container_of(i, struct rflow_beginning, query);

	rflow_home_done(&g->home);
	rflow_lists_done(&g->lists);
	free(g->label);
	free(g->id);
	free(g);
}

static void
beginning_on_answered(struct rquery *i)
{
	struct rflow_beginning *g =
	    container_of(i, struct rflow_beginning, query);

	if (i->err.code == ERR_NONE && g->in_use)
		err_set(&i->err, ERR_REFUSED,
			"a workflow with the ID %s exists already", g->id);
	g->on_value((struct slice){NULL, 0},
		    i->err.code != ERR_NONE ? &i->err : NULL, g->arg);
	beginning_free(i);
}

static void
beginning_take_noted(struct rquery *i, size_t none,
		     const struct redis_reply *reply)
{
}

static void
beginning_take_begun(struct rquery *i, size_t none,
		     const struct redis_reply *reply)
{
	container_of(i, struct rflow_beginning, query)->in_use =
	    redis_reply_integer(reply) == 0;
}

static void
beginning_ask(struct rquery *i)
{
	const struct rflow_beginning *g =
	    container_of(i, struct rflow_beginning, query);
	char life[ARG_NUMBER_SIZE], look[ARG_NUMBER_SIZE];
	const struct slice lists[] = {g->lists.due, g->lists.all};
	const struct slice note[] = {SLICE("1"), slice_of(g->id),
				     arg_number(look, FLOW_REPAIR_S * 1000)};
	const struct slice args[] = {slice_of(g->label), slice_of(g->policy),
				     g->whole ? SLICE("1") : SLICE("0"),
				     arg_number(life, g->life_s)};

	rquery_eval(i, beginning_take_noted, 0, SCRIPT_FLOW_NOTE,
		    REDIS_ARGS(lists), REDIS_ARGS(note));
	rquery_eval(i, beginning_take_begun, 0, SCRIPT_FLOW_BEGIN,
		    rflow_home_keys(&g->home), REDIS_ARGS(args));
}

void
rflow_begin(struct broker *b, const struct flow_begin *begin,
	    broker_value_fn *on_value, void *arg)
{
	struct rflow_beginning *g = calloc(1, sizeof(*g));
	struct rbroker *broker = (struct rbroker *)b;
	struct err err;

	if (g != NULL) {
		g->query = (struct rquery){.broker = broker,
					   .what = "beginning a workflow",
					   .ask = beginning_ask,
					   .answered = beginning_on_answered,
					   .free = beginning_free};
		g->id = strndup(begin->id.p, begin->id.len);
		g->label = strndup(begin->label.p != NULL ? begin->label.p : "",
				   begin->label.len);
		g->policy = flow_policy_words[begin->on_failure];
		g->whole = begin->whole;
		g->life_s = begin->life_s;
		g->on_value = on_value;
		g->arg = arg;
		if (rflow_home_init(&g->home, broker, begin->id) == 0 &&
		    rflow_lists_init(&g->lists, broker) == 0 && g->id != NULL &&
		    g->label != NULL) {
			rquery_begin(&g->query);
			return;
		}
		beginning_free(&g->query);
	}
	err_nomem(&err);
	on_value((struct slice){NULL, 0}, &err, arg);
}
