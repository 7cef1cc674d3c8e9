/* SPDX-License-Identifier: MIT */
/*
 * Submitting from within a command that a task runs: through the worker of that
 * task, which has the store and the credential (own_task.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/trace_context.h"
#include "flowrra/client.h"
#include "lines.h"
#include "manager/request.h"
#include "own_task.h"
#include "submit.h"
#include "util/buf.h"
#include "util/err.h"
#include "verb.h"
#include "wait_each.h"

/* Of a command, this is the trace of its task's attempt, or of what wraps it. */
const char *
submit_trace(void)
{
	const char *parent = getenv("TRACEPARENT");
	struct trace_context context;

	return parent != NULL && trace_context_read(slice_of(parent), &context)
		   ? parent
		   : NULL;
}

void
submit_take_trace(struct flowrra_request *request)
{
	const char *parent = submit_trace(), *state = getenv("TRACESTATE");

	if (request->traceparent != NULL || request->tracestate != NULL ||
	    parent == NULL)
		return;
	request->traceparent = parent;
	if (state != NULL && tracestate_valid(slice_of(state)))
		request->tracestate = state;
}

int
submit_by_task(struct ctl *ctl, const struct flowrra_request *request,
	       char id[FLOWRRA_ID_SIZE])
{
	struct err err = ERR_INIT;
	char *given = own_task_submit(ctl->own, request, &err);

	if (given == NULL)
		return complain_of_err(ctl, &err);
	snprintf(id, FLOWRRA_ID_SIZE, "%s", given);
	free(given);
	return 0;
}

struct task_lines {
	struct ctl *ctl;
	const struct flowrra_request *base;
	struct submit_problems problems;
	struct outcomes outcomes; /* with --wait */
	bool wait;
	size_t number; /* of the last line */
	int status;    /* the highest */
	bool hopeless;
};

static void
task_lines_note(struct task_lines *l, int status)
{
	if (status > l->status)
		l->status = status;
}

/* Prints what the line has become, or keeps it until the task has ended. */
static void
take_outcome(struct task_lines *l, const char *id, const struct err *err)
{
	const int status = id != NULL ? 0 : err_exit_status(err->code);
	struct err why = ERR_INIT;

	task_lines_note(l, status);
	if (l->wait &&
	    outcomes_add(&l->outcomes, l->number, id, err, &why) != 0) {
		task_lines_note(l, complain_of_err(l->ctl, &why));
		l->hopeless = true;
	}
	if (l->wait)
		return;
	if (id != NULL)
		submit_print_id(l->ctl, id);
	else
		submit_print_problem(l->ctl, &l->problems, l->number, status,
				     err->msg);
	fflush(stdout);
}

/* Once the worker is gone, no line gets through. */
static bool
on_line(void *arg, size_t number, struct slice text, bool too_long)
{
	struct task_lines *l = arg;
	struct buf scratch = BUF_INIT;
	struct flowrra_request request;
	struct err err = ERR_INIT;
	char *id = NULL;

	l->number = number;
	if (too_long)
		err_set(&err, ERR_DATA, "longer than %zu bytes",
			SUBMIT_LINE_MAX);
	else if (request_read(text, l->base, &scratch, &request, NULL, &err) ==
		 0)
		id = own_task_submit(l->ctl->own, &request, &err);
	take_outcome(l, id, &err);
	free(id);
	buf_done(&scratch);
	l->hopeless = l->hopeless || own_task_is_lost(l->ctl->own);
	return !l->hopeless;
}

/* Each line is answered before the next is read. */
static bool
on_idle(void *arg)
{
	return true;
}

/* Line by line, each with its answer before the next is sent: the worker queues
 * them, so that there is nothing to win by sending ahead. */
int
submit_stream_by_task(struct ctl *ctl, const struct flowrra_request *base,
		      double timeout_s, bool wait)
{
	struct task_lines l = {.ctl = ctl, .base = base, .wait = wait};
	const struct lines lines = {.max = SUBMIT_LINE_MAX,
				    .on_line = on_line,
				    .on_idle = on_idle,
				    .arg = &l};
	struct wait_each w;

	if (lines_read(&lines) != 0) {
		complain(ctl, "cannot read standard input: %s",
			 strerror(errno));
		task_lines_note(&l, err_exit_status(ERR_SYSTEM));
	}
	submit_end_problems(ctl, &l.problems);
	if (l.hopeless)
		complain(ctl, "giving up: lines after %zu were not submitted",
			 l.number);
	wait_each_begin(&w, ctl, timeout_s);
	wait_each_outcome(&w, &l.outcomes);
	task_lines_note(&l, wait_each_end(&w));
	outcomes_done(&l.outcomes);
	return l.status;
}
