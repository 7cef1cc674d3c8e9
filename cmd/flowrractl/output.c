/* SPDX-License-Identifier: MIT */
/* What all verbs print: complaints, JSON and tables. */
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "codec/scan.h"
#include "flowrra/client.h"
#include "util/buf.h"
#include "util/err.h"
#include "verb.h"

int
ctl_open(struct ctl *ctl)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_error error;

	options.config_file = ctl->globals.config_file;
	options.settings = ctl->globals.settings.items;
	if (flowrra_open(&options, &ctl->client, &error) == 0)
		return 0;
	return complain_of(ctl, &error);
}

void
complain(struct ctl *ctl, const char *fmt, ...)
{
	char line[2048];
	va_list ap;
	char *p;

	if (ctl->globals.quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* A task's error text, or a file's, must not steer the terminal. */
	for (p = line; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = *p == '\n' || *p == '\t' ? ' ' : '?';
	/* Answers come before the complaint that follows them. */
	fflush(stdout);
	if (ctl->verb != NULL)
		fprintf(stderr, "flowrractl: %s: %s\n", ctl->verb->name, line);
	else
		fprintf(stderr, "flowrractl: %s\n", line);
}

int
complain_of(struct ctl *ctl, const struct flowrra_error *error)
{
	complain(ctl, "%s", error->message);
	return error->code;
}

void
print_compact(const char *json)
{
	bool in_string = false;

	for (; *json != '\0'; json++) {
		if (!in_string && strchr(" \t\r\n", *json) != NULL)
			continue;
		putchar(*json);
		if (in_string && *json == '\\' && json[1] != '\0')
			putchar(*++json);
		else if (*json == '"')
			in_string = !in_string;
	}
}

void
print_quoted(const char *text)
{
	struct buf out = BUF_INIT;

	scan_quote(&out, slice_of(text));
	if (out.data != NULL)
		fwrite(out.data, 1, out.len, stdout);
	buf_done(&out);
}

/* --- tables ------------------------------------------------------------ */

static void
print_plain(const char *const *cells, size_t n_columns, size_t n_rows)
{
	size_t i;

	for (i = 0; i < n_rows * n_columns; i++)
		printf("%s%c", cells[i] != NULL ? cells[i] : "",
		       (i + 1) % n_columns == 0 ? '\n' : '\t');
}

static int
fill_table(struct libscols_table *table, const char *const *columns,
	   size_t n_columns, const char *const *cells, size_t n_rows)
{
	struct libscols_line *line;
	size_t row, i;

	for (i = 0; i < n_columns; i++)
		if (scols_table_new_column(table, columns[i], 0,
					   i + 1 == n_columns ? SCOLS_FL_TRUNC
							      : 0) == NULL)
			return -1;
	for (row = 0; row < n_rows; row++) {
		if ((line = scols_table_new_line(table, NULL)) == NULL)
			return -1;
		for (i = 0; i < n_columns; i++)
			if (scols_line_set_data(
				line, i, cells[row * n_columns + i]) != 0)
				return -1;
	}
	return 0;
}

int
print_table(const char *const *columns, size_t n_columns,
	    const char *const *cells, size_t n_rows)
{
	struct libscols_table *table;
	int result = -1;

	if (!isatty(STDOUT_FILENO)) {
		print_plain(cells, n_columns, n_rows);
		return 0;
	}
	if ((table = scols_new_table()) != NULL &&
	    fill_table(table, columns, n_columns, cells, n_rows) == 0 &&
	    scols_print_table(table) == 0)
		result = 0;
	scols_unref_table(table);
	return result;
}
