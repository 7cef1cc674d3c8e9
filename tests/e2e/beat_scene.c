/* SPDX-License-Identifier: MIT */
/* A scene for schedulers. */
#include "e2e/beat_scene.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "e2e/look.h"
#include "redis_cluster.h"
#include "schedules/health.h"
#include "sql_server.h"
#include "util/clock.h"
#include "util/err.h"

#define COMMAND "exec flowrra-beat --config flowrra.conf"
#define REPLICATED "[broker]\nreplicas = 1\nsocket_timeout = 2\n"

/* --- a small disk -------------------------------------------------------- */

/* Only this process and those that it starts see it. */
static bool
mount_disk(struct scene *s, enum scene_database kind, unsigned int kib)
{
	/* A server wants to own it; root uses no file of others. */
	const struct passwd *owner =
	    kind != SCENE_SQLITE ? getpwnam("postgres") : NULL;
	char options[64];

	s->disk = strdup("/tmp/flowrra-disk-XXXXXX");
	ck_assert_ptr_nonnull(s->disk);
	ck_assert_ptr_nonnull(mkdtemp(s->disk));
	snprintf(options, sizeof(options), "size=%uk,mode=700,uid=%u", kib,
		 owner != NULL ? (unsigned int)owner->pw_uid : 0);
	if (unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tmpfs", s->disk, "tmpfs", 0, options) == 0)
		return true;
	rmdir(s->disk);
	free(s->disk);
	return false;
}

static void
filler(const struct scene *s, char path[static 64])
{
	snprintf(path, 64, "%s/filler", s->disk);
}

void
scene_fill_disk(struct scene *s)
{
	static const char zeros[65536];
	size_t size = sizeof(zeros);
	char path[64];
	int fd;

	filler(s, path);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	while (size > 0)
		if (write(fd, zeros, size) <= 0)
			size /= 2;
	close(fd);
}

void
scene_empty_disk(struct scene *s)
{
	char path[64];

	filler(s, path);
	ck_assert_int_eq(unlink(path), 0);
}

/* --- opening and closing ------------------------------------------------- */

static void
use_disk(struct scene *s)
{
	char sql[128];

	if (s->disk == NULL)
		return;
	snprintf(sql, sizeof(sql), "CREATE TABLESPACE small LOCATION '%s'",
		 s->disk);
	sql_server_run(s->server, NULL, sql);
	sql_server_run(s->server, NULL,
		       "GRANT CREATE ON TABLESPACE small TO flowrra");
	sql_server_run(s->server, NULL,
		       "ALTER ROLE flowrra SET default_tablespace = small");
}

/* Before the world, whose directory other users cannot enter. */
static char *
start_server(struct scene *s, enum scene_database kind)
{
	s->server =
	    sql_server_start(kind == SCENE_POSTGRESQL ? SQL_SERVER_POSTGRESQL
						      : SQL_SERVER_MARIADB);
	use_disk(s);
	return sql_server_database(s->server, "beat");
}

static void
open_scene(struct scene *s, enum scene_database kind, bool apart)
{
	const struct world_options o = {
	    .no_worker = true,
	    .separate_backend = apart,
	    .url = s->cluster != NULL ? redis_cluster_url(s->cluster) : NULL};
	struct schedules_options options = {.timeout_ms = 20000};
	struct err err = ERR_INIT;
	char *url = NULL;

	s->command = COMMAND;
	if (kind != SCENE_SQLITE)
		url = start_server(s, kind);
	s->world = world_start(&o);
	if (kind == SCENE_SQLITE)
		url = strdup(world_text(s->world, "sqlite://%s/schedules.db",
					s->disk != NULL ? s->disk
							: world_dir(s->world)));
	options.url = world_keep(s->world, url);
	world_configure(s->world, NULL,
			world_text(s->world,
				   "%s[scheduler]\ndatabase_url = %s\n"
				   "check_interval = 1\n",
				   s->cluster != NULL ? REPLICATED : "",
				   options.url));
	s->db = schedules_open(&options, &err);
	ck_assert_msg(s->db != NULL, "%s", err.msg);
}

void
scene_open(struct scene *s, enum scene_database kind)
{
	*s = (struct scene){.db = NULL};
	open_scene(s, kind, false);
}

void
scene_open_apart(struct scene *s, enum scene_database kind)
{
	*s = (struct scene){.db = NULL};
	open_scene(s, kind, true);
}

void
scene_open_cluster(struct scene *s, enum scene_database kind)
{
	const struct redis_cluster_options replicated = {.replicas = true};

	*s = (struct scene){.cluster = redis_cluster_start(&replicated)};
	open_scene(s, kind, false);
}

bool
scene_open_small(struct scene *s, enum scene_database kind,
		 unsigned int disk_kib)
{
	*s = (struct scene){.db = NULL};
	if (!mount_disk(s, kind, disk_kib))
		return false;
	open_scene(s, kind, false);
	return true;
}

void
scene_close(struct scene *s)
{
	schedules_close(s->db);
	world_stop(s->world);
	if (s->cluster != NULL)
		redis_cluster_stop(s->cluster);
	sql_server_stop(s->server);
	if (s->disk == NULL)
		return;
	umount2(s->disk, MNT_DETACH);
	rmdir(s->disk);
	free(s->disk);
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
					    .workflow = s->workflow,
					    .enabled = true,
					    .settings = TASK_SETTINGS_UNSET,
					    .misfire = SCHEDULE_ALL,
					    .grace_us = SCHEDULE_UNSET,
					    .start_us = now_us + period_us / 2};
		char args[32];

		schedule.overlap = s->overlap;
		schedule.max_runs = s->max_runs;
		if (s->grace_us > 0) {
			schedule.misfire = SCHEDULE_LATEST;
			schedule.grace_us = s->grace_us;
		}
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

static struct redis_server *
scene_redis(struct scene *s)
{
	return s->cluster != NULL
		   ? redis_cluster_server_of(s->cluster, "flowrra:queue:io")
		   : world_redis(s->world);
}

long long
scene_enqueued(struct scene *s)
{
	return redis_integer(scene_redis(s), "LLEN flowrra:queue:io");
}

long long
scene_skipped(struct scene *s, enum schedule_reason reason)
{
	struct schedules_stats *stats;
	struct err err = ERR_INIT;
	long long n;

	ck_assert_msg(
	    schedules_stats(s->db, NULL, clock_wall_us(), &stats, &err) == 0,
	    "%s", err.msg);
	n = stats->skipped[reason];
	schedules_stats_free(stats);
	return n;
}

/* --- the verdict --------------------------------------------------------- */

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
	    scene_redis(s), "LRANGE flowrra:queue:io 0 -1");
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
	char text[SCHEDULE_TASK_ID_SIZE + 2], *key = text;
	int64_t fire, period_us;
	long long found = 0;

	ck_assert_int_eq(clock_parse_duration(s->rule, &period_us, NULL), 0);
	for (fire = s->start_us; fire < s->next_run_us; fire += period_us) {
		schedule_fire_id(s->id, schedule_work(s), fire, text);
		if (schedule_work(s) == SCHEDULE_WORKFLOW)
			strcat(text, ".a");
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
