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

/* What stands before a name, in UTF-8 and in ASCII. */
enum mark { GAP, LINE, BRANCH, LAST_BRANCH, CHAIN };
static const char *const marks[][2] = {
    [GAP] = {"   ", "   "},    [LINE] = {"│  ", "|  "},
    [BRANCH] = {"├─ ", "|- "}, [LAST_BRANCH] = {"└─ ", "`- "},
    [CHAIN] = {"↓ ", "> "},
};

static bool
is_chained(const json_t *row)
{
	return json_is_true(json_object_get(row, "chained"));
}

/* "│  └─ 0193", "│     ↓ 0194": what leads to the row, and its name. */
static void
draw_branch(json_t *row, const char *name, const struct branches *b)
{
	const int form = style_is_utf8() ? 0 : 1;
	const bool chained = is_chained(row);
	const size_t depth = drawn_depth(row);
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 1; i <= depth; i++)
		if (i == depth && !chained)
			buf_adds(
			    &text,
			    marks[b->goes_on[i] ? BRANCH : LAST_BRANCH][form]);
		else
			buf_adds(&text,
				 marks[b->goes_on[i] ? LINE : GAP][form]);
	if (chained)
		buf_adds(&text, marks[CHAIN][form]);
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
		/* A chain hangs on the branch of its first row. */
		if (!is_chained(row))
			b.goes_on[depth] = true;
		/* What is deeper hangs on a row above this one. */
		for (k = depth + 1; k <= DRAWN_MAX; k++)
			b.goes_on[k] = false;
	}
}
