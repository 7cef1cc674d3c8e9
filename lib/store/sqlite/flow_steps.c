/* SPDX-License-Identifier: MIT */
/* Steps of workflows in the database: how they are added, go on and end. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/broker.h"
#include "store/sqlite/flows.h"
#include "store/sqlite/record.h"
#include "store/sqlite/statements.h"
#include "util/err.h"
#include "util/sat.h"

_Static_assert((int)SSTEP_SUCCEEDED + (int)FLOW_STEP_SKIPPED ==
		   (int)SSTEP_SKIPPED,
	       "in the same order");
/* The indexes have these as numbers. */
_Static_assert(FLOW_STEP == 0 && SSTEP_WAITING == 0 && FLOW_OPEN == 0 &&
		   FLOW_CANCELLING == 2,
	       "as in the schema");

/* --- reading -------------------------------------------------------------- */

static void
sflow_read(struct tx *tx, enum statement_index sql, struct sflow *ret)
{
	*ret = (struct sflow){.number = tx_int(tx, sql, 0),
			      .state = (enum flow_state)sat_clamp(
				  tx_int(tx, sql, 1), 0, FLOW_CANCELLED),
			      .cancels = tx_int(tx, sql, 2) != 0,
			      .whole = tx_int(tx, sql, 3) != 0,
			      .life_s = tx_int(tx, sql, 4),
			      .moved_ms = tx_int(tx, sql, 5),
			      .next = tx_int(tx, sql, 6),
			      .waiting = tx_int(tx, sql, 7),
			      .released = tx_int(tx, sql, 8),
			      .failed = tx_int(tx, sql, 9)};
	tx_end(tx, sql);
}

int
sflow_find_run(struct tx *tx, struct slice id, struct sflow *ret,
	       struct err *err)
{
	const int found = tx_first(tx, err, SQL_FLOW_FIND, id, tx_now(tx));

	*ret = (struct sflow){.number = 0};
	if (found == 1)
		sflow_read(tx, SQL_FLOW_FIND, ret);
	return found;
}

int
sflow_get_run(struct tx *tx, int64_t number, struct sflow *ret, struct err *err)
{
	const int found = tx_first(tx, err, SQL_FLOW_GET, number);

	*ret = (struct sflow){.number = 0};
	if (found == 1)
		sflow_read(tx, SQL_FLOW_GET, ret);
	return found;
}

int
sstep_find_run(struct tx *tx, struct slice id, struct sstep *ret,
	       struct err *err)
{
	const int found = tx_first(tx, err, SQL_STEP_FIND, id);

	*ret = (struct sstep){.flow = 0};
	if (found != 1)
		return found;
	*ret = (struct sstep){
	    .flow = tx_int(tx, SQL_STEP_FIND, 0),
	    .place = tx_int(tx, SQL_STEP_FIND, 1),
	    .role = (enum flow_role)tx_int(tx, SQL_STEP_FIND, 2),
	    .state = (enum sstep_state)tx_int(tx, SQL_STEP_FIND, 3)};
	tx_end(tx, SQL_STEP_FIND);
	return 1;
}

/* --- names ---------------------------------------------------------------- */

#define NAME_SEAL "seal "
#define NAME_REOPEN "reopen "
#define NAME_CANCEL "cancel "

static struct slice
name_write(char name[SSTEPS_NAME_SIZE], const char *what, struct slice of)
{
	const int len =
	    snprintf(name, SSTEPS_NAME_SIZE, "%s%.*s", what, (int)of.len, of.p);

	return (struct slice){name, (size_t)len};
}

struct slice
ssteps_name_seal(char name[SSTEPS_NAME_SIZE], struct slice flow)
{
	return name_write(name, NAME_SEAL, flow);
}

struct slice
ssteps_name_reopen(char name[SSTEPS_NAME_SIZE], struct slice id)
{
	return name_write(name, NAME_REOPEN, id);
}

struct slice
ssteps_name_cancel(char name[SSTEPS_NAME_SIZE], int64_t flow)
{
	char text[24];
	const int len = snprintf(text, sizeof(text), "%" PRId64, flow);

	return name_write(name, NAME_CANCEL, (struct slice){text, (size_t)len});
}

bool
ssteps_is_cancel(const char *name, int64_t *ret_flow)
{
	if (strncmp(name, NAME_CANCEL, strlen(NAME_CANCEL)) != 0)
		return false;
	*ret_flow = strtoll(name + strlen(NAME_CANCEL), NULL, 10);
	return true;
}

/* No ID has a space. */
bool
ssteps_is_name(struct slice id)
{
	return memchr(id.p, ' ', id.len) != NULL;
}

/* --- what has become of one ------------------------------------------------ */

/* Who waits for the seal of one that is being cancelled is skipped as all others
 * are. */
static int
look_seal(struct tx *tx, struct slice id, struct swaits_end *end,
	  struct err *err)
{
	struct sflow flow;
	const int found = sflow_find_run(tx, id, &flow, err);

	if (found <= 0)
		return found < 0 ? -1 : 1;
	end->outcome = SWAITS_SUCCEEDED;
	return flow.state == FLOW_RUNNING;
}

int
ssteps_taken_back_run(struct tx *tx, struct slice id, struct err *err)
{
	struct sflow flow = {.number = 0};
	struct sstep step;
	int found = sstep_find_run(tx, id, &step, err);

	if (found == 1 && step.state <= SSTEP_RELEASED)
		found = sflow_get_run(tx, step.flow, &flow, err);
	else
		return found < 0 ? -1 : 0;
	if (found <= 0)
		return found;
	return flow.moved_ms > tx_now(tx) - FLOW_REPAIR_S * INT64_C(1000);
}

/* The record of a step that was taken back is reopened by who did that. Should he be
 * gone, it ends again, after a while. */
static int
look_reopen(struct tx *tx, struct slice id, struct swaits_end *end,
	    struct err *err)
{
	struct srecord r;
	int found = srecord_find_run(tx, id, &r, err);

	if (found <= 0)
		return found < 0 ? -1 : 1;
	if (r.final == SRECORD_OPEN) {
		end->outcome = SWAITS_SUCCEEDED;
		return 1;
	}
	found = ssteps_taken_back_run(tx, id, err);
	return found < 0 ? -1 : found == 0;
}

static int
look_step(struct tx *tx, struct slice id, struct swaits_end *end,
	  struct err *err)
{
	static const enum swaits_outcome outcomes[] = {
	    [SSTEP_SUCCEEDED] = SWAITS_SUCCEEDED,
	    [SSTEP_FAILED] = SWAITS_FAILED,
	    [SSTEP_SKIPPED] = SWAITS_SKIPPED};
	struct sstep step;
	struct sflow flow;
	int found = sstep_find_run(tx, id, &step, err);

	if (found == 1 && step.state >= SSTEP_SUCCEEDED &&
	    step.state <= SSTEP_SKIPPED)
		found = sflow_get_run(tx, step.flow, &flow, err);
	else
		return found < 0 ? -1 : 1;
	if (found < 0)
		return -1;
	end->outcome = outcomes[step.state];
	end->expires = found == 1 ? sflow_gone_ms(tx, &flow) : 0;
	return 1;
}

/* What a name is of. */
static bool
name_read(struct slice name, const char *what, struct slice *ret_of)
{
	const size_t len = strlen(what);

	if (name.len < len || memcmp(name.p, what, len) != 0)
		return false;
	*ret_of = (struct slice){name.p + len, name.len - len};
	return true;
}

int
ssteps_look_run(struct tx *tx, struct slice id, struct swaits_end *end,
		struct err *err)
{
	struct slice of;

	if (name_read(id, NAME_SEAL, &of))
		return look_seal(tx, of, end, err);
	if (name_read(id, NAME_REOPEN, &of))
		return look_reopen(tx, of, end, err);
	return look_step(tx, id, end, err);
}

/* --- adding ----------------------------------------------------------------- */

/* Whether somebody within may add to one that is sealed: 1, 0 or -1. */
static int
is_within(struct tx *tx, const struct broker_submit *task, int64_t flow,
	  struct err *err)
{
	struct sstep step;
	int found = 0;

	if (task->within.len > 0)
		found = sstep_find_run(tx, task->within, &step, err);
	return found == 1 ? step.flow == flow && step.state <= SSTEP_RELEASED
			  : found;
}

static int
check_open(struct tx *tx, struct broker_submit *task, const struct sflow *flow,
	   struct err *err)
{
	const int len = (int)task->flow.len;
	int within;

	if (flow->state == FLOW_OPEN)
		return 0;
	if (flow_state_has_ended(flow->state)) {
		err_set(&task->err, ERR_REFUSED,
			"workflow %.*s has ended: no more steps can be added",
			len, task->flow.p);
		return 0;
	}
	if ((within = is_within(tx, task, flow->number, err)) < 0)
		return -1;
	if (within == 0)
		err_set(&task->err, ERR_REFUSED,
			"workflow %.*s is sealed: only its own steps can add "
			"more, while they run",
			len, task->flow.p);
	return 0;
}

static int
check_callback(struct tx *tx, struct broker_submit *task, int64_t flow,
	       struct err *err)
{
	int64_t n;

	if (tx_first(tx, err, SQL_CALLBACKS_COUNT, flow) < 0)
		return -1;
	n = tx_int(tx, SQL_CALLBACKS_COUNT, 0);
	tx_end(tx, SQL_CALLBACKS_COUNT);
	if (n >= FLOW_CALLBACKS_MAX)
		err_set(&task->err, ERR_REFUSED,
			"workflow %.*s has %d callbacks, the most that it may "
			"have",
			(int)task->flow.len, task->flow.p, FLOW_CALLBACKS_MAX);
	return 0;
}

/* Each has to be there: so no step waits for itself, by whatever way. */
static int
check_after(struct tx *tx, struct broker_submit *task, int64_t flow,
	    struct err *err)
{
	struct sstep step;
	size_t i;
	int found;

	for (i = 0; i < task->n_after; i++) {
		found = sstep_find_run(tx, task->after[i].id, &step, err);
		if (found < 0)
			return -1;
		if (found == 1 && step.flow == flow && step.role == FLOW_STEP)
			continue;
		err_set(&task->err, ERR_NOT_FOUND,
			"workflow %.*s has no step %.*s to wait for",
			(int)task->flow.len, task->flow.p,
			(int)task->after[i].id.len, task->after[i].id.p);
		return 0;
	}
	return 0;
}

/* A step that is there: 1, and the task has its answer; 0; or -1. */
static int
check_known(struct tx *tx, struct broker_submit *task, int64_t flow,
	    struct err *err)
{
	struct sstep step;
	const int found = sstep_find_run(tx, task->id, &step, err);

	if (found <= 0)
		return found;
	if (step.flow != flow) {
		err_set(&task->err, ERR_REFUSED,
			"task %.*s is a step of another workflow",
			(int)task->id.len, task->id.p);
		return 1;
	}
	task->duplicate = true;
	snprintf(task->owner, sizeof(task->owner), "%.*s", (int)task->id.len,
		 task->id.p);
	return 1;
}

static int
check_new(struct tx *tx, struct broker_submit *task, const struct sflow *flow,
	  struct err *err)
{
	if (check_open(tx, task, flow, err) != 0)
		return -1;
	if (task->err.code != ERR_NONE)
		return 0;
	return task->role == FLOW_STEP
		   ? check_after(tx, task, flow->number, err)
		   : check_callback(tx, task, flow->number, err);
}

int
ssteps_check_run(struct tx *tx, struct broker_submit *task, struct sflow *ret,
		 struct err *err)
{
	int found;

	if (flow_check_task(task) != 0)
		return 0;
	if ((found = sflow_find_run(tx, task->flow, ret, err)) == 0)
		err_set(&task->err, ERR_NOT_FOUND, "no workflow %.*s",
			(int)task->flow.len, task->flow.p);
	if (found <= 0)
		return found;
	found = check_known(tx, task, ret->number, err);
	return found != 0 ? (found < 0 ? -1 : 0)
			  : check_new(tx, task, ret, err);
}

bool
ssteps_waits(const struct broker_submit *task, const struct sflow *flow)
{
	return task->n_after > 0 || flow->state == FLOW_CANCELLING ||
	       (flow->whole && flow->state == FLOW_OPEN);
}

int
ssteps_await_seal_run(struct tx *tx, struct slice flow,
		      const struct swaits_row *row, struct err *err)
{
	char name[SSTEPS_NAME_SIZE];

	return swaits_add_run(
	    tx, row, &(struct broker_after){.id = ssteps_name_seal(name, flow)},
	    err);
}

/* --- what it comes after, as text: each with a digit before it, and a space behind -- */

size_t
ssteps_after_count(struct slice text)
{
	size_t i, n = 0;

	for (i = 0; i < text.len; i++)
		n += text.p[i] == ' ';
	return n;
}

/* The text is anybody's to change. */
size_t
ssteps_after_read(struct slice text, struct broker_after *after)
{
	const char *p = text.p, *end = text.p + text.len, *space;
	size_t n = 0;

	for (; p < end && (space = memchr(p, ' ', (size_t)(end - p))) != NULL;
	     p = space + 1) {
		if (space - p < 2)
			continue;
		after[n].how = (enum broker_after_how)sat_clamp(
		    p[0] - '0', 0, BROKER_AFTER_COMPLETE);
		after[n++].id = (struct slice){p + 1, (size_t)(space - p - 1)};
	}
	return n;
}

static void
write_after(const struct broker_submit *task, struct buf *out)
{
	size_t i;

	for (i = 0; i < task->n_after; i++)
		buf_addf(out, "%d%.*s ", (int)task->after[i].how,
			 (int)task->after[i].id.len, task->after[i].id.p);
}

int
ssteps_add_run(struct tx *tx, const struct broker_submit *task,
	       const struct sflow *flow, struct err *err)
{
	const bool callback = task->role != FLOW_STEP;
	const int64_t state = callback || ssteps_waits(task, flow)
				  ? SSTEP_WAITING
				  : SSTEP_RELEASED;
	struct buf after = BUF_INIT;
	int added;

	write_after(task, &after);
	added = after.failed
		    ? err_nomem(err)
		    : tx_run(tx, err, SQL_STEP_ADD, flow->number, flow->next,
			     task->id, (int64_t)task->role, state,
			     (struct slice){after.data, after.len});
	buf_done(&after);
	if (added >= 0 && callback)
		added = tx_run(tx, err, SQL_SPARE_ADD, flow->number, flow->next,
			       slice_of(task->queue), (int64_t)task->priority,
			       task->at_ms, task->delay_ms, task->bytes);
	return added < 0 ? -1 : 0;
}

/* --- going on, and ending ---------------------------------------------------- */

static int
set_state(struct tx *tx, int64_t flow, int64_t place, enum sstep_state state,
	  struct err *err)
{
	return tx_run(tx, err, SQL_STEP_STATE, flow, place, (int64_t)state) < 0
		   ? -1
		   : 0;
}

int
ssteps_release_run(struct tx *tx, const struct swaits_row *row, struct err *err)
{
	return set_state(tx, row->flow, row->place, SSTEP_RELEASED, err);
}

int
ssteps_hasten_run(struct tx *tx, struct slice id, struct err *err)
{
	struct sstep step;
	const int found = sstep_find_run(tx, id, &step, err);

	if (found != 1 || step.state != SSTEP_WAITING)
		return found < 0 ? -1 : 0;
	return set_state(tx, step.flow, step.place, SSTEP_RELEASED, err);
}

int
ssteps_skip_run(struct tx *tx, const struct swaits_row *row, int64_t priority,
		struct err *err)
{
	if (tx_run(tx, err, SQL_SPARE_KEEP, row->flow, row->place, row->number,
		   priority, row->at_ms, row->delay_ms) < 0)
		return -1;
	return set_state(tx, row->flow, row->place, SSTEP_SKIPPED, err);
}

/* What is gone without an end has failed. */
static enum sstep_state
state_of(enum swaits_outcome outcome)
{
	switch (outcome) {
	case SWAITS_SUCCEEDED:
		return SSTEP_SUCCEEDED;
	case SWAITS_SKIPPED:
		return SSTEP_SKIPPED;
	case SWAITS_FAILED:
	case SWAITS_GONE:
		break;
	}
	return SSTEP_FAILED;
}

/* An ordinary one: its workflow may be cancelled by that, or end. */
static int
end_step(struct swaits_work *w, struct tx *tx, const struct sstep *step,
	 enum swaits_outcome outcome, struct err *err)
{
	struct sflow flow;
	const int found = sflow_get_run(tx, step->flow, &flow, err);

	if (found <= 0)
		return found;
	if (flow.cancels && state_of(outcome) == SSTEP_FAILED &&
	    sflow_cancel_run(tx, &flow, err) != 0)
		return -1;
	if (flow.state != FLOW_CANCELLING)
		w->goes_on = flow.number;
	return sflow_skip_run(w, tx, &flow, err);
}

int
ssteps_end_run(struct swaits_work *w, struct tx *tx, struct slice id,
	       enum swaits_outcome outcome, struct err *err)
{
	struct sstep step;
	int found = 0;

	if (!ssteps_is_name(id))
		found = sstep_find_run(tx, id, &step, err);
	if (found <= 0 || step.state > SSTEP_RELEASED)
		return found < 0 ? -1 : 0;
	if (set_state(tx, step.flow, step.place, state_of(outcome), err) != 0)
		return -1;
	return step.role == FLOW_STEP ? end_step(w, tx, &step, outcome, err)
				      : 0;
}
