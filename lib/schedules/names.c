/* SPDX-License-Identifier: MIT */
/*
 * The words for what a schedule can be, and the IDs of its fires. The words
 * stand in databases and in people's scripts: they are never changed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/task.h"
#include "schedules/history.h"
#include "schedules/schedules.h"
#include "util/sha.h"
#include "util/uuid.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *const works[] = {
    [SCHEDULE_TASK] = "task",
    [SCHEDULE_WORKFLOW] = "workflow",
};
static const char *const types[] = {
    [SCHEDULE_CRON] = "cron",
    [SCHEDULE_INTERVAL] = "interval",
    [SCHEDULE_ONCE] = "once",
};
static const char *const misfires[] = {
    [SCHEDULE_SKIP] = "skip",
    [SCHEDULE_LATEST] = "once",
    [SCHEDULE_ALL] = "all",
};
static const char *const overlaps[] = {
    [SCHEDULE_OVERLAP_ALLOW] = "allow",
    [SCHEDULE_OVERLAP_SKIP] = "skip",
    [SCHEDULE_OVERLAP_REPLACE] = "replace",
};
static const char *const day_matches[] = {
    [SCHEDULE_DAYS_OR] = "or",
    [SCHEDULE_DAYS_AND] = "and",
};
static const struct {
	const char *name, *text;
} reasons[] = {
#define X(NAME, name, text) [SCHEDULE_##NAME] = {#name, text},
    SCHEDULE_REASONS(X)
#undef X
};

static const char *const outcomes[] = {
    [SCHEDULE_UNSENT] = "unsent",
    [SCHEDULE_SENT] = "sent",
    [SCHEDULE_MISSED] = "missed",
    [SCHEDULE_SKIPPED] = "skipped",
};

/* The index, or -1. The lists are too short for anything faster. */
static int
find_word(const char *const *names, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

const char *
schedule_type_name(enum schedule_type type)
{
	return types[type];
}

const char *
schedule_misfire_name(enum schedule_misfire misfire)
{
	return misfires[misfire];
}

const char *
schedule_overlap_name(enum schedule_overlap overlap)
{
	return overlaps[overlap];
}

const char *
schedule_day_match_name(enum schedule_day_match day_match)
{
	return day_matches[day_match];
}

const char *
schedule_outcome_name(enum schedule_outcome outcome)
{
	return outcomes[outcome];
}

int
schedule_type_of(const char *name)
{
	return find_word(types, N_OF(types), name);
}

int
schedule_misfire_of(const char *name)
{
	return find_word(misfires, N_OF(misfires), name);
}

int
schedule_overlap_of(const char *name)
{
	return find_word(overlaps, N_OF(overlaps), name);
}

int
schedule_day_match_of(const char *name)
{
	return find_word(day_matches, N_OF(day_matches), name);
}

const char *
schedule_reason_name(enum schedule_reason reason)
{
	return reasons[reason].name;
}

int
schedule_reason_of(const char *name)
{
	int i;

	for (i = 0; i < SCHEDULE_N_REASONS; i++)
		if (strcmp(reasons[i].name, name) == 0)
			return i;
	return -1;
}

const char *
schedule_reason_text(enum schedule_reason reason)
{
	return reasons[reason].text;
}

/* The others had somebody there, who decided against a task. */
bool
schedule_reason_is_missed(enum schedule_reason reason)
{
	return reason != SCHEDULE_OVERLAP && reason != SCHEDULE_REPLACED &&
	       reason != SCHEDULE_REFUSED;
}

/* UTC, in ISO 8601's basic form; a fraction only where there is one. */
#define TIME_SIZE (SCHEDULE_TASK_ID_SIZE - SCHEDULE_ID_MAX - 1)
static void
fire_time(int64_t fire_us, char text[TIME_SIZE])
{
	int64_t us = fire_us % 1000000;
	time_t seconds;
	struct tm tm;
	size_t n;

	/* Before 1970 the remainder is negative, too. */
	if (us < 0)
		us += 1000000;
	seconds = (time_t)((fire_us - us) / 1000000);
	gmtime_r(&seconds, &tm);
	n = strftime(text, TIME_SIZE, "%Y%m%dT%H%M%S", &tm);
	if (us != 0)
		n += (size_t)snprintf(text + n, TIME_SIZE - n, ".%06" PRId64,
				      us);
	snprintf(text + n, TIME_SIZE - n, "Z");
}

enum schedule_work
schedule_work(const struct schedule *s)
{
	return s->workflow[0] != '\0' ? SCHEDULE_WORKFLOW : SCHEDULE_TASK;
}

const char *
schedule_work_name(enum schedule_work work)
{
	return works[work];
}

/* The time has a length of its own, so that no two fires have one ID. */
void
schedule_fire_id(const char *id, enum schedule_work work, int64_t fire_us,
		 char text[SCHEDULE_TASK_ID_SIZE])
{
	unsigned char digest[SHA256_SIZE];
	char at[TIME_SIZE], uuid[UUID_TEXT_SIZE];

	fire_time(fire_us, at);
	if (work == SCHEDULE_WORKFLOW) {
		snprintf(text, SCHEDULE_TASK_ID_SIZE, "%.*s-%s",
			 SCHEDULE_ID_MAX, id, at);
		if (name_valid(slice_of(text), TASK_FLOW_MAX))
			return;
	}
	snprintf(text, SCHEDULE_TASK_ID_SIZE, "%.*s:%s", SCHEDULE_ID_MAX, id,
		 at);
	if (work == SCHEDULE_TASK)
		return;
	sha256(slice_of(text), digest);
	uuid_of_digest(digest, uuid);
	snprintf(text, SCHEDULE_TASK_ID_SIZE, "%s", uuid);
}

enum schedule_work
schedule_work_of_id(const char *fire_id)
{
	return strchr(fire_id, ':') != NULL ? SCHEDULE_TASK : SCHEDULE_WORKFLOW;
}
