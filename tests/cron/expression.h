/* SPDX-License-Identifier: MIT */
/*
 * Random cron expressions, and a matcher that is slow and obvious: it asks
 * every item of every field about one local time. It knows nothing of lib/cron.
 */
#ifndef TESTS_CRON_EXPRESSION_H
#define TESTS_CRON_EXPRESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum part { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR, PARTS };

enum kind {
	RANGE,	      /* a, a + step … b */
	LAST,	      /* L, L-a */
	LAST_WORKDAY, /* LW */
	NEAREST,      /* aW */
	NTH,	      /* a#b */
	NTH_LAST,     /* aL, a#L */
};

struct item {
	enum kind kind;
	int a, b, step;
};

#define ITEMS_MAX 3

struct list {
	struct item items[ITEMS_MAX];
	int count;
	bool bare; /* "*" or "?" */
	bool star; /* begins with "*" */
};

struct expression {
	struct list parts[PARTS];
	bool has_seconds;
	bool both; /* both day fields must match */
	char text[256];
};

/* A number below `n`; the state is any number but 0. */
unsigned int draw(uint64_t *state, unsigned int n);

void expression_draw(struct expression *e, uint64_t *state);

/* Whether one field, or the whole date, matches a local time. */
bool expression_part(const struct expression *e, enum part part,
		     const struct tm *tm);
bool expression_date(const struct expression *e, const struct tm *tm);
/* Whether it fires at all instants that match. */
bool expression_wildcard(const struct expression *e);

#endif
