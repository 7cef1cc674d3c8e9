/* SPDX-License-Identifier: MIT */
/* The command line and the input of one task. */
#ifndef EXEC_LINE_H
#define EXEC_LINE_H

#include "flowrra/module.h"
#include "module/shipped/exec/declared.h"
#include "util/buf.h"

struct err;

/* NULL-ended lists, and what they point to. */
struct line {
	char **argv;
	char **envp;
	struct buf text;
};

/* -1 with *err, above all for an argument that the task does not have. */
int line_make(struct line *l, const struct declared *d,
	      struct flowrra_task *task, struct err *err);
void line_done(struct line *l);

/*
 * The task as JSON, and a line break: {"id", "name", "args", "kwargs",
 * "attempt", "max_attempts", "time_left" (seconds)}; the last two are null
 * where there is no limit. Arguments are as they were written, but for line
 * breaks between them. free() it; NULL when memory runs out.
 */
char *line_input(const struct flowrra_task *task);

#endif
