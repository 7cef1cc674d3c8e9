/* SPDX-License-Identifier: MIT */
/*
 * The verb cancel: tasks by their IDs, or all that a filter selects.
 *
 * A filter may select more than was meant: so a person is asked, with the number,
 * and a script has to say --yes.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "each_task.h"
#include "manager/cancel.h"
#include "manager/member.h"
#include "manager/select.h"
#include "manager/task_filter.h"
#include "table.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

struct cancel_options {
	struct task_filter filter;
	const char *states;
	double older_than_s;
	bool all, dry_run, yes;
};

#define OPTION(...) VERB_OPTION(struct cancel_options, 0, __VA_ARGS__)

static const struct option_spec cancel_options[] = {
    OPTION("queue", "QUEUE", TEXT, filter.queue, 0, 0,
	   "all tasks of this queue"),
    OPTION("task", "NAME", TEXT, filter.task, 0, 0, "all tasks with this name"),
    OPTION("worker", "WORKER", TEXT, filter.worker, 0, 0,
	   "all tasks that this worker has"),
    OPTION("error", "TEXT", TEXT, filter.error, 0, 0,
	   "all tasks to be retried with this text in their error"),
    OPTION("reason", "WORD", TEXT, filter.reason, 0, 0,
	   "all tasks to be retried with this reason"),
    OPTION("state", "STATE,...", TEXT, states, 0, 0,
	   "only those in these states: waiting, delayed, retrying, running"),
    OPTION("older-than", "DURATION", SECONDS, older_than_s, 0, 3162240000,
	   "only those submitted (running ones: begun) at least this long ago"),
    OPTION("all", NULL, FLAG, all, 0, 0, "all tasks"),
    OPTION("dry-run", NULL, FLAG, dry_run, 0, 0,
	   "cancel nothing; show the tasks"),
    OPTION("yes", NULL, FLAG, yes, 0, 0, "do not ask"),
};

static const struct column selected_columns[] = {
    {"ID", "task_id", NULL, false},
    {"TASK", "task_name", NULL, false},
    {"QUEUE", "queue", NULL, false},
    {"STATE", "state", NULL, false},
};

/* --state alone is a filter, too. An empty --error fits all. */
static bool
is_filtered(const struct cancel_options *o)
{
	const struct task_filter *f = &o->filter;

	return f->queue != NULL || f->task != NULL || f->worker != NULL ||
	       (f->error != NULL && f->error[0] != '\0') || f->reason != NULL ||
	       o->states != NULL || o->older_than_s > 0;
}

static int
check_selection(const struct cancel_options *o, int n_ids, struct err *err)
{
	const bool filtered = is_filtered(o);

	if (n_ids > 0 && (filtered || o->all || o->dry_run))
		return err_set(err, ERR_USAGE,
			       "cannot use IDs with filters, --all or "
			       "--dry-run");
	if (o->all && filtered)
		return err_set(err, ERR_USAGE, "cannot use --all with filters");
	if (n_ids == 0 && !o->all && !filtered)
		return err_set(
		    err, ERR_USAGE,
		    "missing selection: give IDs, a filter (--queue, "
		    "--task, --worker, --error, --reason, --state, "
		    "--older-than) or --all");
	return 0;
}

/* "Cancel 4,211 tasks? [y/N]": only a clear yes is one. */
static bool
ask(struct ctl *ctl, size_t n, const char *queue)
{
	char answer[16] = "";

	fprintf(stderr, "Cancel %zu task%s%s%s? [y/N] ", n, n == 1 ? "" : "s",
		queue != NULL ? " of queue " : "", queue != NULL ? queue : "");
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) != NULL) {
		answer[strcspn(answer, "\n")] = '\0';
		if (strcasecmp(answer, "y") == 0 ||
		    strcasecmp(answer, "yes") == 0)
			return true;
	}
	complain(ctl, "nothing was cancelled");
	return false;
}

/* 0: go on; 64: nobody has said yes. */
static int
confirm(struct ctl *ctl, const struct cancel_options *o, size_t n)
{
	if (o->yes || n == 0)
		return 0;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		complain(ctl, "this would cancel %zu task%s; say --yes", n,
			 n == 1 ? "" : "s");
	else if (ask(ctl, n, o->filter.queue))
		return 0;
	return err_exit_status(ERR_USAGE);
}

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

static void
on_found(int64_t found, void *arg)
{
	show_progress(arg, found, "found");
}

static int
cancel_filtered(struct ctl *ctl, struct cancel_options *o, int states)
{
	const struct select what = {.states = states,
				    .filter = &o->filter,
				    .on_progress = on_found,
				    .arg = ctl};
	struct err err = ERR_INIT;
	json_t *tasks;
	int status;

	if (o->older_than_s > 0)
		o->filter.before_us =
		    clock_wall_us() - (int64_t)(o->older_than_s * 1e6);
	tasks = select_tasks(ctl->client, &what, &err);
	end_progress(ctl);
	if (tasks == NULL)
		return complain_of_err(ctl, &err);
	if (o->dry_run) {
		const size_t n = json_array_size(tasks);

		status = print_list(ctl, selected_columns, 4, tasks);
		complain(ctl, "%zu would be cancelled", n);
		return status;
	}
	status = confirm(ctl, o, json_array_size(tasks));
	if (status == 0)
		status = cancel_all(ctl, tasks);
	json_decref(tasks);
	return status;
}

static int
run_cancel(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct cancel_options *o = options;
	struct err err = ERR_INIT;
	int status, states = SELECT_ALL;

	if (check_selection(o, argc, &err) != 0 ||
	    (o->states != NULL &&
	     (states = select_parse(o->states, &err)) < 0) ||
	    task_filter_check(&o->filter, &err) != 0)
		return complain_of_err(ctl, &err);
	if (argc > 0)
		return each_task(ctl, argc, argv, "id", cancel_task);
	if ((status = ctl_open(ctl)) != 0)
		return status;
	return cancel_filtered(ctl, o, states);
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
    .run = run_cancel,
};
