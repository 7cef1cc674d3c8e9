/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: whatever has become of a database (bytes of the file, values of
 * columns, tables and indexes that are gone), who looks at it gets an answer, and
 * who works with it goes on or says why not.
 *
 * The input is a list of damages to a database that has one of everything.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/sqlite_damage/damage.h"
#include "fuzz/sqlite_damage/worker.h"
#include "fuzz/web/ask.h"
#include "util/err.h"
#include "util/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64], url[80], broker_url[100], schedules_url[100];
static const char *settings[] = {broker_url, schedules_url, "web.timeout=1",
				 NULL};

static const char content[] =
    "INSERT OR REPLACE INTO queues (id, name, size, next) VALUES"
    " (1, 'io', 3, 9), (2, 'cpu', 0, 1);"
    "INSERT INTO tasks VALUES (1099511627777, '{\"id\":\"t1\",\"name\":\"add\","
    "\"args\":[1],\"submitted_at\":\"2026-01-01T00:00:00Z\"}'),"
    "(1099511627778, '{\"id\":\"t2\",\"name\":\"add\",\"priority\":3}'),"
    "(1099511627779, '{\"id\":\"t3\",\"name\":\"add\",\"timeout\":5}'),"
    "(1099511627780, '{\"id\":\"t4\",\"name\":\"odd\"}');"
    "INSERT INTO waiting VALUES (1, 0, 1, 1099511627777, 0),"
    " (1, 3, 2, 1099511627778, 1);"
    "INSERT INTO delayed VALUES (1, 1900000000000, 1099511627779, 0);"
    "INSERT INTO set_aside VALUES (1, 'odd', 0, 4, 1099511627780);"
    "INSERT INTO dead VALUES (1099511627781, 1, 1790000000000, 't5',"
    " '{\"id\":\"t5\",\"name\":\"add\"}',"
    " '{\"reason\":\"failed\",\"error\":\"x\",\"died_at\":"
    "\"2026-01-01T00:00:00Z\"}');"
    "INSERT INTO workers (name, description, expires, port, token) VALUES"
    " ('host:a', '{\"queues\":[\"io\"],\"host\":\"host\",\"pid\":1,\"threads\":"
    "[],\"started_at\":\"2026-01-01T00:00:00Z\",\"counts\":{\"success\":1}}',"
    " 4102444800000, 'x', 'y'), ('host:b', '', 1, 'x', 'y');"
    "INSERT INTO tasks VALUES (1099511627782, "
    "'{\"id\":\"t6\",\"name\":\"add\"}');"
    "INSERT INTO inflight VALUES (1, 1099511627782, 1, 0, 6);"
    "INSERT INTO served VALUES (1, '', 1), (1, 'add', 1);"
    "INSERT INTO unknown VALUES (1, 'odd', 1790000000000);"
    "INSERT INTO registry VALUES ('add', '{\"queue\":\"io\"}', 0);"
    "INSERT INTO uniques VALUES (1, 'k', 't1', 4102444800000);"
    "INSERT INTO results (number, id, record, final, task) VALUES"
    " (35184372088833, 't7', '{\"task_id\":\"t7\",\"task_name\":\"add\","
    "\"status\":\"success\",\"result\":1,\"finished_at\":"
    "\"2026-01-01T00:00:01Z\",\"started_at\":\"2026-01-01T00:00:00Z\","
    "\"submitted_at\":\"2026-01-01T00:00:00Z\",\"queue\":\"io\",\"retries\":1}'"
    ","
    " 1, NULL), (70368744177665, 't8', '{\"task_id\":\"t8\","
    "\"status\":\"failed\",\"error\":\"x\"}', 1, NULL),"
    " (1, 't2', '{\"task_id\":\"t2\",\"status\":\"running\"}', 0,"
    " 1099511627778);"
    "INSERT INTO ids VALUES ('t1', 1099511627777), ('t2', -1),"
    " ('t3', 1099511627779), ('t7', -35184372088833),"
    " ('t8', -70368744177665);"
    "UPDATE totals SET succeeded = 1, failed = 1;"
    "INSERT INTO measures VALUES (0, 0, 'io', 'add', 0, 7),"
    " (60, 1790000040, 'io', 'add', 0, 7), (60, 1790000040, 'io', 'add', 3, 9),"
    " (3600, 1789999200, 'io', 'add', 4, 7), (0, 0, 'io', 'add', 203, 7);"
    "INSERT INTO events (made, at, size) VALUES (1, 1, 2);"
    "INSERT INTO orders (message, given) VALUES ('{}', 1);";

/* What everybody can ask who may look, and an operator. */
static const char *const targets[] = {
    "GET /api/v1/doctor",
    "GET /api/v1/health",
    "GET /api/v1/server",
    "GET /api/v1/overview",
    "GET /api/v1/queues",
    "GET /api/v1/queues/io",
    "GET /api/v1/workers",
    "GET /api/v1/stats",
    "GET /api/v1/series?span=86400",
    "GET /api/v1/series/names",
    "GET /api/v1/tasks",
    "GET /api/v1/tasks?state=pending&limit=2",
    "GET /api/v1/tasks?state=running",
    "GET /api/v1/tasks?state=retrying",
    "GET /api/v1/tasks?state=scheduled",
    "GET /api/v1/tasks?state=success",
    "GET /api/v1/tasks?state=failed",
    "GET /api/v1/tasks?state=dead",
    "GET /api/v1/tasks/t1",
    "GET /api/v1/tasks/t3",
    "GET /api/v1/tasks/t5",
    "GET /api/v1/tasks/t7/result",
    "GET /api/v1/dead",
    "GET /api/v1/dead/groups",
    "GET /api/v1/registry",
    "GET /metrics",
};
static const char *const changes[] = {
    "POST /api/v1/tasks/t5/retry",  "DELETE /api/v1/tasks/t1",
    "POST /api/v1/tasks/t3/run",    "POST /api/v1/tasks/t2/cancel",
    "POST /api/v1/queues/io/pause", "POST /api/v1/queues/io/resume",
    "POST /api/v1/dead/retry",	    "POST /api/v1/queues/io/purge",
};

static const struct damage_asks asks = {
    settings, targets, sizeof(targets) / sizeof(targets[0]), changes,
    sizeof(changes) / sizeof(changes[0])};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char target[] = "/api/v1/queues/io/pause";
	char resume[] = "/api/v1/queues/io/resume";
	const char *dir;

	log_set_level(LOG_LEVEL_error);
	dir = damage_dir();
	snprintf(path, sizeof(path), "%s/q.db", dir);
	snprintf(url, sizeof(url), "sqlite://%s", path);
	snprintf(broker_url, sizeof(broker_url), "broker.url=%s", url);
	snprintf(schedules_url, sizeof(schedules_url),
		 "scheduler.database_url=sqlite://%s/s.db", dir);
	/* A change makes the file. */
	must(web_ask_open(settings));
	must(web_ask("POST", target, SLICE("{}"), WEB_OPERATOR, "\n") != 0);
	must(web_ask("POST", resume, SLICE("{}"), WEB_OPERATOR, "\n") != 0);
	web_ask_close();
	damage_prepare(path, content);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peer_input in = {data, size};

	damage(&in);
	if (peer_next(&in) % 2 == 0)
		damaged_work(url, &in);
	damage_ask(&asks, &in);
	return 0;
}
