/* SPDX-License-Identifier: MIT */
/*
 * The shape of a zone in memory: spans of time with one offset each.
 *
 * A pointer into the spans for every 194 days takes the place of a search: at
 * most a few spans begin in such a bucket.
 */
#ifndef CRON_TZ_SPAN_H
#define CRON_TZ_SPAN_H

#include <stddef.h>
#include <stdint.h>

#define TZ_BUCKET_SHIFT 24 /* 2^24 s are 194 days */
/* 2200-01-08T00:00:00Z: what is later has the last offset for ever. */
#define TZ_END_S INT64_C(7258723200)
#define TZ_BUCKETS ((size_t)(TZ_END_S >> TZ_BUCKET_SHIFT) + 1)
/* No offset is further from Greenwich (RFC 8536, section 3.2). */
#define TZ_OFFSET_MAX_S (26 * 3600)

/* Before the first span and behind the last; far from where sums overflow. */
#define TZ_NEVER_S (INT64_MAX / 4)

struct tz_span {
	int64_t start_s; /* the first is -TZ_NEVER_S */
	/* The latest local time that any earlier span shows, in its last
	 * second: what a fold begins before, and a gap behind. */
	int64_t peak_s;
	int32_t offset_s;
};

struct tz {
	char *name;
	/* `count` of them, and one more that begins at TZ_NEVER_S. */
	struct tz_span *spans;
	size_t count;
	uint16_t buckets[TZ_BUCKETS];
};

/* The span in which an instant lies. */
static inline const struct tz_span *
tz_span_at(const struct tz *zone, int64_t instant_s)
{
	const struct tz_span *span = zone->spans;

	if (instant_s >= TZ_END_S)
		return span + zone->count - 1;
	if (instant_s >= 0)
		span += zone->buckets[instant_s >> TZ_BUCKET_SHIFT];
	while (span[1].start_s <= instant_s)
		span++;
	return span;
}

#endif
