/* SPDX-License-Identifier: MIT */
/*
 * Results of other steps in the arguments of a step of a workflow.
 *
 * They are read from the records of those tasks when this one is about to run, and so
 * they need no place of their own in any store, and each attempt gets the same. A
 * task that has no result, since it failed, or its record is gone, counts as null.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "codec/flow_args.h"
#include "codec/result_json.h"
#include "dispatch/state.h"

/* A task whose result is wanted. */
struct wanted {
	struct references *all;
	char *id;
	struct buf result; /* JSON; empty: none */
};

struct references {
	struct job *job;
	references_fn *done;
	struct wanted *tasks; /* by their IDs, each once */
	size_t n, cap;
	size_t left; /* that have not been answered */
	struct err err;
};

bool
references_wanted(const struct job *job)
{
	const struct task *t = job->task;

	return !job->referred && t->flow.len > 0 &&
	       (flow_args_any(t->args) || flow_args_any(t->kwargs));
}

static void
references_free(struct references *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		free(r->tasks[i].id);
		buf_done(&r->tasks[i].result);
	}
	free(r->tasks);
	free(r);
}

/* --- which ones ---------------------------------------------------------- */

static int
on_id(void *arg, struct slice id, struct err *err)
{
	struct references *r = arg;
	const size_t cap = r->cap > 0 ? 2 * r->cap : 8;
	struct wanted *grown;

	/* What is no ID has no record. */
	if (!task_id_valid(id))
		return 0;
	if (r->n == r->cap) {
		grown = reallocarray(r->tasks, cap, sizeof(*grown));
		if (grown == NULL)
			return err_nomem(err);
		r->tasks = grown;
		r->cap = cap;
	}
	r->tasks[r->n] = (struct wanted){.all = r, .id = strndup(id.p, id.len)};
	return r->tasks[r->n++].id != NULL ? 0 : err_nomem(err);
}

static int
wanted_compare(const void *a, const void *b)
{
	return strcmp(((const struct wanted *)a)->id,
		      ((const struct wanted *)b)->id);
}

/* In order, and each once. */
static void
references_sort(struct references *r)
{
	size_t i, n = 0;

	if (r->n == 0)
		return;
	qsort(r->tasks, r->n, sizeof(*r->tasks), wanted_compare);
	for (i = 1; i < r->n; i++)
		if (wanted_compare(&r->tasks[n], &r->tasks[i]) == 0)
			free(r->tasks[i].id);
		else
			r->tasks[++n] = r->tasks[i];
	r->n = n + 1;
}

/* --- their results ------------------------------------------------------- */

static struct slice
result_of(void *arg, struct slice id)
{
	const struct references *r = arg;
	char text[TASK_ID_MAX + 1];
	const struct wanted key = {.id = text}, *found;

	if (id.len > TASK_ID_MAX || r->n == 0)
		return SLICE("");
	memcpy(text, id.p, id.len);
	text[id.len] = '\0';
	found = bsearch(&key, r->tasks, r->n, sizeof(key), wanted_compare);
	return found != NULL
		   ? (struct slice){found->result.data, found->result.len}
		   : SLICE("");
}

static int
references_fill(struct references *r, struct err *err)
{
	struct job *job = r->job;
	struct task *t = job->task;
	const int64_t max = job->dispatch->conf->worker.max_task_size;

	buf_reset(&job->args);
	buf_reset(&job->kwargs);
	if (flow_args_fill(t->args, result_of, r, &job->args, err) != 0 ||
	    flow_args_fill(t->kwargs, result_of, r, &job->kwargs, err) != 0)
		return -1;
	if (job->args.len + job->kwargs.len > (size_t)max)
		return err_set(err, ERR_DATA,
			       "with the results of other steps its arguments "
			       "have %zu bytes, more than %" PRId64
			       " ([worker] max_task_size)",
			       job->args.len + job->kwargs.len, max);
	t->args = (struct slice){job->args.data, job->args.len};
	t->kwargs = (struct slice){job->kwargs.data, job->kwargs.len};
	job->referred = true;
	return 0;
}

/* The job may be gone after that. */
static void
references_end(struct references *r)
{
	references_fn *done = r->done;
	struct job *job = r->job;
	struct err err = r->err;

	if (err.code == ERR_NONE)
		references_fill(r, &err);
	references_free(r);
	done(job, err.code != ERR_NONE ? &err : NULL);
}

static void
on_wanted_record(struct slice record, const struct err *err, void *arg)
{
	struct wanted *w = arg;
	struct references *r = w->all;
	struct buf scratch = BUF_INIT;
	struct result result;

	if (err != NULL)
		r->err = *err;
	else if (record.len > 0 &&
		 result_decode(record, &scratch, &result, NULL) == 0 &&
		 result.status == RESULT_SUCCESS)
		buf_add(&w->result, result.result.p, result.result.len);
	if (w->result.failed)
		err_nomem(&r->err);
	buf_done(&scratch);
	if (--r->left == 0)
		references_end(r);
}

static void
references_ask(struct references *r)
{
	struct results *results = r->job->dispatch->results;
	size_t i;

	references_sort(r);
	/* One more, that nothing is over before the last has been asked for. */
	r->left = r->n + 1;
	for (i = 0; i < r->n; i++)
		results_get(results, slice_of(r->tasks[i].id), on_wanted_record,
			    &r->tasks[i]);
	if (--r->left == 0)
		references_end(r);
}

void
references_fetch(struct job *job, references_fn *done)
{
	struct references *r = calloc(1, sizeof(*r));
	struct err err;

	if (r == NULL) {
		err_nomem(&err);
		done(job, &err);
		return;
	}
	r->job = job;
	r->done = done;
	r->err.code = ERR_NONE;
	if (flow_args_each(job->task->args, on_id, r, &r->err) == 0 &&
	    flow_args_each(job->task->kwargs, on_id, r, &r->err) == 0)
		references_ask(r);
	else
		references_end(r);
}
