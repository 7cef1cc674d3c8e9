/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: TZif files. What is refused is explained; in a zone that is
 * taken, offsets are sane, transitions ascend, and schedules of both kinds fire
 * later and later.
 */
#include <stdint.h>
#include <stdlib.h>

#include "cron/cron.h"
#include "cron/tz.h"
#include "util/err.h"

#define FIRES 50
#define US_PER_S INT64_C(1000000)
#define DAY_S 86400

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
check_transitions(const struct tz *zone)
{
	int64_t at_s = INT64_MIN, next_s;
	int32_t offset_s;

	for (; at_s != INT64_MAX; at_s = next_s) {
		offset_s = tz_offset_s(zone, at_s);
		must(offset_s >= -26 * 3600 && offset_s <= 26 * 3600);
		next_s = tz_transition_s(zone, at_s);
		must(next_s > at_s);
		if (next_s != INT64_MAX)
			must(tz_offset_s(zone, next_s - 1) == offset_s);
	}
}

static void
check_fires(const struct tz *zone, const char *text)
{
	/* The first transition after 1970 is where it becomes interesting. */
	int64_t first_s = tz_transition_s(zone, 0);
	int64_t after_us = 0, next_us, again_us;
	struct cron cron;
	int i;

	must(cron_parse(text, NULL, &cron, NULL, NULL) == 0);
	if (first_s != INT64_MAX)
		after_us = (first_s - DAY_S) * US_PER_S;
	for (i = 0; i < FIRES; i++) {
		if (!cron_next(&cron, zone, after_us, &next_us))
			return;
		must(next_us > after_us && next_us % US_PER_S == 0);
		must(cron_next(&cron, zone, next_us - 1, &again_us));
		must(again_us == next_us);
		after_us = next_us;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct tz *zone =
	    tz_read((struct slice){(const char *)data, size}, "Fuzz", &err);

	if (zone == NULL) {
		must(err.code == ERR_DATA && err.msg[0] != '\0');
		return 0;
	}
	check_transitions(zone);
	check_fires(zone, "30 2 * * *");
	check_fires(zone, "*/20 * * * *");
	check_fires(zone, "0 0 29 2 *");
	check_fires(zone, "* * * * * *");
	tz_free(zone);
	return 0;
}
