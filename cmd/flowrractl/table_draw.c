/* SPDX-License-Identifier: MIT */
/* Drawing tables: libsmartcols measures, aligns and colours. What goes where the
 * terminal is too narrow is decided here: the library cuts short names before long
 * texts, marks no cut, and does not know which columns matter. */
#include "table_draw.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loaded/smartcols.h"
#include "style.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/library.h"

LIBRARY("tables", smartcols);

#define GAP "  "
/* A text that is cut to less says nothing any more; the last column is one that
 * people read, an error or a result. */
#define TEXT_LEAST 8
#define LAST_LEAST 16

/* A column that is shown. */
struct shown {
	const struct column *column;
	struct libscols_column *drawn;
	size_t cell; /* its number in a line, whatever was left out */
	size_t width, least;
};

struct layout {
	const struct drawing *d;
	struct libscols_table *table;
	struct shown shown[COLUMNS_MAX];
	size_t n;
};

/* --- the table ----------------------------------------------------------- */

/* What a terminal without UTF-8 would show as something else becomes "?". */
static void
make_ascii(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++)
		if (((unsigned char)*text & 0xc0) != 0x80)
			*to++ = (unsigned char)*text < 0x80 ? *text : '?';
	*to = '\0';
}

/* A copy, which ends in a mark if it was cut. */
static char *
cut_text(const char *text, size_t width)
{
	char *cut;
	size_t len;

	style_width(text, width, &len);
	if (text[len] == '\0')
		return strdup(text);
	style_width(text, width - 1, &len);
	return asprintf(&cut, "%.*s%s", (int)len, text,
			style_is_utf8() ? "\xe2\x80\xa6" : "+") < 0
		   ? NULL
		   : cut;
}

/* Of a row, or of a line with all columns in full. */
static char *
drawn_text(const struct shown *s, const json_t *row, struct libscols_line *full)
{
	char *text;

	if (full != NULL)
		return cut_text(
		    scols_cell_get_data(scols_line_get_cell(full, s->cell)),
		    s->width);
	text = cell_of(s->column, row);
	if (text != NULL && !style_is_utf8())
		make_ascii(text);
	return text;
}

/* The line takes the texts over. */
static int
add_drawn_line(struct layout *l, const json_t *row, struct libscols_line *full)
{
	struct libscols_line *line = scols_table_new_line(l->table, NULL);
	const char *color;
	char *text;
	size_t i;

	for (i = 0; line != NULL && i < l->n; i++) {
		if ((text = drawn_text(&l->shown[i], row, full)) == NULL ||
		    scols_line_refer_data(line, i, text) != 0)
			return -1;
		color = style_of_word(text);
		if ((l->shown[i].column->how & COLUMN_STATE) && *color != '\0')
			scols_cell_set_color(scols_line_get_cell(line, i),
					     color);
	}
	return line != NULL ? 0 : -1;
}

static int
add_columns(struct layout *l)
{
	struct shown *s;
	char *title;

	for (s = l->shown; s < l->shown + l->n; s++) {
		title =
		    cut_text(l->d->headers ? s->column->title : "", s->width);
		if (title == NULL)
			return -1;
		s->drawn = scols_table_new_column(
		    l->table, title, 0,
		    s->column->how & COLUMN_RIGHT ? SCOLS_FL_RIGHT : 0);
		free(title);
		if (s->drawn == NULL)
			return -1;
	}
	return 0;
}

/* As if for a file: for a terminal the library would cut by its own rules. */
static int
fill_table(struct layout *l, struct libscols_table *full)
{
	struct libscols_iter *lines = scols_new_iter(SCOLS_ITER_FORWARD);
	struct libscols_line *line = NULL;
	int result = lines != NULL && l->table != NULL ? add_columns(l) : -1;
	json_t *row;
	size_t i;

	json_array_foreach ((json_t *)l->d->rows, i, row) {
		if (full != NULL)
			scols_table_next_line(full, lines, &line);
		if (result == 0)
			result = add_drawn_line(l, row, line);
	}
	scols_free_iter(lines);
	return result;
}

/* NULL without memory. */
static char *
print_table(struct layout *l, struct libscols_table *full)
{
	char *text = NULL;

	l->table = scols_new_table();
	if (fill_table(l, full) != 0)
		return NULL;
	scols_table_set_termforce(l->table, SCOLS_TERMFORCE_NEVER);
	scols_table_set_column_separator(l->table, GAP);
	scols_table_enable_nowrap(l->table, 1);
	scols_table_enable_colors(l->table, l->d->color);
	scols_table_enable_noheadings(l->table, !l->d->headers);
	if (scols_print_table_to_string(l->table, &text) != 0)
		return NULL;
	return text;
}

/* --- fitting ------------------------------------------------------------- */

/* Widths are known once it has been printed. IDs, numbers and times are useless in
 * part. */
static void
measure(struct layout *l)
{
	struct shown *s;
	size_t title;

	for (s = l->shown; s < l->shown + l->n; s++) {
		s->width = s->least = scols_column_get_width(s->drawn);
		if (s == l->shown || s->column->how & COLUMN_RIGHT ||
		    s->column->how & COLUMN_WHOLE)
			continue;
		title = l->d->headers ? strlen(s->column->title) : 0;
		s->least = s + 1 == l->shown + l->n ? LAST_LEAST : TEXT_LEAST;
		if (s->least < title)
			s->least = title;
		if (s->least > s->width)
			s->least = s->width;
	}
}

/* As it is, or with all texts cut. */
static size_t
total(const struct layout *l, bool cut)
{
	size_t sum = strlen(GAP) * (l->n - 1), i;

	for (i = 0; i < l->n; i++)
		sum += cut ? l->shown[i].least : l->shown[i].width;
	return sum;
}

static void
drop_one(struct layout *l)
{
	struct shown *s, *which = &l->shown[1];

	for (s = which; s < l->shown + l->n; s++)
		if (COLUMN_RANK(s->column->how) >=
		    COLUMN_RANK(which->column->how))
			which = s;
	l->n--;
	memmove(which, which + 1,
		(size_t)(l->shown + l->n - which) * sizeof(*which));
}

/* The widest first, column by column, so that two long texts end up as wide. */
static void
narrow_one(struct layout *l)
{
	struct shown *s, *widest = NULL;

	for (s = l->shown; s < l->shown + l->n; s++)
		if (s->width > s->least &&
		    (widest == NULL || s->width >= widest->width))
			widest = s;
	if (widest != NULL)
		widest->width--;
}

static void
fit(struct layout *l)
{
	const size_t width = l->d->width;

	while (l->n > 1 && total(l, true) > width)
		drop_one(l);
	if (l->n == 1)
		l->shown[0].least = width;
	while (total(l, false) > width)
		narrow_one(l);
}

/* No column can leave a table that has lines: what is too wide is drawn again from
 * the cells that it has. The first table is only measured. */
static char *
draw_fitting(struct layout *l)
{
	char *text = print_table(l, NULL);
	struct libscols_table *full = l->table;

	if (text == NULL || l->d->width == 0)
		return text;
	measure(l);
	if (total(l, false) <= l->d->width)
		return text;
	free(text);
	fit(l);
	text = print_table(l, full);
	scols_unref_table(full);
	return text;
}

int
table_draw(const struct drawing *d, struct buf *out, struct err *err)
{
	struct layout l = {.d = d};
	locale_t before;
	char *text;

	if (json_array_size(d->rows) == 0)
		return 0;
	if (library_load(&library_smartcols, err) != 0)
		return -1;
	for (; l.n < d->n_columns; l.n++)
		l.shown[l.n] = (struct shown){.column = d->columns[l.n],
					      .cell = l.n,
					      .width = (size_t)-1};
	before = uselocale(style_locale());
	text = draw_fitting(&l);
	scols_unref_table(l.table);
	uselocale(before);
	if (text == NULL)
		return err_set(err, ERR_SYSTEM, "out of memory");
	buf_addf(out, "%s\n", text);
	free(text);
	return out->failed ? err_set(err, ERR_SYSTEM, "out of memory") : 0;
}
