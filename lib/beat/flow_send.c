/* SPDX-License-Identifier: MIT */
/*
 * The way of a workflow into the store:
 *
 *	BEGIN	it is there already: LOOK; else ADD
 *	LOOK	it is open: ADD; it has ended: done; else somebody has sealed it, and
 *		may have died before its first steps were in their queues: SEAL
 *	ADD	its steps, a number at a time, their records first where these have
 *		a store of their own; what is there already stays. Refused, since
 *		another scheduler was quicker: LOOK. Refused for good: CANCEL
 *	SEAL	done
 *	CANCEL	nothing of it runs: failed
 *
 * A scheduler that dies in between leaves an unmarked fire, and the next one begins
 * from the start.
 */
#include "beat/flow_send.h"

#include <stdlib.h>
#include <string.h>

#include "codec/fields.h"
#include "codec/result_json.h"
#include "codec/task_json.h"
#include "schedules/claim.h"
#include "store/broker.h"
#include "store/flow.h"
#include "store/results.h"
#include "store/steps.h"
#include "util/err.h"
#include "util/name.h"

/* Steps that are added together: as of flowrractl. */
#define ADDED_MAX 512

/* In the fire's text. */
struct step {
	struct slice on, after, task;
	int64_t delay_ms;
};

struct flow_send {
	struct flow_send_options opt;
	struct flow_begin begin;
	struct buf scratch;
	struct step *steps;
	size_t n, cap;
	bool looked; /* after a step was refused */
	struct err why;

	/* Those under way: steps at..at+n_added. */
	size_t at, n_added, n_records;
	struct task *tasks[ADDED_MAX];
	struct steps_after afters[ADDED_MAX];
	struct broker_submit submits[ADDED_MAX];
	struct buf records;
	size_t ends[ADDED_MAX];
	struct slice ids[ADDED_MAX], bodies[ADDED_MAX];
	struct err created[ADDED_MAX];
};

static void add_steps(struct flow_send *f);
static void look(struct flow_send *f);

/* --- reading ------------------------------------------------------------- */

struct head {
	struct slice label, on_failure, steps;
	int64_t life_us;
};
#define FIELD(of_struct, of_name, kind, at, ...)                               \
	{                                                                      \
		.name = {of_name, sizeof(of_name) - 1}, .type = FIELD_##kind,  \
		.offset = offsetof(struct of_struct, at), __VA_ARGS__          \
	}
static const struct field head_fields[] = {
    FIELD(head, "label", TEXT, label),
    FIELD(head, "on_failure", TEXT, on_failure),
    FIELD(head, "life", SECONDS, life_us, .max = FLOW_LIFE_MAX_S),
    FIELD(head, "steps", ARRAY, steps, .required = true),
};
/* Words and IDs, which need no escaping: so the scratch stays empty. */
static const struct field step_fields[] = {
    FIELD(step, "on", TEXT, on),
    FIELD(step, "after", ARRAY, after),
    FIELD(step, "delay_ms", WHOLE, delay_ms,
	  .max = TASK_DURATION_MAX_S * 1e3 + 1e3),
    FIELD(step, "task", OBJECT, task, .required = true),
};
#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static int
on_step(void *arg, const struct scan_value *value, struct err *err)
{
	struct flow_send *f = arg;
	const size_t cap = f->cap > 0 ? 2 * f->cap : 16;
	struct buf scratch = BUF_INIT;
	const struct fields_in in = {.table = step_fields,
				     .n = N_OF(step_fields),
				     .max_depth = TASK_DEPTH_MAX + 2,
				     .scratch = &scratch};
	struct step *grown;
	int r;

	if (f->n == f->cap) {
		grown = reallocarray(f->steps, cap, sizeof(*grown));
		if (grown == NULL)
			return err_nomem(err);
		f->steps = grown;
		f->cap = cap;
	}
	f->steps[f->n] = (struct step){.delay_ms = 0};
	r = fields_read(&in, value->text, &f->steps[f->n++], err);
	buf_done(&scratch);
	return r;
}

static int
read_fire(struct flow_send *f, struct err *err)
{
	const struct schedule_fire *fire = f->opt.fire;
	struct head head = {.life_us = 0};
	const struct fields_in in = {.table = head_fields,
				     .n = N_OF(head_fields),
				     .max_depth = TASK_DEPTH_MAX + 3,
				     .scratch = &f->scratch};

	if (fields_read(&in, slice_of(fire->body), &head, err) != 0 ||
	    scan_array(head.steps, TASK_DEPTH_MAX + 2, on_step, f, err) != 0)
		return err_prefix(err, "the workflow of fire %s",
				  fire->task_id);
	f->begin = (struct flow_begin){
	    .id = slice_of(fire->task_id),
	    .label = head.label,
	    .on_failure = slice_eq(head.on_failure,
				   slice_of(flow_policy_words[FLOW_CANCEL]))
			      ? FLOW_CANCEL
			      : FLOW_CONTINUE,
	    .whole = true,
	    .life_s = head.life_us / 1000000};
	return 0;
}

/* --- the end ------------------------------------------------------------- */

static void
drop_added(struct flow_send *f)
{
	size_t i;

	for (i = 0; i < f->n_added; i++) {
		task_free(f->tasks[i]);
		steps_after_done(&f->afters[i]);
	}
	f->n_added = f->n_records = 0;
	buf_reset(&f->records);
}

static void
free_all(struct flow_send *f)
{
	drop_added(f);
	buf_done(&f->records);
	buf_done(&f->scratch);
	free(f->steps);
	free(f);
}

void
flow_send_free(struct flow_send *f)
{
	if (f != NULL)
		free_all(f);
}

/* With f->why. */
static void
finish(struct flow_send *f)
{
	const struct err why = f->why;
	flow_sent_fn *on_sent = f->opt.on_sent;
	void *arg = f->opt.arg;

	free_all(f);
	on_sent(&why, arg);
}

/* NULL: the workflow is there. */
static void
end(struct flow_send *f, const struct err *why)
{
	f->why = why != NULL ? *why : (struct err)ERR_INIT;
	finish(f);
}

static void
on_cancelled(struct slice value, const struct err *err, void *arg)
{
	struct flow_send *f = arg;

	/* What cannot be cancelled now is never sealed: it is idle, and ends. */
	finish(f);
}

/* What the store does not want, it will not want later either. */
static void
fail(struct flow_send *f, const struct err *why)
{
	f->why = *why;
	if (why->code == ERR_DATA || why->code == ERR_USAGE)
		broker_flow_cancel(f->opt.broker, f->begin.id, on_cancelled, f);
	else
		end(f, why);
}

/* It is open, and does not take the step: it never will. */
static void
refuse(struct flow_send *f)
{
	struct err why = f->why;

	why.code = ERR_DATA;
	fail(f, &why);
}

/* --- sealing ------------------------------------------------------------- */

static void
on_sealed(struct slice value, const struct err *err, void *arg)
{
	end(arg, err);
}

static void
seal(struct flow_send *f)
{
	broker_flow_seal(f->opt.broker, f->begin.id, on_sealed, f);
}

/* --- adding -------------------------------------------------------------- */

/* Another scheduler has sealed it meanwhile. */
static bool
was_late(const struct err *why)
{
	return why->code == ERR_REFUSED || why->code == ERR_NOT_FOUND;
}

static void
fail_step(struct flow_send *f, const struct slice id, const struct err *err)
{
	struct err why = *err;

	err_prefix(&why, "step %.*s", (int)id.len, id.p);
	drop_added(f);
	if (was_late(&why) && !f->looked) {
		f->looked = true;
		f->why = why;
		look(f);
	} else {
		fail(f, &why);
	}
}

static void
on_added(struct broker_submit *submits, size_t n, void *arg)
{
	struct flow_send *f = arg;
	size_t i;

	for (i = 0; i < n; i++)
		if (submits[i].err.code != ERR_NONE) {
			fail_step(f, submits[i].id, &submits[i].err);
			return;
		}
	f->at += n;
	drop_added(f);
	if (f->at < f->n)
		add_steps(f);
	else
		seal(f);
}

/* ERR_REFUSED: there is one already, of the same step. */
static void
on_records(struct err *errs, size_t n, void *arg)
{
	struct flow_send *f = arg;
	size_t i;

	for (i = 0; i < n; i++)
		if (errs[i].code != ERR_NONE && errs[i].code != ERR_REFUSED) {
			fail_step(f, f->ids[i], &errs[i]);
			return;
		}
	broker_submit(f->opt.broker, f->submits, f->n_added, on_added, f);
}

static int
add_record(struct flow_send *f, const struct task *task, size_t i)
{
	struct result record = result_pending(task);

	record.times = f->opt.times;
	result_encode(&record, &f->records);
	f->ends[i] = f->records.len;
	return f->records.failed ? -1 : 0;
}

/* Its place among those under way is there even if it fails: for drop_added(). */
static int
prepare_step(struct flow_send *f, const struct step *s, struct err *err)
{
	const size_t i = f->n_added++;
	struct broker_submit *submit = &f->submits[i];

	f->tasks[i] = NULL;
	f->afters[i] = (struct steps_after){.n = 0};
	memset(submit, 0, sizeof(*submit));
	if (task_decode(s->task, &f->tasks[i], err) != 0 ||
	    name_check_submitted(f->tasks[i]->name, err) != 0)
		return -1;
	submit->queue = f->tasks[i]->queue != NULL ? f->tasks[i]->queue : "io";
	submit->id = slice_of(f->tasks[i]->id);
	submit->bytes = s->task;
	submit->priority = f->tasks[i]->priority;
	submit->delay_ms = s->delay_ms;
	submit->flow = f->begin.id;
	if (s->on.len > 0 && steps_read_on(s->on, &submit->role, err) != 0)
		return -1;
	if (s->after.len > 0 &&
	    steps_read_after(s->after, &f->afters[i], err) != 0)
		return -1;
	submit->after = f->afters[i].items;
	submit->n_after = f->afters[i].n;
	return add_record(f, f->tasks[i], i) == 0 ? 0 : err_nomem(err);
}

/* The records do not move any more. A callback has none before it runs. */
static void
place_records(struct flow_send *f)
{
	size_t i, begin = 0;

	for (i = 0; i < f->n_added; i++) {
		f->submits[i].record =
		    (struct slice){f->records.data + begin, f->ends[i] - begin};
		begin = f->ends[i];
		if (f->submits[i].role != FLOW_STEP)
			continue;
		f->ids[f->n_records] = f->submits[i].id;
		f->created[f->n_records].code = ERR_NONE;
		f->bodies[f->n_records++] = f->submits[i].record;
	}
}

static void
add_steps(struct flow_send *f)
{
	struct err err = ERR_INIT;
	size_t i;

	for (i = f->at; i < f->n && i < f->at + ADDED_MAX; i++)
		if (prepare_step(f, &f->steps[i], &err) != 0) {
			drop_added(f);
			fail(f, &err);
			return;
		}
	place_records(f);
	if (f->opt.one_store || f->n_records == 0)
		broker_submit(f->opt.broker, f->submits, f->n_added, on_added,
			      f);
	else
		results_create(f->opt.results, f->ids, f->bodies, f->created,
			       f->n_records, on_records, f);
}

/* --- beginning ----------------------------------------------------------- */

/* One that is gone has ended. */
static void
on_looked(const struct flow_info *flows, size_t n, struct slice next,
	  const struct err *err, void *arg)
{
	struct flow_send *f = arg;

	if (err != NULL && err->code != ERR_NOT_FOUND)
		end(f, err);
	else if (err != NULL || n == 0 || flow_state_has_ended(flows[0].state))
		end(f, NULL);
	else if (flows[0].state != FLOW_OPEN)
		seal(f);
	else if (f->looked)
		refuse(f);
	else
		add_steps(f);
}

static void
look(struct flow_send *f)
{
	broker_flow_get(f->opt.broker, f->begin.id, on_looked, f);
}

static void
on_begun(struct slice value, const struct err *err, void *arg)
{
	struct flow_send *f = arg;

	if (err == NULL)
		add_steps(f);
	else if (err->code == ERR_REFUSED)
		look(f);
	else
		end(f, err);
}

struct flow_send *
flow_send_start(const struct flow_send_options *options, struct err *err)
{
	struct flow_send *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		err_nomem(err);
		return NULL;
	}
	f->opt = *options;
	if (read_fire(f, err) != 0) {
		flow_send_free(f);
		return NULL;
	}
	broker_flow_begin(f->opt.broker, &f->begin, on_begun, f);
	return f;
}
