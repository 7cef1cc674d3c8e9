/* SPDX-License-Identifier: MIT */
/* tasks show --tree: a task with those that it came from and that came from it. */
#include "show_tree.h"

#include <string.h>
#include <unistd.h>

#include "manager/member.h"
#include "manager/tasks.h"
#include "style.h"
#include "table.h"
#include "util/buf.h"
#include "util/err.h"
#include "verb.h"

/* Deeper ones are drawn as if they were here: a line has an end. */
#define DRAWN_MAX 16

/* Where a branch goes on below the row that is drawn, by depth. */
struct branches {
	bool goes_on[DRAWN_MAX + 1];
};

static size_t
drawn_depth(const json_t *row)
{
	const json_int_t depth =
	    json_integer_value(json_object_get(row, "depth"));

	return depth < DRAWN_MAX ? (size_t)depth : DRAWN_MAX;
}

/* "│  └─ 0193": what leads to the task, and its ID. */
static void
draw_branch(json_t *row, struct branches *b)
{
	const bool utf8 = style_is_utf8();
	const size_t depth = drawn_depth(row);
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 1; i < depth; i++)
		buf_adds(&text, !b->goes_on[i] ? "   " : utf8 ? "│  " : "|  ");
	if (depth > 0 && b->goes_on[depth])
		buf_adds(&text, utf8 ? "├─ " : "|- ");
	else if (depth > 0)
		buf_adds(&text, utf8 ? "└─ " : "`- ");
	buf_adds(&text, member_text(row, "task_id"));
	if (!text.failed)
		json_object_set_new(row, "branch",
				    json_stringn(text.data, text.len));
	buf_done(&text);
}

/* From the last row up, since a row has to know what follows. */
static void
draw_branches(json_t *rows)
{
	struct branches b = {.goes_on = {false}};
	size_t i, k, depth;
	json_t *row;

	for (i = json_array_size(rows); i > 0; i--) {
		row = json_array_get(rows, i - 1);
		depth = drawn_depth(row);
		draw_branch(row, &b);
		b.goes_on[depth] = true;
		/* What is deeper hangs on a row above this one. */
		for (k = depth + 1; k <= DRAWN_MAX; k++)
			b.goes_on[k] = false;
	}
}

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
		draw_branches(rows);
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
