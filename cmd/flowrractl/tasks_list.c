/* SPDX-License-Identifier: MIT */
/* The verbs that list tasks by their state: pending, delayed, retrying,
 * running, completed and failed, and tasks, which lists all that have not ended.
 * One function and one table of options; what differs are the states and the
 * columns. */
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "gateway.h"
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
    {"ID", "task_id", NULL, COLUMN_WHOLE},
    {"TASK", "task_name", NULL, 0},
    {"QUEUE", "queue", NULL, COLUMN_DROP(2)},
    {"WORKER", "worker", NULL, 0},
    {"RETRIES", "retries", NULL, COLUMN_RIGHT | COLUMN_DROP(1)},
    {"RUNNING", "started_at", cell_age, COLUMN_RIGHT},
};

static const struct column pending_columns[] = {
    {"ID", "task_id", NULL, COLUMN_WHOLE},
    {"TASK", "task_name", NULL, 0},
    {"QUEUE", "queue", NULL, 0},
    {"PRIORITY", "priority", NULL, COLUMN_RIGHT | COLUMN_DROP(2)},
    {"SUBMITTED", "submitted_at", cell_time, COLUMN_WHOLE | COLUMN_DROP(1)},
    {"DUE", "due_at", cell_time, COLUMN_WHOLE},
    {"AFTER", "after", cell_list, COLUMN_DROP(3)},
    {"LIMIT", "limit", NULL, COLUMN_DROP(4)},
};

static const struct column retrying_columns[] = {
    {"ID", "task_id", NULL, COLUMN_WHOLE},
    {"TASK", "task_name", NULL, 0},
    {"QUEUE", "queue", NULL, COLUMN_DROP(2)},
    {"RETRIES", "retries", NULL, COLUMN_RIGHT | COLUMN_DROP(1)},
    {"DUE", "due_at", cell_time, COLUMN_WHOLE},
    {"ERROR", "error", NULL, 0},
};

static const struct column completed_columns[] = {
    {"ID", "task_id", NULL, COLUMN_WHOLE},
    {"TASK", "task_name", NULL, 0},
    {"QUEUE", "queue", NULL, COLUMN_DROP(2)},
    {"FINISHED", "finished_at", cell_time, COLUMN_WHOLE | COLUMN_DROP(1)},
    {"RETRIES", "retries", NULL, COLUMN_RIGHT | COLUMN_DROP(3)},
    {"RESULT", "result", NULL, 0},
};

static const struct column failed_columns[] = {
    {"ID", "task_id", NULL, COLUMN_WHOLE},
    {"TASK", "task_name", NULL, 0},
    {"QUEUE", "queue", NULL, COLUMN_DROP(2)},
    {"FINISHED", "finished_at", cell_time, COLUMN_WHOLE | COLUMN_DROP(1)},
    {"REASON", "reason", NULL, COLUMN_WHOLE | COLUMN_DROP(3)},
    {"ERROR", "error", NULL, 0},
};

/* When it began, is due, or was submitted: what a person wants to know of a task
 * in its state; of one that waits for others, for which. */
static const struct column unfinished_columns[] = {
    {"ID", "task_id", NULL, COLUMN_WHOLE},
    {"TASK", "task_name", NULL, 0},
    {"QUEUE", "queue", NULL, COLUMN_DROP(1)},
    {"STATE", "state", NULL, COLUMN_STATE | COLUMN_WHOLE},
    {"AT", "at", cell_time, COLUMN_WHOLE},
    {"WORKER", "worker", NULL, COLUMN_DROP(2)},
    {"AFTER", "after", cell_list, COLUMN_DROP(3)},
};

/* What a list has: the tasks of these states, one after the other. */
struct listing {
	enum tasks_state states[2];
	size_t n_states;
	const struct column *columns;
	size_t n_columns;
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

/* Says in which state a task is, and since when or until when: one that has a
 * time to come is delayed. */
static void
add_state(json_t *task, bool running)
{
	const json_t *due = json_object_get(task, "due_at");
	const bool delayed = !running && json_is_string(due);
	const bool held = !running && json_object_get(task, "after") != NULL;
	const char *at = running   ? "started_at"
			 : delayed ? "due_at"
				   : "submitted_at";
	json_t *time = json_object_get(task, at);

	json_object_set_new(task, "state",
			    json_string(running	  ? "running"
					: delayed ? "delayed"
					: held	  ? "held"
						  : "waiting"));
	json_object_set_new(task, "at",
			    time != NULL ? json_incref(time) : json_null());
}

/* What waits and what is delayed are two lists of the server, and so is what is to be
 * retried. NULL with *err. */
static json_t *
list_through_gateway(struct ctl *ctl, enum tasks_state state,
		     struct tasks_query *query, struct err *err)
{
	static const char *const names[][4] = {
	    [TASKS_PENDING] = {"pending", "delayed", "retrying", NULL},
	    [TASKS_WAITING] = {"pending", NULL},
	    [TASKS_DELAYED] = {"delayed", NULL},
	    [TASKS_RETRYING] = {"retrying", NULL},
	    [TASKS_RUNNING] = {"running", NULL},
	    [TASKS_COMPLETED] = {"success", NULL},
	    [TASKS_FAILED] = {"failed", NULL}};
	struct tasks_query q = *query;
	json_t *all = json_array(), *some;
	size_t i;

	for (i = 0; names[state][i] != NULL && q.limit > 0; i++) {
		some = gateway_list(ctl->gateway, names[state][i], &q, err);
		if (some == NULL) {
			json_decref(all);
			return NULL;
		}
		query->stopped |= q.stopped;
		q.limit -= json_array_size(some);
		json_array_extend(all, some);
		json_decref(some);
	}
	return all;
}

/* Queue and task are what the gateway filters by. */
static int
check_filter(const struct ctl *ctl, const struct task_filter *f,
	     struct err *err)
{
	return f->worker == NULL && f->error == NULL && f->reason == NULL &&
		       f->exit_code == NULL && f->after_us == 0 &&
		       f->before_us == 0 && f->n_args == 0
		   ? 0
		   : ctl_need_store(ctl, "filters but --queue and --task", err);
}

/* Several states are told apart by a member; the limit is one for all of them.
 * NULL with *err. */
static json_t *
ask(struct ctl *ctl, const struct listing *l, struct tasks_query *query,
    struct err *err)
{
	json_t *all = json_array(), *some, *task;
	bool stopped = false;
	size_t i, k;

	for (i = 0; i < l->n_states && query->limit > 0; i++) {
		some = ctl->gateway != NULL
			   ? list_through_gateway(ctl, l->states[i], query, err)
			   : tasks_list(ctl->client, l->states[i], query, err);
		if (some == NULL) {
			json_decref(all);
			return NULL;
		}
		stopped |= query->stopped;
		query->limit -= json_array_size(some);
		json_array_foreach (some, k, task)
			if (l->n_states > 1)
				add_state(task, l->states[i] == TASKS_RUNNING);
		json_array_extend(all, some);
		json_decref(some);
	}
	query->stopped = stopped;
	return all;
}

/* Opens the client only now: mistakes in options cost no connection. */
static int
list_filtered(struct ctl *ctl, const struct listing *l,
	      struct tasks_query *query)
{
	struct err err = ERR_INIT;
	json_t *tasks;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	if (check_filter(ctl, &query->filter, &err) != 0 ||
	    (tasks = ask(ctl, l, query, &err)) == NULL)
		return complain_of_err(ctl, &err);
	status = print_list(ctl, l->columns, l->n_columns, tasks);
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
list(struct ctl *ctl, const struct listing *l, const struct list_options *o)
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
		status = list_filtered(ctl, l, &query);
	for (i = 0; i < TASK_FILTER_ARGS_MAX; i++)
		free(paths[i]);
	return status;
}

#define LIST_OF(columns, ...)                                                  \
	{                                                                      \
		{__VA_ARGS__},                                                 \
		    sizeof((enum tasks_state[]){__VA_ARGS__}) /                \
			sizeof(enum tasks_state),                              \
		    columns, sizeof(columns) / sizeof((columns)[0])            \
	}

/* A verb's run function has no argument of its own to tell the states by: so
 * each list has one. */
#define LIST(word, verb_name, short_name, text, ...)                           \
	static int run_##word(struct ctl *ctl, int argc, char **argv,          \
			      void *options)                                   \
	{                                                                      \
		static const struct listing listing = LIST_OF(__VA_ARGS__);    \
                                                                               \
		(void)argc;                                                    \
		(void)argv;                                                    \
		return list(ctl, &listing, options);                           \
	}                                                                      \
	const struct verb verb_##word = {                                      \
	    .name = (verb_name),                                               \
	    .alias = (short_name),                                             \
	    .summary = (text),                                                 \
	    .usage = "[OPTION...]",                                            \
	    .options = list_options,                                           \
	    .n_options = sizeof(list_options) / sizeof(list_options[0]),       \
	    .options_size = sizeof(struct list_options),                       \
	    .init = list_init,                                                 \
	    .looks = true,                                                     \
	    .gateway = true,                                                   \
	    .run = run_##word,                                                 \
	}

LIST(tasks, "tasks", "ls", "List running tasks, then waiting and delayed ones",
     unfinished_columns, TASKS_RUNNING, TASKS_PENDING);
LIST(tasks_pending, "tasks pending", NULL, "List waiting and delayed tasks",
     pending_columns, TASKS_PENDING);
LIST(tasks_delayed, "tasks delayed", NULL,
     "List delayed tasks that were not tried yet", pending_columns,
     TASKS_DELAYED);
LIST(tasks_retrying, "tasks retrying", NULL,
     "List failed tasks that will be retried", retrying_columns,
     TASKS_RETRYING);
LIST(tasks_running, "tasks running", "ps", "List the tasks that workers hold",
     running_columns, TASKS_RUNNING);
LIST(tasks_completed, "tasks completed", NULL, "List successful tasks",
     completed_columns, TASKS_COMPLETED);
LIST(tasks_failed, "tasks failed", NULL, "List failed tasks", failed_columns,
     TASKS_FAILED);
