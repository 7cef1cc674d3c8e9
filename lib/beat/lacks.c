/* SPDX-License-Identifier: MIT */
/*
 * Time zones that this machine has no data of: the package is missing, or is
 * older than the zone. Their schedules are left to schedulers on other
 * machines, untouched, and taken up when the data is there.
 */
#include "beat/state.h"

#include <string.h>

#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"

/* Zones that are left out of claims; the list goes with each of them. */
#define LACKS_MAX 64
/* A look at each missing file; how long its schedules wait for nothing. */
#define LOOK_US INT64_C(60000000)

const char *
lacks_text(const struct beat *b)
{
	return b->lacks.len > 0 ? b->lacks.data : "";
}

/* The list is "A,B,C"; *pos moves behind the one that is returned. */
static struct slice
next_zone(const struct beat *b, size_t *pos)
{
	const char *p = lacks_text(b) + *pos;
	const size_t len = strcspn(p, ",");

	*pos += p[len] == ',' ? len + 1 : len;
	return (struct slice){p, len};
}

static void
add_zone(struct buf *list, struct slice zone)
{
	if (list->len > 0)
		list->data[list->len - 1] = ',';
	buf_add(list, zone.p, zone.len);
	buf_addc(list, '\0');
}

bool
lacks_add(struct beat *b, struct slice zone, const struct err *why)
{
	struct slice one;
	size_t pos = 0;
	unsigned int n = 0;

	while ((one = next_zone(b, &pos)).len > 0) {
		if (slice_eq(one, zone))
			return true;
		n++;
	}
	if (n >= LACKS_MAX || b->lacks.failed)
		return false;
	add_zone(&b->lacks, zone);
	log_warning("%s; its schedules are left to schedulers that have its "
		    "data (is the package tzdata installed and up to date?)",
		    why->msg);
	b->at.lacks = clock_mono_us() + LOOK_US;
	b->at.beat = 0; /* people are to see it */
	return !b->lacks.failed;
}

/* A zone that was not found is looked for again each time (tz_find()). */
void
lacks_look(struct beat *b, int64_t mono)
{
	struct buf left = BUF_INIT;
	struct slice zone;
	size_t pos = 0;

	if (mono < b->at.lacks)
		return;
	while ((zone = next_zone(b, &pos)).len > 0) {
		if (tz_find(b->zones, zone, NULL) == NULL) {
			add_zone(&left, zone);
			continue;
		}
		log_notice("there is data of the time zone %.*s now",
			   (int)zone.len, zone.p);
		b->at.beat = 0;
		beat_forget_due(b);
		/* They may have been computed with other data. */
		b->rezone = true;
	}
	buf_done(&b->lacks);
	b->lacks = left;
	b->at.lacks = left.len > 0 ? mono + LOOK_US : NEVER;
}
