/* SPDX-License-Identifier: MIT */
/*
 * Which tasks are meant, of those that wait, run, have ended, or are dead.
 *
 * What a filter says may come from a person or a browser, and what it is held
 * against from anybody: both may be anything, and neither costs more than a
 * look at the task's own bytes.
 */
#ifndef MANAGER_TASK_FILTER_H
#define MANAGER_TASK_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "store/admin.h"

struct err;
struct task;

/*
 * An argument that must have a value. The path is "kwargs.user.id", "args.0.id",
 * or "args.user.id": the first part names a keyword, or the number of a
 * positional argument; "args." with a name means a keyword, or a member of any
 * positional one. A value is compared as text where it is a string, else as the
 * JSON that it is.
 */
struct task_arg {
	const char *path;
	const char *value;
};
#define TASK_FILTER_ARGS_MAX 16
/* Of a path, and of each text, in bytes: longer ones are of no use. */
#define TASK_FILTER_TEXT_MAX 1024

/* NULL and 0 are any; all that is said must hold. */
struct task_filter {
	const char *queue;
	const char *task;
	const char *worker;
	const char *error;     /* a part of the error's text */
	const char *reason;    /* crashed, timeout, failed, … */
	const char *exit_code; /* of a command, in digits */
	const char *root;      /* with this ID, or that one's child's child */
	/* Between these: when it was submitted (waiting), is due (delayed), was
	 * begun (running), has finished, or died. */
	int64_t after_us, before_us;
	const struct task_arg *args;
	size_t n_args;
	/*
	 * Changes {"args", "kwargs"} or {"error"} to what the asker may see of
	 * it: arguments and errors match by that alone, for else the answers to
	 * guesses would tell what is hidden. NULL: all may be seen.
	 */
	void (*show)(json_t *value, void *arg);
	void *show_arg;
};

/* ERR_DATA, with what is wrong, if it can match nothing. */
int task_filter_check(const struct task_filter *filter, struct err *err);
/* Whether it matches all tasks of its queue. */
bool task_filter_is_any(const struct task_filter *filter);
/* The same text for the same filter, and most likely another for another. */
uint64_t task_filter_hash(const struct task_filter *filter, uint64_t seed);

/* By what the task itself says, and its worker: name, arguments. */
bool task_filter_item(const struct task_filter *filter,
		      const struct broker_item *item);
/* By an info, or a record: worker, reason and error; and by its member `time`
 * (NULL: not). */
bool task_filter_info(const struct task_filter *filter, const json_t *info,
		      const char *time);
/* By a time. */
bool task_filter_time(const struct task_filter *filter, int64_t time_us);
/* A final record; *ret_finished_us is when (0: it does not say). */
bool task_filter_record(const struct task_filter *filter, struct slice record,
			int64_t *ret_finished_us);

#endif
