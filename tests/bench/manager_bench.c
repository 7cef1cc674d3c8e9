/* SPDX-License-Identifier: MIT */
/*
 * Measures the manager's operations with a million tasks that wait (or as many
 * as is said), a tenth of that completed: the time of each at the manager, of
 * the longest command at Redis, and of flowrractl as a process that is started,
 * connects, asks, prints and ends.
 *
 * Ends with 1 if the median of a list, or of figures, is 50 ms at the manager,
 * or a command of Redis took 10 ms.
 *
 * Usage: manager_bench [redis|sqlite] [TASKS]
 */
#include <err.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <jansson.h>

#include "flowrra/client.h"
#include "longest.h"
#include "manager/dead.h"
#include "manager/doctor.h"
#include "manager/health.h"
#include "manager/queues.h"
#include "manager/stats.h"
#include "manager/tasks.h"
#include "manager/workers.h"
#include "operate_fill.h"
#include "redis_server.h"
#include "util/clock.h"
#include "util/err.h"

#define ROUNDS 20
#define OPERATION_MAX_MS 50.0
#define COMMAND_MAX_MS 10.0

extern char **environ;

static struct flowrra_client *client;

/* --- operations -------------------------------------------------------- */

static json_t *
list(enum tasks_state state, const char *task, size_t limit)
{
	struct tasks_query query = {.filter = {.task = task},
				    .limit = limit,
				    .depth = TASKS_DEPTH_STANDARD};
	struct err err = ERR_INIT;

	return tasks_list(client, state, &query, &err);
}

static json_t *
dead(const char *error)
{
	struct dead_query query = {.filter = {.tasks = {.error = error}},
				   .limit = 20,
				   .depth = TASKS_DEPTH_STANDARD};
	struct err err = ERR_INIT;

	return dead_list(client, &query, &err);
}

/* The step of a list that is `n` steps deep, as a page of the dashboard asks for
 * it: what is measured is the last one. */
static json_t *
page(enum tasks_state state, const char *task, size_t n)
{
	const struct task_filter filter = {.task = task};
	struct page_query query = {.limit = 50};
	struct err err = ERR_INIT;
	json_t *answer = NULL, *before = NULL;

	for (; n > 0; n--) {
		query.cursor =
		    json_string_value(json_object_get(before, "next"));
		answer = tasks_page(client, state, &filter, &query, &err);
		json_decref(before);
		before = answer;
	}
	return answer;
}

static json_t *
dead_step(const char *error)
{
	const struct dead_filter filter = {.tasks = {.error = error}};
	struct page_query query = {.limit = 50};
	struct err err = ERR_INIT;

	return dead_page(client, &filter, &query, &err);
}

static json_t *
groups(void)
{
	const struct dead_filter filter = {.tasks = {.queue = NULL}};
	struct err err = ERR_INIT;

	return dead_groups(client, &filter, &err);
}

#define OPERATION(name, expression)                                            \
	static json_t *name(void)                                              \
	{                                                                      \
		struct err err = ERR_INIT;                                     \
		(void)err;                                                     \
		return expression;                                             \
	}

OPERATION(get_stats, stats_get(client, &err))
OPERATION(get_queues, queues_list(client, NULL, &err))
OPERATION(get_workers, workers_list(client, &err))
OPERATION(get_pending, list(TASKS_PENDING, NULL, 20))
OPERATION(get_running, list(TASKS_RUNNING, NULL, 20))
OPERATION(get_completed, list(TASKS_COMPLETED, NULL, 20))
OPERATION(get_completed_1000, list(TASKS_COMPLETED, NULL, 1000))
OPERATION(get_failed, list(TASKS_FAILED, NULL, 20))
OPERATION(get_dead, dead(NULL))
OPERATION(get_health, health_check(client))
OPERATION(search_pending, list(TASKS_PENDING, "none", 20))
OPERATION(search_completed, list(TASKS_COMPLETED, "none", 20))
OPERATION(search_dead, dead("none"))
OPERATION(show_finished, tasks_show(client, "f77", TASKS_DEPTH_STANDARD, &err))
OPERATION(show_running, tasks_show(client, "t77", TASKS_DEPTH_STANDARD, &err))
OPERATION(take_snapshot, stats_snapshot(client, 100, &err))
OPERATION(examine, doctor_examine(client))
OPERATION(page_waiting, page(TASKS_WAITING, NULL, 1))
OPERATION(page_waiting_10, page(TASKS_WAITING, NULL, 10))
OPERATION(page_delayed, page(TASKS_DELAYED, NULL, 1))
OPERATION(page_delayed_10, page(TASKS_DELAYED, NULL, 10))
OPERATION(page_running, page(TASKS_RUNNING, NULL, 1))
OPERATION(page_completed, page(TASKS_COMPLETED, NULL, 1))
OPERATION(page_dead, dead_step(NULL))
OPERATION(step_waiting, page(TASKS_WAITING, "none", 1))
OPERATION(step_delayed, page(TASKS_DELAYED, "none", 1))
OPERATION(step_completed, page(TASKS_COMPLETED, "none", 1))
OPERATION(step_dead, dead_step("none"))
OPERATION(group_dead, groups())
OPERATION(levels, queues_levels(client, "io", &err))

/* Those that look through the newest 10,000 take as long as that takes; those in
 * parentheses are the dashboard's, no command's. */
static const struct {
	const char *arguments;
	json_t *(*run)(void);
	bool search;
} operations[] = {
    {"stats", get_stats, false},
    {"queues", get_queues, false},
    {"workers", get_workers, false},
    {"tasks pending", get_pending, false},
    {"tasks running", get_running, false},
    {"tasks completed", get_completed, false},
    {"tasks completed --limit 1000", get_completed_1000, false},
    {"tasks failed", get_failed, false},
    {"tasks dead", get_dead, false},
    {"tasks show f77", show_finished, false},
    {"health", get_health, false},
    {"doctor", examine, true},
    {"top", take_snapshot, false},
    {"tasks show t77", show_running, true},
    {"tasks pending --task none", search_pending, true},
    {"tasks completed --task none", search_completed, true},
    {"tasks dead --error none", search_dead, true},
    {"(50 waiting)", page_waiting, false},
    {"(50 waiting, 10 times)", page_waiting_10, true},
    {"(50 delayed)", page_delayed, false},
    {"(50 delayed, 10 times)", page_delayed_10, true},
    {"(50 running)", page_running, false},
    {"(50 completed)", page_completed, false},
    {"(50 dead)", page_dead, false},
    {"(a step through what waits)", step_waiting, true},
    {"(a step through what is delayed)", step_delayed, true},
    {"(a step through what completed)", step_completed, true},
    {"(a step through the dead)", step_dead, true},
    {"(the dead, grouped)", group_dead, true},
    {"(levels of a queue)", levels, true},
};

/* --- measuring --------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
measure(json_t *(*run)(void), double ms[ROUNDS])
{
	int64_t begin_us;
	json_t *answer;
	size_t i;

	for (i = 0; i < ROUNDS; i++) {
		begin_us = clock_mono_us();
		if ((answer = run()) == NULL)
			errx(1, "an operation has failed");
		ms[i] = (double)(clock_mono_us() - begin_us) / 1e3;
		json_decref(answer);
	}
	qsort(ms, ROUNDS, sizeof(*ms), compare);
}

static void
spawn(const char *arguments)
{
	char *command, *argv[] = {(char *)"sh", (char *)"-c", NULL, NULL};
	pid_t pid;
	int status;

	if (asprintf(&command,
		     "exec \"$BUILD_DIR\"/bin/flowrractl %s "
		     ">/dev/null 2>&1",
		     arguments) < 0)
		errx(71, "no memory");
	argv[2] = command;
	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) != 0 ||
	    waitpid(pid, &status, 0) != pid)
		err(71, "sh");
	free(command);
}

static void
measure_process(const char *arguments, double ms[ROUNDS])
{
	int64_t begin_us;
	size_t i;

	for (i = 0; i < ROUNDS; i++) {
		begin_us = clock_mono_us();
		spawn(arguments);
		ms[i] = (double)(clock_mono_us() - begin_us) / 1e3;
	}
	qsort(ms, ROUNDS, sizeof(*ms), compare);
}

/* Returns whether it is as quick as it has to be. */
static bool
report(struct redis_server *server, size_t i)
{
	double manager[ROUNDS], process[ROUNDS] = {0}, command;

	measure(operations[i].run, manager);
	if (operations[i].arguments[0] != '(')
		measure_process(operations[i].arguments, process);
	command = longest_command(server).ms;
	printf("%-34s %8.2f %8.2f %8.2f %8.2f %8.2f %8.2f\n",
	       operations[i].arguments, manager[0], manager[ROUNDS / 2],
	       manager[ROUNDS - 1], command, process[0], process[ROUNDS / 2]);
	fflush(stdout);
	return command < COMMAND_MAX_MS &&
	       (operations[i].search || manager[ROUNDS / 2] < OPERATION_MAX_MS);
}

/* The server, or NULL for SQLite, with all that is to be asked for. */
static struct redis_server *
fill(bool sqlite, long tasks)
{
	static const char *const settings[] = {"--slowlog-log-slower-than",
					       "200", "--slowlog-max-len",
					       "10000", NULL};
	const struct redis_server_options options = {.args = settings};
	struct redis_server *server = redis_server_start(&options);
	struct err err = ERR_INIT;
	char *schedules, *broker;

	if (asprintf(&schedules, "sqlite://%s/schedules.db",
		     redis_server_dir(server)) < 0 ||
	    asprintf(&broker, "sqlite://%s/flowrra.db",
		     redis_server_dir(server)) < 0)
		errx(71, "no memory");
	setenv("FLOWRRA_SCHEDULER_DATABASE_URL", schedules, 1);
	setenv("FLOWRRA_BROKER_URL",
	       sqlite ? broker : redis_server_unix_url(server), 1);
	if (sqlite) {
		if (flowrra_open(NULL, &client, NULL) != 0)
			errx(1, "%s cannot be opened", broker);
		json_decref(stats_get(client, &err));
		flowrra_close(client);
		operate_fill_sqlite(broker, tasks);
	} else {
		operate_fill_redis(server, tasks);
	}
	longest_command(server);
	free(broker);
	free(schedules);
	return server;
}

int
main(int argc, char **argv)
{
	const bool sqlite = argc > 1 && strcmp(argv[1], "sqlite") == 0;
	const long tasks = argc > 2 ? strtol(argv[2], NULL, 10) : 1000000;
	struct redis_server *server;
	struct flowrra_error error;
	bool good = true;
	size_t i;

	if (tasks < 1000)
		errx(64, "usage: manager_bench [redis|sqlite] [TASKS], at "
			 "least 1000");
	server = fill(sqlite, tasks);
	if (flowrra_open(NULL, &client, &error) != 0)
		errx(1, "%s", error.message);
	printf("%s, %ld tasks wait; ms:\n%-34s %8s %8s %8s %8s %8s %8s\n",
	       sqlite ? "SQLite" : "Redis", tasks, "flowrractl", "manager",
	       "median", "longest", "command", "process", "median");
	fflush(stdout);
	for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		good = report(server, i) && good;
	flowrra_close(client);
	redis_server_stop(server);
	return !good;
}
