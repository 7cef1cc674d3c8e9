/* SPDX-License-Identifier: MIT */
/* The command line and the input of one task. */
#ifndef EXEC_LINE_H
#define EXEC_LINE_H

#include "flowrra/module.h"
#include "module/shipped/exec/declared.h"
#include "util/buf.h"

struct err;

/* NULL-ended lists, and what else a command needs; all of it lies in `text`, or
 * outlives the line. */
struct line {
	char **argv;
	char **envp;
	const char *directory;	       /* NULL: the spawner's */
	const struct spawn_user *user; /* NULL: the spawner's */
	int mask;		       /* umask; -1: the spawner's */
	const char *lock;	       /* NULL: none; see lock.h */
	struct slice input;
	int input_fd; /* standard input instead, if > 0 */
	struct buf text;
};

/* -1 with *err, above all for an argument that the task does not have. */
int line_make(struct line *l, const struct declared *d,
	      struct flowrra_task *task, struct err *err);
void line_done(struct line *l);

/* Points to `n` strings that lie one behind the other; returns what follows. */
char *line_point(char **list, size_t n, char *text);
/* Appends the variables of the task itself, each with a NUL, with `trace` also those
 * of its trace, if it has one. Adds their number to *n. -1 with *err if something is
 * short. */
int line_add_task_variables(struct flowrra_task *task, bool trace,
			    struct buf *out, size_t *n, struct err *err);
/* Whether the name of a variable, as in "NAME" or "NAME=value", is one of those of
 * a trace, which say of which the process that has them is a part. */
bool line_is_of_trace(const char *name);

/*
 * The task as JSON, and a line break: {"id", "name", "args", "kwargs",
 * "attempt", "max_attempts", "time_left" (seconds)}; the last two are null
 * where there is no limit. Arguments are as they were written, but for line
 * breaks between them. Appended to `out`; check out->failed.
 */
void line_add_input(const struct flowrra_task *task, struct buf *out);

#endif
