/* SPDX-License-Identifier: MIT */
/* Close names. */
#include "client/suggest.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "core/task.h"

#define SHOWN 5

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool
same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment, with the last three rows of its table. */
size_t
suggest_distance(const char *a, const char *b)
{
	size_t rows[3][TASK_NAME_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2], *spare;
	size_t n = strlen(a), m = strlen(b), i, j;

	if (n > TASK_NAME_MAX || m > TASK_NAME_MAX)
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

struct candidate {
	const char *name;
	size_t distance;
};

/* Puts a candidate into its place among the best so far. */
static size_t
insert(struct candidate best[SHOWN], size_t n, struct candidate candidate)
{
	size_t i;

	if (n == SHOWN && candidate.distance >= best[n - 1].distance)
		return n;
	if (n < SHOWN)
		n++;
	for (i = n - 1; i > 0 && best[i - 1].distance > candidate.distance; i--)
		best[i] = best[i - 1];
	best[i] = candidate;
	return n;
}

static size_t
write_list(const struct candidate *best, size_t n, char text[SUGGEST_MAX])
{
	size_t len = 0, i;
	int more;

	for (i = 0; i < n; i++) {
		more = snprintf(text + len, SUGGEST_MAX - len, "%s\"%s\"",
				i > 0 ? ", " : "", best[i].name);
		if (more < 0 || len + (size_t)more >= SUGGEST_MAX)
			break;
		len += (size_t)more;
	}
	text[len] = '\0';
	return i;
}

size_t
suggest(const char *name, const char *names, char text[SUGGEST_MAX])
{
	struct candidate best[SHOWN], candidate;
	json_t *list = json_loads(names, 0, NULL);
	size_t length = strlen(name), n = 0, i;
	/* A third of it mistyped is the most that looks like a mistake. */
	size_t limit = length / 3 > 2 ? length / 3 : 2;

	for (i = 0; i < json_array_size(list); i++) {
		candidate.name = json_string_value(json_array_get(list, i));
		if (candidate.name == NULL)
			continue;
		candidate.distance = suggest_distance(name, candidate.name);
		/* A name that continues what was typed is close as well, but
		 * one of three letters is close to none of three others. */
		if (strncasecmp(candidate.name, name, length) == 0)
			candidate.distance = least(candidate.distance, 1);
		if (candidate.distance <= limit && candidate.distance < length)
			n = insert(best, n, candidate);
	}
	n = write_list(best, n, text);
	json_decref(list);
	return n;
}
