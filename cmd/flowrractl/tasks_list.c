/* SPDX-License-Identifier: MIT */
/* The verbs that list tasks by their state: pending, running, completed and
 * failed. One function and one table of options; what differs is the state and
 * the columns. */
#include "columns.h"
#include "manager/tasks.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

struct list_options {
	int limit, depth;
	const char *queue, *task;
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
    OPTION("queue", "QUEUE", TEXT, queue, 0, 0, "only tasks of this queue"),
    OPTION("task", "NAME", TEXT, task, 0, 0, "only tasks with this name"),
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

static int
list(struct ctl *ctl, enum tasks_state state, const struct list_options *o,
     const struct column *columns, size_t n)
{
	struct tasks_query query = {
	    .filter = {.queue = o->queue, .task = o->task},
	    .limit = (size_t)o->limit,
	    .depth = (size_t)o->depth};
	struct err err = ERR_INIT;
	json_t *tasks;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	tasks = tasks_list(ctl->client, state, &query, &err);
	if (tasks == NULL)
		return complain_of_err(ctl, &err);
	status = print_list(ctl, columns, n, tasks);
	/* Fewer than asked for, and there may be more: otherwise an empty
	 * answer would say that there are none. */
	if (query.stopped)
		complain(
		    ctl,
		    "only the newest %d were searched; --depth searches more",
		    o->depth);
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
	    .usage = "[--limit N] [--queue QUEUE] [--task NAME]",              \
	    .options = list_options,                                           \
	    .n_options = sizeof(list_options) / sizeof(list_options[0]),       \
	    .options_size = sizeof(struct list_options),                       \
	    .init = list_init,                                                 \
	    .run = run_##word,                                                 \
	}

LIST(pending, TASKS_PENDING, pending_columns, "List waiting and delayed tasks");
LIST(running, TASKS_RUNNING, running_columns,
     "List the tasks that workers hold");
LIST(completed, TASKS_COMPLETED, completed_columns, "List successful tasks");
LIST(failed, TASKS_FAILED, failed_columns, "List failed tasks");
