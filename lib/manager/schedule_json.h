/* SPDX-License-Identifier: MIT */
/* Schedules and their figures as JSON. */
#ifndef MANAGER_SCHEDULE_JSON_H
#define MANAGER_SCHEDULE_JSON_H

#include <stdint.h>

#include <jansson.h>

struct schedule;
struct schedules_stats;

/*
 * {"id", "task", "type", "rule", "words", "state", "tz", "args", "kwargs", "workflow", "enabled",
 *  "next_run", "last_run", "runs", "queue", "group", "max_retries", "retry_delay",
 *  "retry_backoff", "retry_delay_max", "retry_jitter", "timeout", "expires",
 *  "priority", "description", "fault", "misfire", "max_catchup", "grace",
 *  "overlap", "jitter", "day_match", "start_at", "end_at", "max_runs",
 *  "created_at", "updated_at", "owner", "traceparent"}
 * Durations are seconds; null is what is not set. state is "enabled",
 * "disabled", "ended" (it will not fire any more) or "set aside" (it cannot;
 * fault says why).
 */
json_t *schedule_json(const struct schedule *s);

/*
 * {"schedules", "enabled", "set_aside", "due", "unsent", "oldest_unsent",
 *  "next_due", "runs", "missed": {reason: n}, "skipped": {reason: n},
 *  "schedulers": [{"id", "host", "pid", "started_at", "seen_at", "seen_ago",
 *		    "lag", "max_lag", "fires", "clock_off", "state", "lacks"}]}
 * seen_ago is by the database's clock where it has one; clock_off is not 0 where
 * a scheduler's is another. state: "running", "disabled", "broker" or "clock",
 * which it needs to claim; lacks: time zones without data.
 */
json_t *schedule_stats_json(const struct schedules_stats *s, int64_t now_us);

/* "2026-11-23T09:00:00+00:00", with a fraction if there is one. */
#define MOMENT_SIZE 33
void moment_text(int64_t us, char text[MOMENT_SIZE]);
/* The same by a clock that is so many seconds east of Greenwich. */
void moment_text_in(int64_t us, int32_t offset_s, char text[MOMENT_SIZE]);
/* The same as JSON; null for 0. */
json_t *moment_json(int64_t us);

#endif
