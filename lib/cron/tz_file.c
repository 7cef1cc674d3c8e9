/* SPDX-License-Identifier: MIT */
/*
 * Reads TZif files (RFC 8536) into spans. The files are not trusted: every
 * count is held against the size before it is used.
 */
#include "cron/tz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cron/tz_rule.h"
#include "cron/tz_span.h"
#include "util/err.h"

/* Of RFC 8536, section 3.1 and 3.2. */
#define HEADER_SIZE 44
#define TYPE_SIZE 6
/* zic writes no more, and known zones have a tenth of it. */
#define TRANSITIONS_MAX 2000
#define TYPES_MAX 256 /* an index is one byte */
/* Spans that ended before 1969 are left out: nothing fires before 1970. */
#define BEGIN_S INT64_C(-31536000)
#define RULE_FROM 1970
/* One more than is asked for: a summer may last beyond it. Its own leap day is
 * wrong, but that is behind TZ_END_S. */
#define RULE_TO 2200
/* Two changes a year, and the span that is always there. */
#define SPANS_MAX (TRANSITIONS_MAX + 2 * (RULE_TO - RULE_FROM + 1) + 2)

/* A block of data, in the file's bytes. */
struct block {
	uint32_t n_times, n_types, n_chars, n_leaps, n_std, n_ut;
	size_t time_size; /* 4 or 8 */
	const unsigned char *times, *indices, *types;
	const unsigned char *end;
};

/* What is left of the file. */
struct cursor {
	const unsigned char *p;
	const unsigned char *end;
};

static uint64_t
big_endian(const unsigned char *p, size_t size)
{
	uint64_t value = 0;

	while (size-- > 0)
		value = value << 8 | *p++;
	return value;
}

/* The first block has times of 32 bits, the second of 64. */
static int64_t
signed_time(const unsigned char *p, size_t size)
{
	return size == 4 ? (int32_t)(uint32_t)big_endian(p, 4)
			 : (int64_t)big_endian(p, 8);
}

static size_t
left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

/* Reads a header and finds the parts of the block behind it. */
static const char *
read_block(struct cursor *c, size_t time_size, struct block *b)
{
	const unsigned char *p = c->p;
	uint64_t size;

	if (left(c) < HEADER_SIZE)
		return "the file is truncated";
	if (memcmp(p, "TZif", 4) != 0)
		return "the file does not begin with \"TZif\"";
	*b = (struct block){.n_ut = (uint32_t)big_endian(p + 20, 4),
			    .n_std = (uint32_t)big_endian(p + 24, 4),
			    .n_leaps = (uint32_t)big_endian(p + 28, 4),
			    .n_times = (uint32_t)big_endian(p + 32, 4),
			    .n_types = (uint32_t)big_endian(p + 36, 4),
			    .n_chars = (uint32_t)big_endian(p + 40, 4),
			    .time_size = time_size,
			    .times = p + HEADER_SIZE};
	/* No overflow: six numbers of 32 bits, each times at most 12. */
	size = b->n_times * (uint64_t)(time_size + 1) +
	       b->n_types * (uint64_t)TYPE_SIZE + b->n_chars +
	       b->n_leaps * (uint64_t)(time_size + 4) + b->n_std +
	       (uint64_t)b->n_ut;
	if (size > left(c) - HEADER_SIZE)
		return "the file is truncated";
	b->indices = b->times + b->n_times * time_size;
	b->types = b->indices + b->n_times;
	b->end = b->times + size;
	c->p = b->end;
	return NULL;
}

static int32_t
type_offset_s(const struct block *b, size_t type)
{
	const unsigned char *p = b->types + type * TYPE_SIZE;

	return (int32_t)(uint32_t)big_endian(p, 4);
}

/* What is wrong with the data, or NULL. From here on no index and no time needs
 * a check. */
static const char *
check_block(const struct block *b)
{
	const unsigned char *type;
	int64_t time_s, last_s = INT64_MIN;
	uint32_t i;

	if (b->n_leaps != 0)
		return "the file counts leap seconds, which Unix time does "
		       "not; use the zone without \"right/\"";
	if (b->n_times > TRANSITIONS_MAX)
		return "it has more than 2000 transitions";
	if (b->n_types == 0 || b->n_types > TYPES_MAX)
		return "it has no local time types, or too many";
	for (i = 0; i < b->n_types; i++) {
		type = b->types + i * (size_t)TYPE_SIZE;
		if (type_offset_s(b, i) < -TZ_OFFSET_MAX_S ||
		    type_offset_s(b, i) > TZ_OFFSET_MAX_S)
			return "an offset is larger than 26 hours";
		if (type[4] > 1 || type[5] >= b->n_chars)
			return "a local time type is malformed";
	}
	for (i = 0; i < b->n_times; i++) {
		time_s = signed_time(b->times + i * b->time_size, b->time_size);
		if (b->indices[i] >= b->n_types)
			return "a transition names an unknown local time type";
		if (i > 0 && time_s <= last_s)
			return "its transitions are not in order";
		last_s = time_s;
	}
	return NULL;
}

/* Finds the block to use, and the footer, which may be empty. Version 2 and
 * later repeat the data with 64 bits behind that with 32, which is skipped. */
static const char *
tz_file_read(struct slice bytes, struct block *b, struct slice *footer)
{
	struct cursor c = {(const unsigned char *)bytes.p,
			   (const unsigned char *)bytes.p + bytes.len};
	const unsigned char *newline;
	const char *why = read_block(&c, 4, b);
	unsigned char version;

	*footer = (struct slice){"", 0};
	if (why != NULL)
		return why;
	version = (unsigned char)bytes.p[4];
	/* Version 1 has one block and no footer. */
	if (version == '\0')
		return check_block(b);
	if (version < '2')
		return "its version is unknown";
	why = read_block(&c, 8, b);
	if (why == NULL)
		why = check_block(b);
	if (why != NULL)
		return why;
	if (left(&c) < 2 || *c.p != '\n')
		return "its footer is missing";
	c.p++;
	newline = memchr(c.p, '\n', left(&c));
	if (newline == NULL)
		return "its footer is truncated";
	*footer = (struct slice){(const char *)c.p, (size_t)(newline - c.p)};
	return NULL;
}

/* The spans while they are collected. */
struct list {
	struct tz_span *spans;
	size_t count;
};

/* Adds a span, in the order of time, unless nothing changes with it. Spans
 * before BEGIN_S fall together into the first one, which reaches back to the
 * beginning of time; the last of them gives it its offset. */
static void
span_add(struct list *l, int64_t start_s, int32_t offset_s)
{
	struct tz_span *last;

	if (l->count > 0) {
		last = &l->spans[l->count - 1];
		if (start_s <= BEGIN_S || start_s <= last->start_s) {
			last->offset_s = offset_s;
			if (l->count > 1 && last[-1].offset_s == offset_s)
				l->count--;
			return;
		}
		if (last->offset_s == offset_s)
			return;
	}
	if (start_s >= TZ_END_S)
		return;
	l->spans[l->count++] =
	    (struct tz_span){.start_s = start_s, .offset_s = offset_s};
}

/* Where a summer begins, or ends. */
struct change {
	int64_t at_s;
	bool summer;
};

/* In the order of time; where one summer ends as the next begins, that one
 * counts. */
static int
compare_changes(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	if (x->at_s != y->at_s)
		return x->at_s < y->at_s ? -1 : 1;
	return (int)x->summer - (int)y->summer;
}

/* Adds what the rule says of the time behind the last transition. */
static void
add_rule(struct list *l, const struct tz_rule *rule, int64_t last_s)
{
	struct change changes[2 * (RULE_TO - RULE_FROM + 1)];
	size_t n = 0, i;
	unsigned int year;

	for (year = RULE_FROM; year <= RULE_TO; year++) {
		changes[n++] =
		    (struct change){tz_rule_start_s(rule, year), true};
		changes[n++] =
		    (struct change){tz_rule_end_s(rule, year), false};
	}
	qsort(changes, n, sizeof(changes[0]), compare_changes);
	for (i = 0; i < n; i++)
		if (changes[i].at_s > last_s)
			span_add(l, changes[i].at_s,
				 changes[i].summer ? rule->summer_offset_s
						   : rule->offset_s);
}

/* First what holds before the first transition (RFC 8536, section 3.2: type 0),
 * then the transitions, then the rule. */
static void
collect(struct list *l, const struct block *b, const struct tz_rule *rule)
{
	int64_t at_s = -TZ_NEVER_S;
	uint32_t i;

	/* With no transitions, the rule holds for all times. */
	span_add(l, -TZ_NEVER_S,
		 b->n_times == 0 && rule != NULL ? rule->offset_s
						 : type_offset_s(b, 0));
	for (i = 0; i < b->n_times; i++) {
		at_s = signed_time(b->times + i * b->time_size, b->time_size);
		span_add(l, at_s, type_offset_s(b, b->indices[i]));
	}
	if (rule != NULL && rule->has_summer)
		add_rule(l, rule, at_s);
}

/* Completes the spans that have been collected: for each, the latest local time
 * that any span before it has shown; behind them, the guard that ends every
 * search; and the places where searches begin. */
static void
tz_file_finish(struct tz *zone)
{
	struct tz_span *span = zone->spans;
	int64_t peak_s = -TZ_NEVER_S, end_s;
	size_t i, bucket;

	for (i = 0; i < zone->count; i++) {
		span[i].peak_s = peak_s;
		if (i + 1 == zone->count)
			break;
		end_s = span[i + 1].start_s - 1 + span[i].offset_s;
		if (end_s > peak_s)
			peak_s = end_s;
	}
	span[zone->count] =
	    (struct tz_span){.start_s = TZ_NEVER_S, .peak_s = INT64_MAX};
	/* A search begins at its bucket's span and is over after a step or
	 * two. */
	for (i = 0, bucket = 0; bucket < TZ_BUCKETS; bucket++) {
		while (span[i + 1].start_s <= (int64_t)bucket
						  << TZ_BUCKET_SHIFT)
			i++;
		zone->buckets[bucket] = (uint16_t)i;
	}
}

/* Collected on the stack at full size, copied at the size that is needed. NULL
 * without memory. */
static struct tz *
build(const struct block *b, const struct tz_rule *rule, const char *name)
{
	struct tz_span spans[SPANS_MAX];
	struct list list = {.spans = spans};
	struct tz *zone = calloc(1, sizeof(*zone));

	if (zone == NULL)
		return NULL;
	collect(&list, b, rule);
	zone->count = list.count;
	zone->name = strdup(name);
	zone->spans = calloc(list.count + 1, sizeof(spans[0]));
	if (zone->name == NULL || zone->spans == NULL) {
		tz_free(zone);
		return NULL;
	}
	memcpy(zone->spans, spans, list.count * sizeof(spans[0]));
	tz_file_finish(zone);
	return zone;
}

struct tz *
tz_read(struct slice bytes, const char *name, struct err *err)
{
	struct block block;
	struct slice footer;
	struct tz_rule rule;
	struct tz *zone;
	const char *why = tz_file_read(bytes, &block, &footer);

	if (why == NULL && footer.len > 0 && tz_rule_parse(footer, &rule) != 0)
		why = "the rule in its footer is malformed";
	if (why != NULL) {
		err_set(err, ERR_DATA,
			"cannot use the time zone file of \"%s\": %s", name,
			why);
		return NULL;
	}
	zone = build(&block, footer.len > 0 ? &rule : NULL, name);
	if (zone == NULL)
		err_nomem(err);
	return zone;
}

void
tz_free(struct tz *zone)
{
	if (zone == NULL)
		return;
	free(zone->name);
	free(zone->spans);
	free(zone);
}
