/* SPDX-License-Identifier: MIT */
/* The lines of a tree, in UTF-8 or in ASCII. */
#include "branches.h"

#include <stdbool.h>

#include "manager/member.h"
#include "style.h"
#include "util/buf.h"

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

/* "│  └─ 0193": what leads to the row, and its name. */
static void
draw_branch(json_t *row, const char *name, struct branches *b)
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
	buf_adds(&text, member_text(row, name));
	if (!text.failed)
		json_object_set_new(row, "branch",
				    json_stringn(text.data, text.len));
	buf_done(&text);
}

/* From the last row up, since a row has to know what follows. */
void
branches_draw(json_t *rows, const char *name)
{
	struct branches b = {.goes_on = {false}};
	size_t i, k, depth;
	json_t *row;

	for (i = json_array_size(rows); i > 0; i--) {
		row = json_array_get(rows, i - 1);
		depth = drawn_depth(row);
		draw_branch(row, name, &b);
		b.goes_on[depth] = true;
		/* What is deeper hangs on a row above this one. */
		for (k = depth + 1; k <= DRAWN_MAX; k++)
			b.goes_on[k] = false;
	}
}
