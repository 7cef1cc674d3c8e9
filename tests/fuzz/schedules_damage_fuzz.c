/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: whatever has become of a database of schedules (bytes of the file,
 * values of columns, tables and indexes that are gone), who looks at it gets an
 * answer, and a scheduler goes on or says why not.
 *
 * The input is a list of damages to a database that has one of everything.
 */
#include <event2/event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat/beat.h"
#include "client/client.h"
#include "fuzz/sqlite_damage/damage.h"
#include "fuzz/web/ask.h"
#include "util/err.h"
#include "util/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A scheduler claims and sends within that what is due. */
#define BEAT_MS 10

static char path[64], broker_url[100], schedules_url[100];
static const char *settings[] = {broker_url, schedules_url, "web.timeout=1",
				 NULL};

#define SCHEDULE                                                               \
	"INSERT INTO flowrra_schedules (id, identity, task, type, rule, tz,"   \
	" args, kwargs, queue, description, enabled, max_retries,"             \
	" retry_delay_us, priority, misfire, max_catchup, grace_us, overlap,"  \
	" jitter_us, day_match, start_us, end_us, max_runs, created_us,"       \
	" updated_us, last_run_us, next_run_us, due_us, runs, tz_data, fault)" \
	" VALUES "

static const char content[] = SCHEDULE
    "('due', 'i1', 'add', 'interval', '1h', '', '[1]', '{}', 'io', '',"
    " 1, -1, -1, 0, 'all', 0, -1, 'skip', 0, 'or', 0, 0, 0, 1790000000000000,"
    " 1790000000000000, 1790000000000000, 1790003600000000, 1790003600000000,"
    " 7, '', '');" SCHEDULE
    "('daily', 'i2', 'add', 'cron', '0 9 * * mon-fri', 'Europe/Berlin', '[]',"
    " '{\"a\":1}', 'io', 'a text', 1, 3, 1000000, 2, 'once', 5, 60000000,"
    " 'allow', 1000000, 'and', 0, 4000000000000000, 100, 1790000000000000,"
    " 1790000000000000, 0, 1790000100000000, 1790000100000000, 0, '2026a',"
    " '');" SCHEDULE
    "('once', 'i3', 'add', 'once', '2030-01-01T00:00:00Z', '', '[]', '{}', '',"
    " '', 1, -1, -1, 0, 'skip', 0, -1, 'allow', 0, 'or', 0, 0, 0,"
    " 1790000000000000, 1790000000000000, 0, 1893456000000000,"
    " 1893456000000000, 0, '', '');" SCHEDULE
    "('aside', 'i4', 'add', 'cron', '61 * * * *', '', '[]', '{}', '', '', 1,"
    " -1, -1, 0, 'skip', 0, -1, 'allow', 0, 'or', 0, 0, 0, 1790000000000000,"
    " 1790000000000000, 0, 1790000100000000, NULL, 0, '', 'its rule');"
    "INSERT INTO flowrra_fires VALUES ('due', 1790000000000000,"
    " 'due:20260921T141320Z', 'io', 0, '{\"id\":\"due:20260921T141320Z\","
    "\"name\":\"add\"}', 1790000000000000, NULL, 1790000001000000, NULL, 1),"
    " ('due', 1790001000000000, 'due:20260921T143000Z', 'io', 0,"
    " '{\"id\":\"due:20260921T143000Z\",\"name\":\"add\"}', 1790001000000000,"
    " 1790001000000000, NULL, NULL, 1);"
    "INSERT INTO flowrra_skips VALUES ('due', 'overlap', 3, 1790000000000000);"
    "INSERT INTO flowrra_schedulers (id, host, pid, started_us, seen_us,"
    " lag_us, max_lag_us, fires) VALUES ('host:a', 'host', 7,"
    " 1790000000000000, 4000000000000000, 1, 2, 3);"
    "INSERT INTO flowrra_ports VALUES ('0123456789abcdef');"
    "INSERT INTO flowrra_skipped_fires VALUES ('due', 1790000500000000,"
    " 1790000600000000, 2, 'overlap', 1790000600000000);"
    "INSERT OR REPLACE INTO flowrra_pruned VALUES (1, 1780000000000000);";

static const char *const looks[] = {
    "GET /api/v1/schedules",
    "GET /api/v1/schedules?limit=1",
    "GET /api/v1/schedules/due",
    "GET /api/v1/schedules/daily",
    "GET /api/v1/schedules/aside",
    "GET /api/v1/schedules/daily/next",
    "GET /api/v1/schedules/due/fires",
    "GET /api/v1/doctor",
    "GET /api/v1/health",
    "GET /api/v1/overview",
    "GET /api/schedules",
    "GET /metrics",
};
static const char *const changes[] = {
    "POST /api/v1/schedules/due/disable", "POST /api/v1/schedules/aside/enable",
    "POST /api/v1/schedules/due/run",	  "DELETE /api/v1/schedules/due",
    "DELETE /api/v1/schedules/daily",	  "PUT /api/v1/schedules/daily",
};

static const struct damage_asks asks = {
    settings, looks, sizeof(looks) / sizeof(looks[0]), changes,
    sizeof(changes) / sizeof(changes[0])};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char target[] = "/api/v1/schedules";
	const struct slice made =
	    SLICE("{\"task\":\"add\",\"type\":\"interval\",\"rule\":\"1h\","
		  "\"queue\":\"io\",\"id\":\"first\",\"force\":true}");
	const char *dir = damage_dir();

	log_set_level(LOG_LEVEL_error);
	snprintf(path, sizeof(path), "%s/s.db", dir);
	snprintf(broker_url, sizeof(broker_url), "broker.url=sqlite://%s/q.db",
		 dir);
	snprintf(schedules_url, sizeof(schedules_url),
		 "scheduler.database_url=sqlite://%s", path);
	must(web_ask_open(settings));
	must(web_ask("POST", target, made, WEB_OPERATOR, "\n") == 201);
	web_ask_close();
	damage_prepare(path, content);
	return 0;
}

static void
on_stopped(const struct err *why, void *arg)
{
	event_base_loopbreak(arg);
}

static void
on_ready(void *arg)
{
}

static void
schedule_damaged(void)
{
	struct event_base *base = event_base_new();
	const struct timeval ms = {.tv_usec = BEAT_MS * 1000};
	struct beat_options options = {.base = base,
				       .id = "host:fuzz",
				       .on_ready = on_ready,
				       .on_stopped = on_stopped,
				       .arg = base};
	struct beat *beat;

	if (web_ask_open(settings)) {
		options.conf = web_ask_client()->conf;
		if ((beat = beat_new(&options, NULL)) != NULL) {
			event_base_loopexit(base, &ms);
			event_base_dispatch(base);
			beat_free(beat);
		}
		web_ask_close();
	}
	event_base_free(base);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peer_input in = {data, size};

	damage(&in);
	if (peer_next(&in) % 2 == 0)
		schedule_damaged();
	damage_ask(&asks, &in);
	return 0;
}
