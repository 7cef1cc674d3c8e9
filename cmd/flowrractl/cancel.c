/* SPDX-License-Identifier: MIT */
/* The verb cancel: tasks by their IDs, or all that a filter selects. */
#include <stdio.h>
#include <string.h>

#include "each_task.h"
#include "manager/cancel.h"
#include "manager/member.h"
#include "manager/select.h"
#include "manager/task_filter.h"
#include "selection.h"
#include "util/err.h"
#include "verb.h"

struct cancel_options {
	struct selection selection;
};

#define OPTION(...) VERB_OPTION(struct cancel_options, 0, __VA_ARGS__)

static const struct option_spec cancel_options[] = {
    SELECTION_OPTIONS(struct cancel_options, selection),
    OPTION("worker", "WORKER", TEXT, selection.filter.worker, 0, 0,
	   "all tasks that this worker has"),
    OPTION("state", "STATE,...", TEXT, selection.states, 0, 0,
	   "only those in these states: waiting, delayed, retrying, running"),
    OPTION("older-than", "DURATION", SECONDS, selection.older_than_s, 0,
	   3162240000,
	   "only those submitted (running ones: begun) at least this long ago"),
};

static const struct selection_words words = {
    "cancel", "Cancel", "cancelled",
    "--queue, --task, --worker, --error, --reason, --state, --older-than"};

/* What came of all of them. */
struct outcomes {
	long long cancelled, ordered, ended;
	int status;
};

/* A task that has ended meanwhile is what was asked for, as far as anybody can
 * tell; any other refusal is told. */
static void
cancel_selected(struct ctl *ctl, const char *id, struct outcomes *out)
{
	struct err err = ERR_INIT;
	json_t *answer = cancel_task(ctl->client, id, &err);
	const char *outcome = member_text(answer, "outcome");
	int status = 0;

	if (answer == NULL && (err.code == ERR_NOT_FOUND ||
			       (err.code == ERR_REFUSED &&
				strstr(err.msg, "has finished") != NULL)))
		out->ended++;
	else if (answer == NULL)
		status = complain_of_err(ctl, &err);
	else if (strcmp(outcome, "ordered") == 0)
		out->ordered++;
	else
		out->cancelled++;
	if (answer == NULL)
		answer = json_pack("{s:s,s:i,s:o}", "id", id, "code",
				   err_exit_status(err.code), "error",
				   member_of_text(err.msg));
	print_if_json(ctl, answer);
	if (status > out->status)
		out->status = status;
}

/* A server that is away ends it: the rest would wait in vain, one by one. */
static int
cancel_all(struct ctl *ctl, const json_t *tasks)
{
	struct outcomes out = {.status = 0};
	json_t *one;
	size_t i;

	json_array_foreach (tasks, i, one) {
		if (out.status == err_exit_status(ERR_UNAVAILABLE))
			break;
		cancel_selected(ctl, member_text(one, "task_id"), &out);
		if (!ctl->globals.json)
			show_progress(ctl, (long long)i + 1, "cancelled");
	}
	end_progress(ctl);
	if (!ctl->globals.json) {
		printf("%lld cancelled", out.cancelled);
		if (out.ordered > 0)
			printf(", %lld ordered to end", out.ordered);
		if (out.ended > 0)
			printf(", %lld had ended", out.ended);
		putchar('\n');
	}
	return out.status;
}

static int
cancel_filtered(struct ctl *ctl, struct selection *selection, int states)
{
	json_t *tasks;
	int status = selection_take(ctl, selection, &words, states, &tasks);

	if (tasks != NULL)
		status = cancel_all(ctl, tasks);
	json_decref(tasks);
	return status;
}

static int
run_cancel(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct selection *s = &((struct cancel_options *)options)->selection;
	struct err err = ERR_INIT;
	int status, states = SELECT_ALL;

	if (selection_check(s, &words, argc, &err) != 0 ||
	    (s->states != NULL &&
	     (states = select_parse(s->states, &err)) < 0) ||
	    task_filter_check(&s->filter, &err) != 0)
		return complain_of_err(ctl, &err);
	if ((states & SELECT_DEAD) != 0) {
		err_set(&err, ERR_DATA,
			"a dead task cannot be cancelled; to delete it, use "
			"\"tasks delete --dead\"");
		return complain_of_err(ctl, &err);
	}
	if (argc > 0)
		return each_task(ctl, argc, argv, "id", cancel_task);
	if ((status = ctl_open(ctl)) != 0)
		return status;
	if (ctl_need_store(ctl, "filters and --all", &err) != 0)
		return complain_of_err(ctl, &err);
	return cancel_filtered(ctl, s, states);
}

const struct verb verb_cancel = {
    .name = "cancel",
    .alias = "rm",
    .summary = "Cancel waiting or running tasks",
    .usage = "ID... | FILTER... | --all [--dry-run] [--yes]",
    .options = cancel_options,
    .n_options = sizeof(cancel_options) / sizeof(cancel_options[0]),
    .options_size = sizeof(struct cancel_options),
    .max_args = -1,
    .words = WORD_TASK_ID,
    .gateway = true,
    .run = run_cancel,
};
