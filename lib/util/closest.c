/* SPDX-License-Identifier: MIT */
/*
 * Close names: what a person may have meant who mistyped one. It is the second
 * half of every "unknown …" message, so it runs only after an error and is
 * simple rather than fast.
 */
#include "util/closest.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Names are ASCII (name.c), so tolower() in any locale that a program sets is
 * good enough here. */
static bool
same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/*
 * Optimal string alignment: an edit distance in which neighbours may be
 * swapped, the most frequent slip of a typist. A cell needs the two rows before
 * its own, so three rows of the table are all that is kept.
 */
size_t
closest_distance(const char *a, const char *b)
{
	size_t rows[3][CLOSEST_LEN_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2], *spare;
	size_t n = strlen(a), m = strlen(b), i, j;

	/* No name is that long, and the rows lie on the stack. */
	if (n > CLOSEST_LEN_MAX || m > CLOSEST_LEN_MAX)
		return SIZE_MAX;
	for (j = 0; j <= m; j++)
		last[j] = j;
	for (i = 1; i <= n; i++) {
		row[0] = i;
		for (j = 1; j <= m; j++) {
			row[j] = least(least(last[j], row[j - 1]) + 1,
				       last[j - 1] + !same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
			    same(a[i - 2], b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[m];
}

bool
closest_is_shuffled(const char *a, const char *b)
{
	int count[UCHAR_MAX + 1] = {0};
	size_t i;

	for (; *a != '\0'; a++)
		count[tolower((unsigned char)*a)]++;
	for (; *b != '\0'; b++)
		count[tolower((unsigned char)*b)]--;
	for (i = 0; i < sizeof(count) / sizeof(count[0]); i++)
		if (count[i] != 0)
			return false;
	return true;
}

/* Whether another name, which is as close as the one at `at`, goes before it. */
static bool
closest_precedes(const struct closest *c, size_t at, const char *name)
{
	return closest_is_shuffled(c->name, name) &&
	       !closest_is_shuffled(c->name, c->best[at].name);
}

void
closest_put(struct closest *c, const char *name, size_t distance)
{
	size_t i;

	if (c->count == CLOSEST_SHOWN &&
	    distance >= c->best[c->count - 1].distance)
		return;
	if (c->count < CLOSEST_SHOWN)
		c->count++;
	/* After those that are as close: the order of the offers stays. */
	for (i = c->count - 1; i > 0 && (c->best[i - 1].distance > distance ||
					 (c->best[i - 1].distance == distance &&
					  closest_precedes(c, i - 1, name)));
	     i--)
		c->best[i] = c->best[i - 1];
	c->best[i].name = name;
	c->best[i].distance = distance;
}

void
closest_offer(struct closest *c, const char *name)
{
	size_t length = strlen(c->name);
	size_t limit = length / 3 > 2 ? length / 3 : 2;
	size_t distance = closest_distance(c->name, name);

	/* Text that was left unfinished counts as one mistake. */
	if (strncasecmp(name, c->name, length) == 0)
		distance = least(distance, 1);
	/* One of three letters is close to none of three others. */
	if (distance <= limit && distance < length)
		closest_put(c, name, distance);
}

size_t
closest_write(const struct closest *c, char text[CLOSEST_TEXT_SIZE])
{
	size_t len = 0, i;
	int more;

	for (i = 0; i < c->count; i++) {
		/* Who has only mistaken the case needs no choice. */
		if (i > 0 && c->best[0].distance == 0 &&
		    c->best[i].distance > 0)
			break;
		more = snprintf(text + len, CLOSEST_TEXT_SIZE - len, "%s\"%s\"",
				i > 0 ? ", " : "", c->best[i].name);
		if (more < 0 || len + (size_t)more >= CLOSEST_TEXT_SIZE)
			break;
		len += (size_t)more;
	}
	text[len] = '\0';
	return i;
}
