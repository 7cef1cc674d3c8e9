/* SPDX-License-Identifier: MIT */
#include "selection.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "manager/select.h"
#include "table.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

static const struct column selected_columns[] = {
    {"ID", "task_id", NULL, false},
    {"TASK", "task_name", NULL, false},
    {"QUEUE", "queue", NULL, false},
    {"STATE", "state", NULL, false},
};

/* --state alone is a filter, too. An empty --error fits all. */
static bool
is_filtered(const struct selection *s)
{
	const struct task_filter *f = &s->filter;

	return f->queue != NULL || f->task != NULL || f->worker != NULL ||
	       (f->error != NULL && f->error[0] != '\0') || f->reason != NULL ||
	       s->states != NULL || s->older_than_s > 0;
}

int
selection_check(const struct selection *s, const struct selection_words *w,
		int n_ids, struct err *err)
{
	const bool filtered = is_filtered(s);

	if (n_ids > 0 && (filtered || s->all || s->dry_run))
		return err_set(err, ERR_USAGE,
			       "cannot use IDs with filters, --all or "
			       "--dry-run");
	if (s->all && filtered)
		return err_set(err, ERR_USAGE, "cannot use --all with filters");
	if (n_ids == 0 && !s->all && !filtered)
		return err_set(err, ERR_USAGE,
			       "missing selection: give IDs, a filter (%s) or "
			       "--all",
			       w->filters);
	return 0;
}

/* "Cancel 4,211 tasks? [y/N]": only a clear yes is one. */
static bool
ask(struct ctl *ctl, const struct selection *s, const struct selection_words *w,
    size_t n)
{
	const char *queue = s->filter.queue;
	char answer[16] = "";

	fprintf(stderr, "%s %zu task%s%s%s? [y/N] ", w->Does, n,
		n == 1 ? "" : "s", queue != NULL ? " of queue " : "",
		queue != NULL ? queue : "");
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) != NULL) {
		answer[strcspn(answer, "\n")] = '\0';
		if (strcasecmp(answer, "y") == 0 ||
		    strcasecmp(answer, "yes") == 0)
			return true;
	}
	complain(ctl, "nothing was %s", w->done);
	return false;
}

/* 0: go on; 64: nobody has said yes. */
static int
confirm(struct ctl *ctl, const struct selection *s,
	const struct selection_words *w, size_t n)
{
	if (s->yes || n == 0)
		return 0;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		complain(ctl, "this would %s %zu task%s; say --yes", w->does, n,
			 n == 1 ? "" : "s");
	else if (ask(ctl, s, w, n))
		return 0;
	return err_exit_status(ERR_USAGE);
}

static void
on_found(int64_t found, void *arg)
{
	show_progress(arg, found, "found");
}

int
selection_take(struct ctl *ctl, struct selection *s,
	       const struct selection_words *w, int states, json_t **ret_tasks)
{
	const struct select what = {.states = states,
				    .filter = &s->filter,
				    .on_progress = on_found,
				    .arg = ctl};
	struct err err = ERR_INIT;
	json_t *tasks;
	int status;
	size_t n;

	*ret_tasks = NULL;
	if (s->older_than_s > 0)
		s->filter.before_us =
		    clock_wall_us() - (int64_t)(s->older_than_s * 1e6);
	tasks = select_tasks(ctl->client, &what, &err);
	end_progress(ctl);
	if (tasks == NULL)
		return complain_of_err(ctl, &err);
	n = json_array_size(tasks);
	if (s->dry_run) {
		status = print_list(ctl, selected_columns, 4, tasks);
		complain(ctl, "%zu would be %s", n, w->done);
		return status;
	}
	status = confirm(ctl, s, w, n);
	if (status == 0)
		*ret_tasks = tasks;
	else
		json_decref(tasks);
	return status;
}
