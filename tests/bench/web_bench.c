/* SPDX-License-Identifier: MIT */
/*
 * Measures what the pages of flowrra-web ask it for, with a million tasks of all
 * states (or as many as is said) in 200 queues and of 200 names: of each call the
 * time as a browser sees it, the CPU time of the daemon and of Redis, and the
 * longest command at Redis or statement of SQLite.
 *
 * Ends with 1 if, of any, 95 % did not come within 50 ms, or a command took 10 ms.
 *
 * Usage: web_bench [redis|sqlite] [TASKS]
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hiredis.h>

#include "flowrra/client.h"
#include "longest.h"
#include "manager/cancel.h"
#include "operate_fill.h"
#include "redis_server.h"
#include "util/clock.h"
#include "util/err.h"
#include "web_site.h"

#define ROUNDS 40
#define P95_MAX_MS 50.0
#define COMMAND_MAX_MS 10.0

#define API "/api/v1"

/* What is asked for; "none" matches nothing, so that a step looks at all it
 * may. */
static const char *const paths[] = {
    "/",
    API "/overview",
    API "/queues",
    API "/queues/io",
    API "/queues/q7",
    API "/tasks?state=pending",
    API "/tasks?state=pending&limit=500",
    API "/tasks?state=pending&queue=q7",
    API "/tasks?state=pending&task=none",
    API "/tasks?state=pending&task=app.mail.*",
    API "/tasks?state=pending&args.1=none",
    API "/tasks?state=delayed",
    API "/tasks?state=delayed&queue=q7",
    API "/tasks?state=delayed&task=none",
    API "/tasks?state=running",
    API "/tasks?state=running&limit=200",
    API "/tasks?state=running&worker=host:7",
    API "/tasks?state=running&task=none",
    API "/tasks?state=retrying",
    API "/tasks?state=retrying&task=none",
    API "/tasks?state=success",
    API "/tasks?state=success&limit=500",
    API "/tasks?state=success&task=none",
    API "/tasks?state=success&args.1=none",
    API "/tasks?state=failed",
    API "/tasks?state=failed&error=none",
    API "/tasks?state=failed&queue=q7",
    API "/dead",
    API "/dead?error=none",
    API "/dead?task=none",
    API "/dead?queue=q7",
    API "/dead/groups",
    API "/tasks/f77",
    API "/tasks/t77",
    API "/tasks/t500001",
    API "/tasks/d77",
    API "/tasks/absent",
    API "/tasks/f77/result",
    API "/tasks/f77/logs",
    API "/workers",
    API "/workers/host:7",
    API "/registry",
    API "/schedules",
    API "/calendar",
    API "/series?name=tasks",
    API "/series?name=figures",
    API "/series?name=duration&task=app.mail.task7",
    API "/series?name=tasks&from=-1d&step=3600",
    API "/series/names",
    API "/health",
    API "/doctor",
    API "/scheduler",
    API "/server",
    API "/me",
    API "/openapi.json",
    "/metrics",
    "/healthz",
    "/readyz",
};
#define N_PATHS (sizeof(paths) / sizeof(paths[0]))

struct bench {
	struct redis_server *redis;  /* also with SQLite: its directory */
	pid_t redis_pid;	     /* 0: with SQLite */
	struct longest_steps *steps; /* NULL: with Redis */
	struct web_site site;
	int fd;
};

/* --- measuring --------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Returns the status of all; that of the first that differs. */
static int
measure(struct bench *b, const char *path, double ms[ROUNDS], size_t *body)
{
	int status = 0, first = 0;
	int64_t begin_us;
	size_t i;

	for (i = 0; i < ROUNDS; i++) {
		begin_us = clock_mono_us();
		status = web_site_get(&b->site, b->fd, path, body);
		ms[i] = (double)(clock_mono_us() - begin_us) / 1e3;
		first = first == 0 ? status : first;
		if (status != first)
			break;
	}
	return status;
}

/* Returns whether it is as quick as it has to be. */
static bool
report(struct bench *b, const char *path)
{
	double ms[ROUNDS] = {0}, first, web_ms, redis_ms, p95;
	struct longest longest;
	size_t body = 0;
	int status;
	bool good;

	web_ms = web_site_cpu_ms(b->site.pid);
	redis_ms = web_site_cpu_ms(b->redis_pid);
	status = measure(b, path, ms, &body);
	web_ms = web_site_cpu_ms(b->site.pid) - web_ms;
	redis_ms = web_site_cpu_ms(b->redis_pid) - redis_ms;
	longest = b->steps != NULL ? longest_statement(b->steps)
				   : longest_command(b->redis);
	first = ms[0];
	qsort(ms, ROUNDS, sizeof(*ms), compare);
	p95 = ms[ROUNDS * 95 / 100 - 1];
	good = p95 <= P95_MAX_MS && longest.ms <= COMMAND_MAX_MS;
	printf("%-44s %3d %7zu %7.2f %7.2f %7.2f %7.2f %7.2f %7.2f %7.2f%s%s\n",
	       path, status, body, first, ms[0], ms[ROUNDS / 2], p95,
	       web_ms / ROUNDS, redis_ms / ROUNDS, longest.ms,
	       good ? "" : " ! ",
	       longest.ms > COMMAND_MAX_MS ? longest.what : "");
	fflush(stdout);
	return good;
}

/* --- what is measured -------------------------------------------------- */

static pid_t
pid_of(struct redis_server *server)
{
	redisReply *info = redis_server_command(server, "INFO server");
	const char *text = strstr(info->str, "process_id:");
	int pid = 0;

	if (text == NULL || sscanf(text, "process_id:%d", &pid) != 1)
		errx(71, "redis-server does not say what it is");
	freeReplyObject(info);
	return pid;
}

/* Makes the file and its tables: by a task, which goes again. */
static void
make_sqlite(const char *url)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_client *client;
	struct flowrra_error why;
	struct err err = ERR_INIT;

	request.name = "demo.noop";
	request.id = "first";
	request.queue = "io";
	request.force = true;
	if (flowrra_open(NULL, &client, &why) != 0 ||
	    flowrra_submit(client, &request, NULL, &why) != 0)
		errx(1, "%s: %s", url, why.message);
	json_decref(cancel_task(client, "first", &err));
	flowrra_close(client);
}

static void
fill(struct bench *b, bool sqlite, long tasks)
{
	static const char *const settings[] = {"--slowlog-log-slower-than",
					       "200", "--slowlog-max-len",
					       "10000", NULL};
	const struct redis_server_options options = {.args = settings};
	char url[256], schedules[256];

	b->redis = redis_server_start(&options);
	b->redis_pid = sqlite ? 0 : pid_of(b->redis);
	snprintf(schedules, sizeof(schedules), "sqlite://%s/schedules.db",
		 redis_server_dir(b->redis));
	snprintf(url, sizeof(url), "sqlite://%s/flowrra.db",
		 redis_server_dir(b->redis));
	setenv("FLOWRRA_SCHEDULER_DATABASE_URL", schedules, 1);
	setenv("FLOWRRA_BROKER_URL",
	       sqlite ? url : redis_server_unix_url(b->redis), 1);
	if (sqlite) {
		make_sqlite(url);
		operate_fill_sqlite(url, tasks);
		operate_vary_sqlite(url);
	} else {
		operate_fill_redis(b->redis, tasks);
		operate_vary_redis(b->redis);
		longest_command(b->redis);
	}
}

int
main(int argc, char **argv)
{
	static const char *const settings[] = {NULL};
	const bool sqlite = argc > 1 && strcmp(argv[1], "sqlite") == 0;
	const long tasks = argc > 2 ? strtol(argv[2], NULL, 10) : 1000000;
	const char *only = getenv("BENCH_PATH");
	struct bench b = {.fd = -1};
	bool good = true;
	size_t i;

	if (tasks < 1000)
		errx(64, "usage: web_bench [redis|sqlite] [TASKS], at least "
			 "1000");
	fill(&b, sqlite, tasks);
	if (sqlite)
		b.steps = longest_steps_begin(redis_server_dir(b.redis));
	web_site_start(&b.site, redis_server_dir(b.redis), settings);
	longest_steps_end();
	b.fd = web_site_connect(&b.site);
	printf(
	    "%s, %ld tasks; ms:\n%-44s     %7s %7s %7s %7s %7s %7s %7s %7s\n",
	    sqlite ? "SQLite" : "Redis", tasks, "path", "bytes", "first",
	    "least", "p50", "p95", "web CPU", "Redis", "command");
	for (i = 0; i < N_PATHS; i++)
		if (only == NULL || strstr(paths[i], only) != NULL)
			good = report(&b, paths[i]) && good;
	close(b.fd);
	web_site_stop(&b.site);
	redis_server_stop(b.redis);
	return !good;
}
