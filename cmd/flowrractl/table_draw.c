/* SPDX-License-Identifier: MIT */
/* Drawing tables. First the widths are decided, in a few passes over the columns,
 * then the lines are written. Written by hand: a library that did most of it cost
 * more to load than to replace, and did not know which columns can go. */
#include "table_draw.h"

#include <string.h>

#include "style.h"
#include "util/buf.h"

#define GAP 2
/* A text that is cut to less says nothing any more; the last column is one that
 * people read, an error or a result. */
#define TEXT_LEAST 8
#define LAST_LEAST 16
#define COLUMNS_MAX 32

struct layout {
	const struct drawing *d;
	size_t widths[COLUMNS_MAX];
	size_t least[COLUMNS_MAX]; /* that a text may be cut to */
	bool shown[COLUMNS_MAX];
	size_t n;
};

static size_t
width_of(const char *text)
{
	size_t len;

	return style_width(text, (size_t)-1, &len);
}

static const char *
cell(const struct drawing *d, size_t row, size_t column)
{
	return d->cells[row * d->n_columns + column];
}

static void
measure(struct layout *l)
{
	const struct drawing *d = l->d;
	size_t i, row, width;

	l->n = d->n_columns < COLUMNS_MAX ? d->n_columns : COLUMNS_MAX;
	for (i = 0; i < l->n; i++) {
		l->shown[i] = true;
		l->widths[i] = d->headers ? width_of(d->columns[i]->title) : 1;
		l->least[i] = i + 1 == l->n ? LAST_LEAST : TEXT_LEAST;
		if (l->least[i] < l->widths[i])
			l->least[i] = l->widths[i];
		for (row = 0; row < d->n_rows; row++) {
			width = width_of(cell(d, row, i));
			if (width > l->widths[i])
				l->widths[i] = width;
		}
	}
}

static size_t
total(const struct layout *l)
{
	size_t sum = 0, i;

	for (i = 0; i < l->n; i++)
		if (l->shown[i])
			sum += l->widths[i] + (sum > 0 ? GAP : 0);
	return sum;
}

/* IDs, numbers and times are useless in part. */
static bool
may_be_cut(const struct layout *l, size_t i)
{
	const struct column *c = l->d->columns[i];

	return l->shown[i] && i > 0 && (c->how & COLUMN_RIGHT) == 0 &&
	       (c->how & COLUMN_WHOLE) == 0 && l->widths[i] > l->least[i];
}

/* The widest first, column by column, so that two long texts end up as wide. */
static void
cut_texts(struct layout *l)
{
	size_t i, widest;

	while (total(l) > l->d->width) {
		widest = l->n;
		for (i = 0; i < l->n; i++)
			if (may_be_cut(l, i) &&
			    (widest == l->n ||
			     l->widths[i] >= l->widths[widest]))
				widest = i;
		if (widest == l->n)
			return;
		l->widths[widest]--;
	}
}

/* False: only the first is left. */
static bool
drop_one(struct layout *l)
{
	unsigned int rank, highest = 0;
	size_t i, least = 0;

	for (i = 1; i < l->n; i++) {
		rank = COLUMN_RANK(l->d->columns[i]->how);
		if (!l->shown[i] || (least != 0 && rank < highest))
			continue;
		least = i;
		highest = rank;
	}
	if (least != 0)
		l->shown[least] = false;
	return least != 0;
}

/* Columns are as wide as they want to be again after one has gone. */
static void
fit(struct layout *l)
{
	size_t wanted[COLUMNS_MAX], i;

	memcpy(wanted, l->widths, sizeof(wanted));
	for (;;) {
		cut_texts(l);
		if (total(l) <= l->d->width || !drop_one(l))
			break;
		memcpy(l->widths, wanted, sizeof(wanted));
	}
	for (i = 0; i < l->n; i++)
		if (l->widths[i] > l->d->width)
			l->widths[i] = l->d->width;
}

/* --- lines --------------------------------------------------------------- */

/* What a terminal without UTF-8 would show as something else becomes "?". */
static void
add_text(const char *text, size_t len, bool utf8, struct buf *out)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x80 || utf8)
			buf_addc(out, text[i]);
		else if (((unsigned char)text[i] & 0xc0) != 0x80)
			buf_addc(out, '?');
	}
}

static void
pad(size_t n, struct buf *out)
{
	while (n-- > 0)
		buf_addc(out, ' ');
}

/* A text that was cut ends in a mark. `last` has nothing behind it. */
static void
draw_cell(const struct layout *l, size_t i, const char *text, bool colored,
	  bool last, struct buf *out)
{
	const size_t width = l->widths[i];
	const bool utf8 = style_is_utf8(),
		   right = (l->d->columns[i]->how & COLUMN_RIGHT) != 0;
	const char *color = colored ? style_of_word(text) : "";
	size_t len, used = style_width(text, width, &len);
	const bool cut = text[len] != '\0';

	if (cut)
		used = style_width(text, width - 1, &len) + 1;
	if (right)
		pad(width - used, out);
	buf_adds(out, color);
	add_text(text, len, utf8, out);
	if (cut)
		buf_adds(out, utf8 ? "\xe2\x80\xa6" : "+");
	buf_adds(out, *color != '\0' ? STYLE_END : "");
	if (!right && !last)
		pad(width - used, out);
}

/* `row` is n_rows for the header. */
static void
draw_line(const struct layout *l, size_t row, struct buf *out)
{
	const struct drawing *d = l->d;
	size_t i, last = 0, begun = 0;
	bool header = row == d->n_rows;

	for (i = 0; i < l->n; i++)
		if (l->shown[i])
			last = i;
	for (i = 0; i < l->n; i++) {
		if (!l->shown[i])
			continue;
		pad(begun++ > 0 ? GAP : 0, out);
		draw_cell(l, i, header ? d->columns[i]->title : cell(d, row, i),
			  !header && d->color &&
			      (d->columns[i]->how & COLUMN_STATE) != 0,
			  i == last, out);
	}
	buf_addc(out, '\n');
}

void
table_draw(const struct drawing *drawing, struct buf *out)
{
	struct layout l = {.d = drawing};
	size_t row;

	if (drawing->n_rows == 0)
		return;
	measure(&l);
	if (drawing->width > 0)
		fit(&l);
	if (drawing->headers)
		draw_line(&l, drawing->n_rows, out);
	for (row = 0; row < drawing->n_rows; row++)
		draw_line(&l, row, out);
}
