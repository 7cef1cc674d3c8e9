/* SPDX-License-Identifier: MIT */
/* tasks show --tree: a task with those that it came from and that came from it. */
#include "show_tree.h"

#include <unistd.h>

#include "branches.h"
#include "manager/tasks.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

/* For programs the order is part of the interface: add new columns at the end. */
#define TREE_COLUMNS(id)                                                       \
	{                                                                      \
		{"ID", id, NULL, COLUMN_WHOLE},                                \
		    {"TASK", "task_name", NULL, 0},                            \
		    {"QUEUE", "queue", NULL, COLUMN_DROP(2)},                  \
		    {"STATUS", "status", NULL, COLUMN_STATE | COLUMN_WHOLE},   \
		    {"SUBMITTED", "submitted_at", cell_time,                   \
		     COLUMN_WHOLE | COLUMN_DROP(1)},                           \
		    {"PARENT", "parent", NULL, COLUMN_DROP(3)},                \
	}

int
show_tree(struct ctl *ctl, const char *id, size_t depth)
{
	static const struct column drawn[] = TREE_COLUMNS("branch");
	static const struct column plain[] = TREE_COLUMNS("task_id");
	const size_t n = sizeof(plain) / sizeof(plain[0]);
	const bool draws = !ctl->globals.json && isatty(STDOUT_FILENO) &&
			   ctl->globals.sort == NULL;
	struct tasks_tree tree = {.depth = depth};
	struct err err = ERR_INIT;
	json_t *rows = tasks_tree(ctl->client, id, &tree, &err);
	int status;

	if (rows == NULL)
		return complain_of_err(ctl, &err);
	if (draws)
		branches_draw(rows, "task_id");
	/* The parent is seen from where the task stands. */
	status =
	    print_list(ctl, draws ? drawn : plain, draws ? n - 1 : n, rows);
	if (tree.stopped)
		complain(ctl,
			 "tasks that are older than the newest %zu of each "
			 "list may be missing; see --depth",
			 depth);
	return status;
}
