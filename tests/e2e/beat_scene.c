/* SPDX-License-Identifier: MIT */
/* A scene for schedulers. */
#include "e2e/beat_scene.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/look.h"
#include "sql_server.h"
#include "util/clock.h"
#include "util/err.h"

#define COMMAND "exec flowrra-beat --config flowrra.conf"

void
scene_open(struct scene *s, enum scene_database kind)
{
	const struct world_options o = {.no_worker = true};
	struct schedules_options options = {.timeout_ms = 20000};
	struct err err = ERR_INIT;
	char *url = NULL;

	*s = (struct scene){.command = COMMAND};
	/* Before the world, whose directory other users cannot enter. */
	if (kind != SCENE_SQLITE) {
		s->server = sql_server_start(kind == SCENE_POSTGRESQL
						 ? SQL_SERVER_POSTGRESQL
						 : SQL_SERVER_MARIADB);
		url = sql_server_database(s->server, "beat");
	}
	s->world = world_start(&o);
	if (kind == SCENE_SQLITE)
		url = strdup(world_text(s->world, "sqlite://%s/schedules.db",
					world_dir(s->world)));
	options.url = world_keep(s->world, url);
	world_configure(s->world, NULL,
			world_text(s->world,
				   "[scheduler]\ndatabase_url = %s\n"
				   "check_interval = 1\n",
				   options.url));
	s->db = schedules_open(&options, &err);
	ck_assert_msg(s->db != NULL, "%s", err.msg);
}

void
scene_close(struct scene *s)
{
	schedules_close(s->db);
	world_stop(s->world);
	sql_server_stop(s->server);
}

void
scene_start(struct scene *s, int n)
{
	int i;

	for (i = 0; i < n; i++)
		s->beats[i] = worker_spawn(s->world, s->command);
	for (i = 0; i < n; i++)
		worker_notified(s->beats[i], "READY=1");
}

/* Half of them at the same moments, half of them each at its own. */
void
scene_schedule(struct scene *s, int n, int64_t period_ms)
{
	const int64_t now_us = clock_wall_us(), period_us = period_ms * 1000;
	char rule[32], id[32], made[SCHEDULE_ID_MAX + 1];
	struct err err = ERR_INIT;
	bool existing;
	int i;

	snprintf(rule, sizeof(rule), "%lldms", (long long)period_ms);
	for (i = 0; i < n; i++) {
		struct schedule schedule = {.id = id,
					    .task = "add",
					    .type = SCHEDULE_INTERVAL,
					    .rule = rule,
					    .queue = "io",
					    .enabled = true,
					    .max_retries = SCHEDULE_UNSET,
					    .retry_delay_us = SCHEDULE_UNSET,
					    .misfire = SCHEDULE_ALL,
					    .grace_us = SCHEDULE_UNSET,
					    .start_us = now_us + period_us / 2};
		char args[32];

		snprintf(id, sizeof(id), "s%d", s->n_schedules);
		snprintf(args, sizeof(args), "[%d]", s->n_schedules++);
		schedule.args = args;
		if (i % 2 == 0)
			schedule.start_us += i * period_us / n;
		schedule.next_run_us = schedule.due_us = schedule.start_us;
		ck_assert_msg(schedules_create(s->db, &schedule, now_us, made,
					       &existing, &err) == 0,
			      "%s", err.msg);
	}
}

long long
scene_enqueued(struct scene *s)
{
	return redis_integer(world_redis(s->world), "LLEN flowrra:queue:io");
}

/* --- the verdict -----------------------------------------------------------
 */

static long long
unsent(struct scene *s)
{
	struct schedules_stats *stats;
	struct err err = ERR_INIT;
	long long n;

	ck_assert_msg(
	    schedules_stats(s->db, NULL, clock_wall_us(), &stats, &err) == 0,
	    "%s", err.msg);
	n = stats->unsent;
	schedules_stats_free(stats);
	return n;
}

static void
disable_all(struct scene *s)
{
	struct err err = ERR_INIT;
	char id[32];
	int i;

	for (i = 0; i < s->n_schedules; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		ck_assert_msg(
		    schedules_disable(s->db, id, clock_wall_us(), &err) == 0,
		    "%s", err.msg);
	}
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The ids of all tasks in the queue, sorted. */
static char **
enqueued_ids(struct scene *s, size_t *ret_n)
{
	struct redisReply *all = redis_server_command(
	    world_redis(s->world), "LRANGE flowrra:queue:io 0 -1");
	char **ids = calloc(all->elements + 1, sizeof(*ids)), *end;
	size_t i;

	ck_assert_ptr_nonnull(ids);
	for (i = 0; i < all->elements; i++) {
		ids[i] = strstr(all->element[i]->str, "\"id\": \"");
		if (ids[i] == NULL)
			ids[i] = strstr(all->element[i]->str, "\"id\":\"");
		ck_assert_ptr_nonnull(ids[i]);
		ids[i] = strdup(strchr(ids[i] + 4, '"') + 1);
		if ((end = strchr(ids[i], '"')) != NULL)
			*end = '\0';
	}
	*ret_n = all->elements;
	freeReplyObject(all);
	qsort(ids, *ret_n, sizeof(*ids), compare);
	return ids;
}

/* Each fire of a schedule, by its id, among those in the queue. */
static long long
check_schedule(const struct schedule *s, char **ids, size_t n)
{
	char text[SCHEDULE_TASK_ID_SIZE], *key = text;
	int64_t fire, period_us;
	long long found = 0;

	ck_assert_int_eq(clock_parse_duration(s->rule, &period_us, NULL), 0);
	for (fire = s->start_us; fire < s->next_run_us; fire += period_us) {
		schedule_task_id(s->id, fire, text);
		ck_assert_msg(bsearch(&key, ids, n, sizeof(*ids), compare) !=
				  NULL,
			      "fire %s is lost", text);
		found++;
	}
	ck_assert_int_eq(found, s->runs);
	return found;
}

long long
scene_verdict(struct scene *s)
{
	struct schedules_list *list;
	struct schedules_filter all = {.limit = 10000};
	struct err err = ERR_INIT;
	long long expected = 0;
	size_t n, i;
	char **ids;

	disable_all(s);
	WAIT_UNTIL(unsent(s) == 0);
	ids = enqueued_ids(s, &n);
	for (i = 1; i < n; i++)
		ck_assert_msg(strcmp(ids[i - 1], ids[i]) != 0,
			      "fire %s came twice", ids[i]);
	ck_assert_msg(schedules_list(s->db, &all, &list, &err) == 0, "%s",
		      err.msg);
	for (i = 0; i < list->n; i++)
		expected += check_schedule(&list->items[i], ids, n);
	ck_assert_int_eq(expected, n);
	schedules_list_free(list);
	for (i = 0; i < n; i++)
		free(ids[i]);
	free(ids);
	return expected;
}
