/* SPDX-License-Identifier: MIT */
/* Tables from JSON. One description of columns serves a terminal (table_draw.h), a
 * program (tabs, no header), and top, which draws into memory. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "module/dump.h"
#include "style.h"
#include "table_draw.h"
#include "util/buf.h"
#include "util/err.h"
#include "verb.h"

/* --- cells ------------------------------------------------------------- */

/* jansson takes NULL, and what is not an object. */
const json_t *
follow_path(const json_t *object, const char *path)
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

char *
cell_of(const struct column *column, const json_t *row)
{
	const json_t *value = follow_path(row, column->path);
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

/* --- what is asked for --------------------------------------------------- */

/* The columns of a call, and its rows. */
struct table {
	const struct column *columns[COLUMNS_MAX];
	size_t n;
	json_t *rows;
};

/* By its title, in any case, or by the member's name, as --json has it. */
static const struct column *
find_column(const struct column *columns, size_t n, const char *name,
	    size_t len)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((strncasecmp(columns[i].title, name, len) == 0 &&
		     columns[i].title[len] == '\0') ||
		    (strncmp(columns[i].path, name, len) == 0 &&
		     columns[i].path[len] == '\0'))
			return &columns[i];
	return NULL;
}

static int
complain_of_column(struct ctl *ctl, const struct column *columns, size_t n,
		   const char *option, const char *name, size_t len)
{
	char known[512] = "";
	size_t i, used = 0;

	for (i = 0; i < n && used < sizeof(known); i++)
		used +=
		    (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
				     i > 0 ? ", " : "", columns[i].title);
	complain(ctl, "%s: unknown column \"%.*s\"; known: %s", option,
		 (int)(len < 64 ? len : 64), name, known);
	return err_exit_status(ERR_USAGE);
}

/* --columns. 0, or the exit status after a complaint. */
static int
choose_columns(struct ctl *ctl, const struct column *columns, size_t n,
	       struct table *t)
{
	const char *p = ctl->globals.columns;
	size_t len;

	for (t->n = 0; p == NULL && t->n < n; t->n++)
		t->columns[t->n] = &columns[t->n];
	while (p != NULL && t->n < COLUMNS_MAX) {
		len = strcspn(p, ",");
		t->columns[t->n] = find_column(columns, n, p, len);
		if (t->columns[t->n++] == NULL)
			return complain_of_column(ctl, columns, n, "--columns",
						  p, len);
		p = p[len] == ',' ? p + len + 1 : NULL;
	}
	return 0;
}

/* Numbers by their size, all else by its text; what is not there comes first. */
static int
compare_values(const json_t *a, const json_t *b)
{
	const double x = json_number_value(a), y = json_number_value(b);

	if (json_is_number(a) && json_is_number(b))
		return (x > y) - (x < y);
	if (!json_is_string(a) || !json_is_string(b))
		return json_is_string(a) - json_is_string(b);
	return strcmp(json_string_value(a), json_string_value(b));
}

struct order {
	const struct column *by;
	bool reverse;
};

struct sorted {
	json_t *row;
	size_t at; /* for rows that are equal to keep their order */
};

static int
compare_rows(const void *a, const void *b, void *arg)
{
	const struct sorted *x = a, *y = b;
	const struct order *order = arg;
	const int how = compare_values(follow_path(x->row, order->by->path),
				       follow_path(y->row, order->by->path));

	if (how == 0)
		return (x->at > y->at) - (x->at < y->at);
	return order->reverse ? -how : how;
}

/* A new array; NULL without memory. */
static json_t *
sorted_rows(const json_t *rows, struct order *order)
{
	const size_t n = json_array_size(rows);
	struct sorted *all = calloc(n + 1, sizeof(*all));
	json_t *list = json_array();
	size_t i;

	for (i = 0; all != NULL && i < n; i++)
		all[i] = (struct sorted){json_array_get(rows, i), i};
	if (all != NULL)
		qsort_r(all, n, sizeof(*all), compare_rows, order);
	for (i = 0; all != NULL && i < n; i++)
		json_array_append(list, all[i].row);
	if (all == NULL) {
		json_decref(list);
		list = NULL;
	}
	free(all);
	return list;
}

/* --sort; a "-" before the name turns it round. The array is a new one, or one
 * more reference. */
static int
sort_rows(struct ctl *ctl, const struct column *columns, size_t n, json_t *rows,
	  json_t **ret)
{
	const char *name = ctl->globals.sort;
	struct order order = {.reverse = name != NULL && *name == '-'};

	if (name == NULL) {
		*ret = json_incref(rows);
		return 0;
	}
	name += order.reverse;
	order.by = find_column(columns, n, name, strlen(name));
	if (order.by == NULL)
		return complain_of_column(ctl, columns, n, "--sort", name,
					  strlen(name));
	if ((*ret = sorted_rows(rows, &order)) != NULL)
		return 0;
	complain(ctl, "out of memory");
	return err_exit_status(ERR_SYSTEM);
}

/* --- for programs -------------------------------------------------------- */

/* No tab and no newline can be in a cell: cell_of() has masked them. -1 without
 * memory. */
static int
print_plain(const struct table *t)
{
	json_t *row;
	size_t i, k;
	char *text;

	json_array_foreach (t->rows, i, row) {
		for (k = 0; k < t->n; k++) {
			if ((text = cell_of(t->columns[k], row)) == NULL)
				return -1;
			printf("%s%c", text, k + 1 == t->n ? '\n' : '\t');
			free(text);
		}
	}
	return 0;
}

/* --- for people ---------------------------------------------------------- */

static int
print_drawn(const struct ctl *ctl, const struct table *t, struct err *err)
{
	const struct globals *g = &ctl->globals;
	const struct drawing d = {.columns = t->columns,
				  .n_columns = t->n,
				  .rows = t->rows,
				  .width = g->wide ? 0 : style_columns(),
				  .headers = !g->no_headers,
				  .color =
				      style_has_color(g->color, STDOUT_FILENO)};
	struct buf out = BUF_INIT;
	int result;

	cells_relative(!g->absolute);
	if ((result = table_draw(&d, &out, err)) == 0 && out.len > 0)
		fwrite(out.data, 1, out.len, stdout);
	cells_relative(false);
	buf_done(&out);
	return result;
}

/* Where it is printed decides the form, not an option: `flowrractl queues | awk
 * …` works as it stands, and nobody has to ask for a header in a terminal. */
int
print_rows(struct ctl *ctl, const struct column *columns, size_t n,
	   const json_t *rows)
{
	struct table t = {.n = 0};
	struct err err = {.code = ERR_SYSTEM, .msg = "out of memory"};
	int status, result;

	if ((status = choose_columns(ctl, columns, n, &t)) != 0 ||
	    (status = sort_rows(ctl, columns, n, (json_t *)rows, &t.rows)) != 0)
		return status;
	result = isatty(STDOUT_FILENO) ? print_drawn(ctl, &t, &err)
				       : print_plain(&t);
	json_decref(t.rows);
	if (result == 0)
		return 0;
	complain(ctl, "cannot print the table: %s", err.msg);
	return err_exit_status(err.code);
}

int
print_list(struct ctl *ctl, const struct column *columns, size_t n,
	   json_t *rows)
{
	json_t *sorted = NULL;
	int status;

	if (ctl->globals.json) {
		status = sort_rows(ctl, columns, n, rows, &sorted);
		if (status == 0)
			print_json_line(sorted);
	} else {
		status = print_rows(ctl, columns, n, rows);
	}
	json_decref(rows);
	return status;
}

char *
draw_rows(const struct column *columns, size_t n, const json_t *rows,
	  size_t width, struct err *err)
{
	const struct column *all[COLUMNS_MAX];
	const struct drawing d = {.columns = all,
				  .n_columns = n,
				  .rows = rows,
				  .width = width,
				  .headers = true};
	struct buf out = BUF_INIT;
	size_t i;

	for (i = 0; i < n; i++)
		all[i] = &columns[i];
	if (table_draw(&d, &out, err) == 0 && out.len > 0)
		return buf_take(&out);
	buf_done(&out);
	return NULL;
}

/* --- members ----------------------------------------------------------- */

void
add_cell(const struct column *column, const json_t *object, struct buf *out)
{
	char *text = cell_of(column, object);

	buf_adds(out, text != NULL ? text : "?");
	free(text);
}

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
