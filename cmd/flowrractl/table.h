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

/* Appends a cell; `value` is what the path leads to, NULL if it is not there.
 */
typedef void cell_fn(const json_t *value, struct buf *out);

struct column {
	const char *title;
	const char *path; /* a member, or "member.member" */
	cell_fn *format;  /* NULL: texts bare, null as "-", else JSON */
	bool right;	  /* aligned so: it is a number */
};

/* `rows` is an array of objects. Returns the exit status. */
int print_rows(struct ctl *ctl, const struct column *columns, size_t n,
	       const json_t *rows);
/* The same for a list that a verb answers with, or with --json the list itself
 * as one line. Takes the list. */
int print_list(struct ctl *ctl, const struct column *columns, size_t n,
	       json_t *rows);
/* Drawn into memory in `width` columns: lines, which the caller
 * frees. NULL without memory. Not before table_load(). */
char *draw_rows(const struct column *columns, size_t n, const json_t *rows,
		size_t width);

/* Loads what draws tables. 0, or the exit status. */
int table_load(struct ctl *ctl);

/* One cell alone. */
void print_cell(const struct column *column, const json_t *object);

/* One member a line: its name, and the value as a cell. */
void print_members(const json_t *object);
/* The same as a table says. */
void print_columns(const struct column *columns, size_t n,
		   const json_t *object);

/* --- formats ----------------------------------------------------------- */

void cell_time(const json_t *value, struct buf *out);	  /* to the second */
void cell_age(const json_t *value, struct buf *out);	  /* since a time */
void cell_duration(const json_t *value, struct buf *out); /* of seconds */
void cell_bytes(const json_t *value, struct buf *out);	  /* 12.5M */
void cell_list(const json_t *value, struct buf *out);	  /* a, b */
void cell_paused(const json_t *value, struct buf *out);
void cell_slots(const json_t *value, struct buf *out); /* 1/4 io, … */

#endif
