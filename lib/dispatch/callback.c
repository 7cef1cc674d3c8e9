/* SPDX-License-Identifier: MIT */
/*
 * What a callback of a workflow is told, in keyword arguments that its task does not
 * have already:
 *
 *	"flow": ID, "outcome": "failed", "failed": [ID, ...],
 *	"counts": {"steps": 12, "succeeded": 9, "failed": 2, "skipped": 1,
 *		   "unlisted": 0}
 *
 * It is read from the store when the task is about to run: so it is no part of the
 * task, and each attempt is told of the workflow as it is then. Of one that is gone, or
 * cannot be read, only the ID is known.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/scan.h"
#include "codec/write.h"
#include "dispatch/state.h"
#include "store/flow.h"

/* Failed steps that are listed, and steps that are looked at to find them. */
#define FAILED_MAX 100
#define PAGE 500
#define PAGES_MAX 200

/* In the order of names[]. */
enum { IS_FLOW, IS_OUTCOME, IS_FAILED, IS_COUNTS, N_NAMES };
static const char *const names[N_NAMES] = {
    [IS_FLOW] = "flow",
    [IS_OUTCOME] = "outcome",
    [IS_FAILED] = "failed",
    [IS_COUNTS] = "counts",
};

struct callback {
	struct job *job;
	references_fn *done;
	bool found;
	struct flow_info info;
	struct buf failed; /* IDs, each as a JSON string, with commas between */
	int64_t listed;
	struct buf cursor;
	unsigned int pages;
};

bool
callback_wanted(const struct job *job)
{
	return !job->called && job->task->flow.len > 0 && job->task->on.len > 0;
}

/* --- writing ----------------------------------------------------------------- */

static enum flow_state
callback_outcome(const struct callback *c)
{
	const struct flow_info *i = &c->info;

	/* It may have been taken back since then. */
	if (flow_state_has_ended(i->state))
		return i->state;
	return i->ended[FLOW_STEP_FAILED] > 0 ? FLOW_FAILED : FLOW_SUCCEEDED;
}

static void
callback_write_counts(const struct callback *c, struct buf *out)
{
	const struct flow_info *i = &c->info;
	const int64_t failed = i->ended[FLOW_STEP_FAILED];

	write_whole(out, WRITE_FIRST("steps"), i->steps);
	write_whole(out, WRITE_NEXT("succeeded"),
		    i->ended[FLOW_STEP_SUCCEEDED]);
	write_whole(out, WRITE_NEXT("failed"), failed);
	write_whole(out, WRITE_NEXT("skipped"), i->ended[FLOW_STEP_SKIPPED]);
	write_whole(out, WRITE_NEXT("unlisted"),
		    failed > c->listed ? failed - c->listed : 0);
	write_end(out);
}

static void
callback_write_one(const struct callback *c, int which, struct buf *out)
{
	const struct slice flow = c->job->task->flow;

	if (which == IS_FLOW)
		buf_addf(out, "\"%.*s\"", (int)flow.len, flow.p);
	else if (which == IS_FAILED)
		buf_addf(out, "[%.*s]", (int)c->failed.len,
			 c->failed.len > 0 ? c->failed.data : "");
	else if (!c->found)
		buf_adds(out, "null");
	else if (which == IS_OUTCOME)
		buf_addf(out, "\"%s\"", flow_state_word(callback_outcome(c)));
	else
		callback_write_counts(c, out);
}

static int
on_keyword(void *arg, const struct scan_value *key,
	   const struct scan_value *value, struct err *err)
{
	bool *has = arg;
	int i;

	for (i = 0; i < N_NAMES; i++)
		has[i] = has[i] || slice_eq(key->text, slice_of(names[i]));
	return 0;
}

/* Behind what the task has. */
static int
callback_write(const struct callback *c, struct buf *out, struct err *err)
{
	struct slice had = c->job->task->kwargs;
	bool has[N_NAMES] = {false};
	const char *comma;
	int i;

	if (had.len == 0)
		had = SLICE("{}");
	if (scan_object(had, TASK_DEPTH_MAX, on_keyword, has, err) != 0)
		return -1;
	comma = memchr(had.p, ':', had.len) != NULL ? "," : "";
	/* Without its brace, which is the last one of all. */
	buf_add(out, had.p,
		(size_t)((const char *)memrchr(had.p, '}', had.len) - had.p));
	for (i = 0; i < N_NAMES; i++) {
		if (has[i])
			continue;
		buf_addf(out, "%s\"%s\":", comma, names[i]);
		callback_write_one(c, i, out);
		comma = ",";
	}
	buf_addc(out, '}');
	return out->failed ? err_nomem(err) : 0;
}

/* --- the end ------------------------------------------------------------------- */

/* With no list of those that failed if a task may not be so large. */
static int
callback_fill(struct callback *c, struct err *err)
{
	struct job *job = c->job;
	const size_t max = (size_t)job->dispatch->conf->worker.max_task_size;
	struct buf out = BUF_INIT;
	int r = callback_write(c, &out, err);

	if (r == 0 && job->task->args.len + out.len > max) {
		buf_reset(&c->failed);
		buf_reset(&out);
		c->listed = 0;
		r = callback_write(c, &out, err);
	}
	if (r != 0) {
		buf_done(&out);
		return -1;
	}
	buf_done(&job->kwargs);
	job->kwargs = out;
	job->task->kwargs = (struct slice){out.data, out.len};
	job->called = true;
	return 0;
}

/* The job may be gone after that. What is out of reach is asked again later; whatever
 * else is wrong, the callback runs. */
static void
callback_end(struct callback *c, const struct err *why)
{
	references_fn *done = c->done;
	struct job *job = c->job;
	struct err err = ERR_INIT;

	if (why != NULL && why->code == ERR_UNAVAILABLE)
		err = *why;
	else
		callback_fill(c, &err);
	buf_done(&c->failed);
	buf_done(&c->cursor);
	free(c);
	done(job, err.code != ERR_NONE ? &err : NULL);
}

/* --- looking ---------------------------------------------------------------------- */

static void callback_look(struct callback *c);

static void
callback_list(struct callback *c, const struct flow_step *step)
{
	const struct buf *ids = &c->failed;

	if (step->role != FLOW_STEP || step->place != FLOW_ENDED ||
	    step->outcome != FLOW_STEP_FAILED || c->listed == FAILED_MAX)
		return;
	write_text(&c->failed, ids->len > 0 ? SLICE(",") : SLICE(""), step->id);
	c->listed++;
}

static void
callback_on_steps(const struct flow_page *page, const struct err *err,
		  void *arg)
{
	struct callback *c = arg;
	size_t i;

	for (i = 0; page != NULL && i < page->n; i++)
		callback_list(c, &page->steps[i]);
	buf_reset(&c->cursor);
	if (page != NULL)
		buf_add(&c->cursor, page->next.p, page->next.len);
	if (err != NULL)
		callback_end(c, err);
	else
		callback_look(c);
}

/* Where it was the last time: or there is nothing more to be found. */
static void
callback_look(struct callback *c)
{
	const int64_t failed = c->info.ended[FLOW_STEP_FAILED];

	if (c->listed >= failed || c->listed == FAILED_MAX ||
	    c->pages == PAGES_MAX || (c->pages > 0 && c->cursor.len == 0) ||
	    c->cursor.failed) {
		callback_end(c, NULL);
		return;
	}
	c->pages++;
	broker_flow_steps(c->job->dispatch->broker, c->job->task->flow,
			  (struct slice){c->cursor.data, c->cursor.len}, PAGE,
			  callback_on_steps, c);
}

static void
callback_on_flow(const struct flow_info *flows, size_t n, struct slice next,
		 const struct err *err, void *arg)
{
	struct callback *c = arg;

	if (err != NULL || n == 0) {
		callback_end(c, err);
		return;
	}
	c->found = true;
	c->info = flows[0];
	callback_look(c);
}

void
callback_fetch(struct job *job, references_fn *done)
{
	struct callback *c = calloc(1, sizeof(*c));
	struct err err;

	if (c == NULL) {
		err_nomem(&err);
		done(job, &err);
		return;
	}
	c->job = job;
	c->done = done;
	broker_flow_get(job->dispatch->broker, job->task->flow,
			callback_on_flow, c);
}
