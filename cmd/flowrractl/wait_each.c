/* SPDX-License-Identifier: MIT */
/* Many tasks that are waited for one after the other. */
#include "wait_each.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowrra/client.h"
#include "result.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

static void
wait_each_note(struct wait_each *w, int status)
{
	if (status > w->status)
		w->status = status;
}

void
wait_each_begin(struct wait_each *w, struct ctl *ctl, double timeout_s)
{
	*w = (struct wait_each){
	    .ctl = ctl, .timeout_s = timeout_s, .begun_us = clock_mono_us()};
}

/* What is left of the time, so that none is late for what has ended already. */
static double
wait_each_left(const struct wait_each *w)
{
	const double left =
	    w->timeout_s - (double)(clock_mono_us() - w->begun_us) / 1e6;

	return w->timeout_s < 0 ? -1 : left > 0 ? left : 0;
}

static void
print_problem(struct wait_each *w, size_t line, int status, const char *text)
{
	submit_print_problem(w->ctl, &w->problems, line, status, text);
	wait_each_note(w, status);
}

void
wait_each_problem(struct wait_each *w, size_t line, const struct err *problem)
{
	print_problem(w, line, err_exit_status(problem->code), problem->msg);
}

void
wait_each_id(struct wait_each *w, size_t line, const char *id)
{
	struct flowrra_record *record;
	struct flowrra_error error;

	if (wait_for_record(w->ctl, id, wait_each_left(w), &record, &error) !=
	    0) {
		print_problem(w, line, error.code, error.message);
	} else {
		if (record->state != FLOWRRA_SUCCESS && !w->ctl->globals.json)
			printf("%s\t\n", id);
		wait_each_note(w, print_record(w->ctl, record, id));
		flowrra_record_free(record);
	}
	fflush(stdout);
}

int
wait_each_end(struct wait_each *w)
{
	submit_end_problems(w->ctl, &w->problems);
	return w->status;
}

/* --- outcomes --------------------------------------------------------------- */

struct outcome {
	char *id; /* NULL: there is a problem */
	size_t line;
	struct err *problem;
};

int
outcomes_add(struct outcomes *o, size_t line, const char *id,
	     const struct err *problem, struct err *err)
{
	struct outcome *more =
	    reallocarray(o->list, o->n + 1, sizeof(*o->list));
	struct outcome one = {.line = line};

	if (more == NULL)
		return err_nomem(err);
	o->list = more;
	if (id != NULL)
		one.id = strdup(id);
	else if ((one.problem = malloc(sizeof(*one.problem))) != NULL)
		*one.problem = *problem;
	if (one.id == NULL && one.problem == NULL)
		return err_nomem(err);
	o->list[o->n++] = one;
	return 0;
}

void
wait_each_outcome(struct wait_each *w, const struct outcomes *o)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		if (o->list[i].id != NULL)
			wait_each_id(w, o->list[i].line, o->list[i].id);
		else
			wait_each_problem(w, o->list[i].line,
					  o->list[i].problem);
}

void
outcomes_done(struct outcomes *o)
{
	size_t i;

	for (i = 0; i < o->n; i++) {
		free(o->list[i].id);
		free(o->list[i].problem);
	}
	free(o->list);
	*o = (struct outcomes){.n = 0};
}
