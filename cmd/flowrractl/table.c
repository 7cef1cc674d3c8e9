/* SPDX-License-Identifier: MIT */
/* Tables from JSON. One description of columns serves a terminal (libsmartcols
 * draws it, and cuts the last column to the width), a program (tabs, no
 * header), and top, which draws into memory. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loaded/smartcols.h"
#include "module/dump.h"
#include "util/err.h"
#include "util/library.h"
#include "verb.h"

/* Most calls draw nothing. */
LIBRARY("tables", smartcols);

/* --- cells ------------------------------------------------------------- */

/* NULL where a member on the way is not there, or not an object: jansson takes
 * both. */
static const json_t *
follow(const json_t *object, const char *path)
{
	const char *dot;

	while ((dot = strchr(path, '.')) != NULL) {
		object = json_object_getn(object, path, (size_t)(dot - path));
		path = dot + 1;
	}
	return json_object_get(object, path);
}

/* 15 digits for what is printed as JSON, so that numbers are as a store has
 * them; %g for reals alone, which are durations of a person's size. */
static void
cell_plain(const json_t *value, struct buf *out)
{
	char *text;

	if (value == NULL || json_is_null(value)) {
		buf_addc(out, '-');
	} else if (json_is_string(value)) {
		buf_adds(out, json_string_value(value));
	} else if (json_is_real(value)) {
		buf_addf(out, "%g", json_real_value(value));
	} else {
		text = json_dumps(value, dump_flags(value));
		buf_adds(out, text != NULL ? text : "?");
		free(text);
	}
}

/* A cell's text, which the caller frees; NULL without memory. */
static char *
cell_of(const struct column *column, const json_t *row)
{
	const json_t *value = follow(row, column->path);
	struct buf out = BUF_INIT;

	if (column->format != NULL)
		column->format(value, &out);
	else
		cell_plain(value, &out);
	/* Never empty: awk and people count cells. */
	if (out.len == 0)
		buf_addc(&out, '-');
	if (out.failed) {
		buf_done(&out);
		return NULL;
	}
	mask_controls(out.data);
	return buf_take(&out);
}

/* --- for programs ------------------------------------------------------ */

/* No tab and no newline can be in a cell: cell_of() has masked them. -1 without
 * memory. */
static int
print_plain(const struct column *columns, size_t n, const json_t *rows)
{
	json_t *row;
	size_t i, k;
	char *text;

	json_array_foreach (rows, i, row) {
		for (k = 0; k < n; k++) {
			if ((text = cell_of(&columns[k], row)) == NULL)
				return -1;
			printf("%s%c", text, k + 1 == n ? '\n' : '\t');
			free(text);
		}
	}
	return 0;
}

/* --- for people -------------------------------------------------------- */

/* The line takes the text over; libsmartcols frees it with the table. */
static int
fill_line(struct libscols_line *line, const struct column *columns, size_t n,
	  const json_t *row)
{
	size_t k;
	char *text;

	for (k = 0; k < n; k++)
		if ((text = cell_of(&columns[k], row)) == NULL ||
		    scols_line_refer_data(line, k, text) != 0)
			return -1;
	return 0;
}

/* NULL without memory; scols_unref_table() it. */
static struct libscols_table *
make_table(const struct column *columns, size_t n, const json_t *rows)
{
	struct libscols_table *table = scols_new_table();
	struct libscols_line *line;
	json_t *row;
	size_t i;
	int flags;

	for (i = 0; i < n && table != NULL; i++) {
		/* Only the last column may be cut off: it is a text (an error,
		 * a result), the others are IDs and numbers, which are useless
		 * in part. */
		flags = columns[i].right ? SCOLS_FL_RIGHT
			: i + 1 == n	 ? SCOLS_FL_TRUNC
					 : 0;
		if (scols_table_new_column(table, columns[i].title, 0, flags) ==
		    NULL)
			goto fail;
	}
	json_array_foreach (rows, i, row)
		if (table == NULL ||
		    (line = scols_table_new_line(table, NULL)) == NULL ||
		    fill_line(line, columns, n, row) != 0)
			goto fail;
	return table;
fail:
	scols_unref_table(table);
	return NULL;
}

int
table_load(struct ctl *ctl)
{
	struct err err;

	return library_load(&library_smartcols, &err) == 0
		   ? 0
		   : complain_of_err(ctl, &err);
}

/* Where it is printed decides the form, not an option: `flowrractl queues | awk
 * …` works as it stands, and nobody has to ask for a header in a terminal. */
int
print_rows(struct ctl *ctl, const struct column *columns, size_t n,
	   const json_t *rows)
{
	struct libscols_table *table;
	int result = -1, status;

	if (!isatty(STDOUT_FILENO)) {
		result = print_plain(columns, n, rows);
	} else if ((status = table_load(ctl)) != 0) {
		return status;
	} else if ((table = make_table(columns, n, rows)) != NULL) {
		result = scols_print_table(table);
		scols_unref_table(table);
	}
	if (result == 0)
		return 0;
	complain(ctl, "cannot print the table: out of memory");
	return err_exit_status(ERR_SYSTEM);
}

int
print_list(struct ctl *ctl, const struct column *columns, size_t n,
	   json_t *rows)
{
	int status;

	if (ctl->globals.json) {
		print_json_line(rows);
		return 0;
	}
	status = print_rows(ctl, columns, n, rows);
	json_decref(rows);
	return status;
}

char *
draw_rows(const struct column *columns, size_t n, const json_t *rows,
	  size_t width)
{
	/* Drawn as if for a terminal of this width, whatever standard output
	 * is. */
	struct libscols_table *table = make_table(columns, n, rows);
	char *text = NULL;

	if (table == NULL)
		return NULL;
	scols_table_set_termforce(table, SCOLS_TERMFORCE_ALWAYS);
	scols_table_set_termwidth(table, width);
	if (scols_print_table_to_string(table, &text) != 0)
		text = NULL;
	scols_unref_table(table);
	return text;
}

/* --- members ----------------------------------------------------------- */

void
print_cell(const struct column *column, const json_t *object)
{
	char *text = cell_of(column, object);

	fputs(text != NULL ? text : "?", stdout);
	free(text);
}

/* 16 columns for names: the longest of a record is "submitted_at", with some
 * room. */
void
print_columns(const struct column *columns, size_t n, const json_t *object)
{
	size_t i;

	for (i = 0; i < n; i++) {
		/* That of a member is as a task, or who wrote it, has it. */
		print_masked(columns[i].title, 16);
		putchar(' ');
		print_cell(&columns[i], object);
		putchar('\n');
	}
}

void
print_members(const json_t *object)
{
	struct column column = {.title = NULL};
	json_t *one = json_object(), *value;
	const char *name;

	/* A member's name may have a dot in it. */
	json_object_foreach ((json_t *)object, name, value) {
		json_object_set(one, "value", value);
		column.title = name;
		column.path = "value";
		print_columns(&column, 1, one);
	}
	json_decref(one);
}
