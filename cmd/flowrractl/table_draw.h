/* SPDX-License-Identifier: MIT */
/* Drawing tables: columns that are aligned, and fit into a width. */
#ifndef FLOWRRACTL_TABLE_DRAW_H
#define FLOWRRACTL_TABLE_DRAW_H

#include <stdbool.h>
#include <stddef.h>

#include "table.h"

struct buf;
struct err;

struct drawing {
	const struct column *const *columns;
	size_t n_columns; /* COLUMNS_MAX at most */
	const json_t *rows;
	size_t width; /* 0: as wide as it is */
	bool headers, color;
};

/*
 * Appends lines. What does not fit is cut: first texts, down to a width in which
 * they still tell something; then columns are left out, those first that say most
 * of themselves that they may be (COLUMN_DROP), then the last ones; then the rest
 * of a line. The first column, which names the row, is the last to be cut. 0, or
 * -1 with *err: libsmartcols is not installed, or there is no memory.
 */
int table_draw(const struct drawing *drawing, struct buf *out, struct err *err);

#endif
