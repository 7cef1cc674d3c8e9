/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: what changes a workflow, but for its steps themselves. Each is a
 * script that is called until it has done all; see flow_turn.c.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/flow.h"
#include "store/redis/flow_list.h"

/* Steps in a page of a repair. */
#define REPAIR_PAGE "100"

/* --- answers ----------------------------------------------------------------- */

/* -1: there is no workflow, or the call has failed. */
static int
change_judge(struct rflow_turn *t)
{
	if (t->err.code == ERR_NONE && t->state[0] == '\0')
		err_set(&t->err, ERR_NOT_FOUND, "no workflow %s", t->flow);
	return t->err.code == ERR_NONE ? 0 : -1;
}

static void
change_tell_state(struct rflow_turn *t)
{
	const struct slice none = {NULL, 0};

	if (change_judge(t) != 0)
		t->on_value(none, &t->err, t->arg);
	else
		t->on_value(slice_of(t->state), NULL, t->arg);
	rflow_turn_free(t);
}

static void
change_tell_ended(struct rflow_turn *t)
{
	const struct slice none = {NULL, 0};

	if (change_judge(t) == 0 && t->first < 0)
		err_set(&t->err, ERR_NOT_FOUND, "workflow %s has no step %s",
			t->flow, t->args[1]);
	if (t->err.code != ERR_NONE)
		t->on_value(none, &t->err, t->arg);
	else
		t->on_value(t->first == 1 ? SLICE("1") : SLICE(""), NULL,
			    t->arg);
	rflow_turn_free(t);
}

static void
change_begin(struct broker *b, struct slice flow, enum rscript script,
	     const struct rflow_turn *how)
{
	/* The seal is given a queue later; see flow_turn.c. */
	static const struct slice no_queue = {"", 0};
	struct rflow_turn *t =
	    rflow_turn_new((struct rbroker *)b, flow, script, &no_queue,
			   script == SCRIPT_FLOW_SEAL);
	struct err err;

	if (t == NULL) {
		err_nomem(&err);
		how->on_value((struct slice){NULL, 0}, &err, how->arg);
		return;
	}
	t->on_done = how->on_done;
	t->on_value = how->on_value;
	t->arg = how->arg;
	rflow_turn_begin(t);
}

/* --- sealing, cancelling, the end of a step ------------------------------------ */

static void
rflow_seal(struct broker *b, struct slice flow, broker_value_fn *on_value,
	   void *arg)
{
	change_begin(b, flow, SCRIPT_FLOW_SEAL,
		     &(struct rflow_turn){.on_done = change_tell_state,
					  .on_value = on_value,
					  .arg = arg});
}

static void
rflow_cancel(struct broker *b, struct slice flow, broker_value_fn *on_value,
	     void *arg)
{
	change_begin(b, flow, SCRIPT_FLOW_CANCEL,
		     &(struct rflow_turn){.on_done = change_tell_state,
					  .on_value = on_value,
					  .arg = arg});
}

static void
rflow_end_step(struct broker *b, const struct flow_end *end,
	       broker_value_fn *on_value, void *arg)
{
	const struct slice args[] = {
	    SLICE(""), end->step, {&rflow_outcome_letters[end->outcome], 1}};
	struct rflow_turn *t = rflow_turn_new((struct rbroker *)b, end->flow,
					      SCRIPT_FLOW_ADVANCE, args, 3);
	struct err err;

	if (t == NULL) {
		err_nomem(&err);
		on_value((struct slice){NULL, 0}, &err, arg);
		return;
	}
	t->on_done = change_tell_ended;
	t->on_value = on_value;
	t->arg = arg;
	rflow_turn_begin(t);
}

/* --- reopening ------------------------------------------------------------------ */

/* Slices of IDs, each of which has a NUL behind it; free() them. */
static struct slice *
names_of(const struct rflow_turn *t)
{
	struct slice *names = calloc(t->n_names + 1, sizeof(*names));
	const char *p = t->names.data;
	size_t i;

	for (i = 0; names != NULL && i < t->n_names; i++, p += strlen(p) + 1)
		names[i] = slice_of(p);
	return names;
}

static void
reopen_tell(struct rflow_turn *t)
{
	struct slice *names = names_of(t);

	if (names == NULL && t->err.code == ERR_NONE)
		err_nomem(&t->err);
	if (t->err.code != ERR_NONE)
		t->on_names(NULL, 0, &t->err, t->arg);
	else
		t->on_names(names, t->n_names, NULL, t->arg);
	free(names);
	rflow_turn_free(t);
}

/* Those that come after one that waits again: the names are what is still to be looked
 * at. In a workflow that was cancelled, all at once. */
static void
reopen_on_done(struct rflow_turn *t)
{
	struct slice args[] = {{NULL, 0}, SLICE("")};

	if (t->err.code != ERR_NONE || t->whole || t->at >= t->names.len) {
		reopen_tell(t);
		return;
	}
	args[0] = slice_of(t->names.data + t->at);
	t->at += args[0].len + 1;
	if (rflow_turn_again(t, args, 2) != 0) {
		err_nomem(&t->err);
		reopen_tell(t);
	}
}

static void
reopen_on_first(struct rflow_turn *t)
{
	static const struct slice all[] = {{"", 0}, {"*", 1}};

	if (change_judge(t) == 0 && t->first < 0)
		err_set(&t->err, ERR_NOT_FOUND, "workflow %s has no step %s",
			t->flow, t->args[0]);
	else if (t->err.code == ERR_NONE && t->first == 0)
		err_set(&t->err, ERR_REFUSED,
			"step %s of workflow %s has not failed", t->args[0],
			t->flow);
	else if (t->err.code == ERR_NONE && t->first == 2)
		err_set(&t->err, ERR_REFUSED,
			"workflow %s is being cancelled; try again when that "
			"is over",
			t->flow);
	t->on_done = reopen_on_done;
	t->whole = strcmp(t->state, flow_state_word(FLOW_CANCELLED)) == 0;
	if (t->err.code == ERR_NONE && t->whole &&
	    rflow_turn_again(t, all, 2) == 0)
		return;
	reopen_on_done(t);
}

static void
rflow_reopen(struct broker *b, struct slice flow, struct slice step,
	     broker_names_fn *on_names, void *arg)
{
	const struct slice args[] = {step, SLICE("1")};
	struct rflow_turn *t = rflow_turn_new((struct rbroker *)b, flow,
					      SCRIPT_FLOW_REOPEN, args, 2);
	struct err err;

	if (t == NULL) {
		err_nomem(&err);
		on_names(NULL, 0, &err, arg);
		return;
	}
	t->on_done = reopen_on_first;
	t->on_names = on_names;
	t->arg = arg;
	rflow_turn_begin(t);
}

/* --- repair ----------------------------------------------------------------------- */

static void
repair_tell(struct rflow_turn *t)
{
	struct flow_step *steps = calloc(t->n_names + 1, sizeof(*steps));
	struct flow_page page = {.steps = steps,
				 .n = t->n_names,
				 .next = {t->cursor.data, t->cursor.len}};
	const char *p = t->names.data;
	size_t i;

	if (change_judge(t) == 0 && steps == NULL)
		err_nomem(&t->err);
	for (i = 0; steps != NULL && i < t->n_names; i++, p += strlen(p) + 1) {
		steps[i] = (struct flow_step){.id = slice_of(p),
					      .place = FLOW_RELEASED};
		rflow_role_read(t->roles.data[i], &steps[i].role);
	}
	if (t->err.code != ERR_NONE)
		t->on_page(NULL, &t->err, t->arg);
	else
		t->on_page(&page, NULL, t->arg);
	free(steps);
	rflow_turn_free(t);
}

static void
rflow_repair(struct broker *b, struct slice flow, struct slice cursor,
	     broker_steps_fn *on_page, void *arg)
{
	const struct slice args[] = {SLICE(REPAIR_PAGE)};
	struct rflow_turn *t = rflow_turn_new((struct rbroker *)b, flow,
					      SCRIPT_FLOW_REPAIR, args, 1);
	struct err err;

	if (t != NULL)
		buf_add(&t->cursor, cursor.p, cursor.len);
	if (t == NULL || t->cursor.failed) {
		rflow_turn_free(t);
		err_nomem(&err);
		on_page(NULL, &err, arg);
		return;
	}
	t->once = true;
	t->on_done = repair_tell;
	t->on_page = on_page;
	t->arg = arg;
	rflow_turn_begin(t);
}

const struct broker_flow_ops rbroker_flow_ops = {
    .begin = rflow_begin,
    .seal = rflow_seal,
    .cancel = rflow_cancel,
    .end_step = rflow_end_step,
    .reopen = rflow_reopen,
    .get = rflow_get,
    .list = rflow_list,
    .steps = rflow_steps,
    .stale = rflow_stale,
    .repair = rflow_repair,
    .missing = rflow_missing,
};
