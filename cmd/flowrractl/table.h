/* SPDX-License-Identifier: MIT */
/*
 * Tables from JSON: columns are data. On a terminal they are drawn; elsewhere
 * the cells of a row have tabs between and there is no header, for programs.
 * Control characters are masked: what tasks say must not steer a terminal.
 */
#ifndef FLOWRRACTL_TABLE_H
#define FLOWRRACTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "util/buf.h"

struct ctl;
struct err;

/* Appends a cell; `value` is what the path leads to, NULL if it is not there.
 */
typedef void cell_fn(const json_t *value, struct buf *out);

/* How a column is drawn where the terminal is too narrow for all of them. */
#define COLUMN_RIGHT 1u /* it is a number, to the right, and never cut */
#define COLUMN_STATE 2u /* a word that has a colour */
#define COLUMN_WHOLE 4u /* never cut */
#define COLUMN_DROP(n)                                                         \
	((unsigned int)(n) << 4) /* left out, the highest first */
#define COLUMN_RANK(how) ((how) >> 4)

/* More than any verb has. */
#define COLUMNS_MAX 32

struct column {
	const char *title;
	const char *path; /* a member, or "member.member" */
	cell_fn *format;  /* NULL: texts bare, null as "-", else JSON */
	unsigned int how; /* COLUMN_…; 0: a text */
};

/* `rows` is an array of objects. What --columns, --sort and the like say is obeyed.
 * Returns the exit status. */
int print_rows(struct ctl *ctl, const struct column *columns, size_t n,
	       const json_t *rows);
/* The same for a list that a verb answers with, or with --json the list itself
 * as one line. Takes the list. */
int print_list(struct ctl *ctl, const struct column *columns, size_t n,
	       json_t *rows);
/* Drawn into memory in `width` columns: lines, which the caller frees. NULL with
 * *err, as table_draw() says. */
char *draw_rows(const struct column *columns, size_t n, const json_t *rows,
		size_t width, struct err *err);

/* What a path leads to; NULL where a member on the way is not there, or is not an
 * object. */
const json_t *follow_path(const json_t *object, const char *path);
/* A cell's text, masked and never empty, which the caller frees; NULL without
 * memory. */
char *cell_of(const struct column *column, const json_t *row);
/* Appends one cell alone, masked. */
void add_cell(const struct column *column, const json_t *object,
	      struct buf *out);

/* One cell alone. */
void print_cell(const struct column *column, const json_t *object);

/* One member a line: its name, and the value as a cell. */
void print_members(const json_t *object);
/* The same as a table says. */
void print_columns(const struct column *columns, size_t n,
		   const json_t *object);

/* --- formats ----------------------------------------------------------- */

/* To the second; or, after cells_relative(true), from now: "3m ago", "in 2h". */
void cell_time(const json_t *value, struct buf *out);
void cells_relative(bool on);
/* The same; but else as it stands, in its own zone. */
void cell_when(const json_t *value, struct buf *out);
void cell_age(const json_t *value, struct buf *out);	  /* since a time */
void cell_duration(const json_t *value, struct buf *out); /* of seconds */
void cell_bytes(const json_t *value, struct buf *out);	  /* 12.5M */
void cell_list(const json_t *value, struct buf *out);	  /* a, b */
void cell_paused(const json_t *value, struct buf *out);
void cell_slots(const json_t *value, struct buf *out); /* 1/4 io, … */

#endif
