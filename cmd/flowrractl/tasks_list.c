/* SPDX-License-Identifier: MIT */
/* The verbs that list tasks by their state: pending, delayed, retrying,
 * running, completed and failed. One function and one table of options; what
 * differs is the state and the columns. */
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "manager/tasks.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

struct list_options {
	int limit, depth;
	struct task_filter filter;
	struct value_list args; /* of filter.args, as they were written */
};

/* 20 fit on a screen. The depth is what a filter may look at without --depth:
 * 20 pages of a queue. */
static void
list_init(void *options)
{
	struct list_options *o = options;

	o->limit = 20;
	o->depth = TASKS_DEPTH_STANDARD;
}

#define OPTION(...) VERB_OPTION(struct list_options, 0, __VA_ARGS__)

static const struct option_spec list_options[] = {
    VERB_OPTION(struct list_options, 'n', "limit", "N", INT, limit, 1, 100000,
		"list at most N; 20 by default"),
    OPTION("queue", "QUEUE", TEXT, filter.queue, 0, 0,
	   "only tasks of this queue"),
    OPTION("task", "NAME", TEXT, filter.task, 0, 0,
	   "only tasks with this name"),
    OPTION("worker", "WORKER", TEXT, filter.worker, 0, 0,
	   "only tasks that this worker has, or had"),
    OPTION("arg", "PATH=VALUE", LIST, args, 0, 0,
	   "only tasks with this argument: 0=x, user.id=42, kwargs.user.id=42"),
    OPTION("error", "TEXT", TEXT, filter.error, 0, 0,
	   "only tasks with this text in their error"),
    OPTION("reason", "WORD", TEXT, filter.reason, 0, 0,
	   "only tasks with this reason"),
    OPTION("exit-code", "N", TEXT, filter.exit_code, 0, 0,
	   "only tasks whose command ended with this exit code"),
    OPTION("after", "TIME", PAST, filter.after_us, 0, 0,
	   "only tasks later than this time, or duration ago"),
    OPTION("before", "TIME", PAST, filter.before_us, 0, 0,
	   "only tasks earlier than this time, or duration ago"),
    OPTION("depth", "N", INT, depth, 1, 100000000,
	   "search the N newest; 10000 by default"),
};

/* Shared with top (columns.h). For programs the order is part of the interface,
 * here and below: add new columns at the end. */
const struct column running_columns[N_RUNNING_COLUMNS] = {
    {"ID", "task_id", NULL, false},
    {"TASK", "task_name", NULL, false},
    {"QUEUE", "queue", NULL, false},
    {"WORKER", "worker", NULL, false},
    {"RETRIES", "retries", NULL, true},
    {"RUNNING", "started_at", cell_age, true},
};

static const struct column pending_columns[] = {
    {"ID", "task_id", NULL, false},
    {"TASK", "task_name", NULL, false},
    {"QUEUE", "queue", NULL, false},
    {"PRIORITY", "priority", NULL, true},
    {"SUBMITTED", "submitted_at", cell_time, false},
    {"DUE", "due_at", cell_time, false},
};

static const struct column retrying_columns[] = {
    {"ID", "task_id", NULL, false},	 {"TASK", "task_name", NULL, false},
    {"QUEUE", "queue", NULL, false},	 {"RETRIES", "retries", NULL, true},
    {"DUE", "due_at", cell_time, false}, {"ERROR", "error", NULL, false},
};

static const struct column completed_columns[] = {
    {"ID", "task_id", NULL, false},
    {"TASK", "task_name", NULL, false},
    {"QUEUE", "queue", NULL, false},
    {"FINISHED", "finished_at", cell_time, false},
    {"RETRIES", "retries", NULL, true},
    {"RESULT", "result", NULL, false},
};

static const struct column failed_columns[] = {
    {"ID", "task_id", NULL, false},
    {"TASK", "task_name", NULL, false},
    {"QUEUE", "queue", NULL, false},
    {"FINISHED", "finished_at", cell_time, false},
    {"REASON", "reason", NULL, false},
    {"ERROR", "error", NULL, false},
};

/* "user.id=42" as "args.user.id" and "42". The path is the caller's to free. */
static int
read_arg(const char *text, char **ret_path, const char **ret_value)
{
	const char *equals = strchr(text, '=');
	const bool whole =
	    strncmp(text, "args.", 5) == 0 || strncmp(text, "kwargs.", 7) == 0;
	const size_t len = equals != NULL ? (size_t)(equals - text) : 0;
	char *path;

	if (len == 0 || (path = malloc(len + sizeof("args."))) == NULL)
		return -1;
	path[0] = '\0';
	if (!whole)
		memcpy(path, "args.", sizeof("args."));
	strncat(path, text, len);
	*ret_path = path;
	*ret_value = equals + 1;
	return 0;
}

/* Reads the arguments of the filter. 0, or the exit status after a
 * complaint. */
static int
read_args(struct ctl *ctl, const struct list_options *o, char **paths,
	  struct task_arg *args)
{
	size_t i;

	if (o->args.n > TASK_FILTER_ARGS_MAX) {
		complain(ctl, "--arg given more than %d times",
			 TASK_FILTER_ARGS_MAX);
		return err_exit_status(ERR_USAGE);
	}
	for (i = 0; i < o->args.n; i++) {
		if (read_arg(o->args.items[i], &paths[i], &args[i].value) !=
		    0) {
			complain(ctl, "--arg \"%.64s\": not PATH=VALUE",
				 o->args.items[i]);
			return err_exit_status(ERR_DATA);
		}
		args[i].path = paths[i];
	}
	return 0;
}

/* Opens the client only now: mistakes in options cost no connection. */
static int
list_filtered(struct ctl *ctl, enum tasks_state state,
	      struct tasks_query *query, const struct column *columns, size_t n)
{
	struct err err = ERR_INIT;
	json_t *tasks;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	tasks = tasks_list(ctl->client, state, query, &err);
	if (tasks == NULL)
		return complain_of_err(ctl, &err);
	status = print_list(ctl, columns, n, tasks);
	/* Fewer than asked for, and there may be more: otherwise an empty
	 * answer would say that there are none. */
	if (query->stopped)
		complain(ctl,
			 "only the newest %zu were searched; --depth searches "
			 "more",
			 query->depth);
	return status;
}

/* Paths of --arg get their root here, and are freed here. */
static int
list(struct ctl *ctl, enum tasks_state state, const struct list_options *o,
     const struct column *columns, size_t n)
{
	char *paths[TASK_FILTER_ARGS_MAX] = {NULL};
	struct task_arg args[TASK_FILTER_ARGS_MAX];
	struct tasks_query query = {.filter = o->filter,
				    .limit = (size_t)o->limit,
				    .depth = (size_t)o->depth};
	int status = read_args(ctl, o, paths, args);
	size_t i;

	query.filter.args = args;
	query.filter.n_args = o->args.n;
	if (status == 0)
		status = list_filtered(ctl, state, &query, columns, n);
	for (i = 0; i < TASK_FILTER_ARGS_MAX; i++)
		free(paths[i]);
	return status;
}

/* A verb's run function has no argument of its own to tell the state by: so
 * each state has one. */
#define LIST(word, state, columns, text)                                       \
	static int run_##word(struct ctl *ctl, int argc, char **argv,          \
			      void *options)                                   \
	{                                                                      \
		(void)argc;                                                    \
		(void)argv;                                                    \
		return list(ctl, state, options, columns,                      \
			    sizeof(columns) / sizeof((columns)[0]));           \
	}                                                                      \
	const struct verb verb_tasks_##word = {                                \
	    .name = "tasks " #word,                                            \
	    .summary = (text),                                                 \
	    .usage = "[OPTION...]",                                            \
	    .options = list_options,                                           \
	    .n_options = sizeof(list_options) / sizeof(list_options[0]),       \
	    .options_size = sizeof(struct list_options),                       \
	    .init = list_init,                                                 \
	    .run = run_##word,                                                 \
	}

LIST(pending, TASKS_PENDING, pending_columns, "List waiting and delayed tasks");
LIST(delayed, TASKS_DELAYED, pending_columns,
     "List delayed tasks that were not tried yet");
LIST(retrying, TASKS_RETRYING, retrying_columns,
     "List failed tasks that will be retried");
LIST(running, TASKS_RUNNING, running_columns,
     "List the tasks that workers hold");
LIST(completed, TASKS_COMPLETED, completed_columns, "List successful tasks");
LIST(failed, TASKS_FAILED, failed_columns, "List failed tasks");
