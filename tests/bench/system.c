/* SPDX-License-Identifier: MIT */
/* The systems under test. */
#include "system.h"

#include <err.h>
#include <hiredis/hiredis.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"

/* --- Redis ------------------------------------------------------------- */

static void
start_redis(struct system *s, const char *const *args)
{
	const struct redis_server_options options = {.args = args};
	struct redis_server *server = redis_server_start(&options);
	redisReply *info = redis_server_command(server, "INFO server");
	const char *pid = strstr(info->str, "process_id:");
	int n;

	s->state = server;
	s->url = strdup(redis_server_unix_url(server));
	if (pid == NULL || s->url == NULL ||
	    sscanf(pid, "process_id:%d", &n) != 1 ||
	    sscanf(info->str, "# Server redis_version:%31s", s->version) != 1)
		errx(1, "redis-server does not say what it is");
	s->server = n;
	freeReplyObject(info);
}

static void
start_volatile(struct system *s, const char *dir)
{
	start_redis(s, NULL);
}

static void
start_appending(struct system *s, const char *dir)
{
	static const char *const args[] = {"--appendonly", "yes",
					   "--appendfsync", "everysec", NULL};

	start_redis(s, args);
}

static void
stop_redis(struct system *s)
{
	redis_server_stop(s->state);
	free(s->url);
}

/* --- SQLite ------------------------------------------------------------ */

static void
start_sqlite(struct system *s, const char *dir)
{
	snprintf(s->version, sizeof(s->version), "%s", sqlite3_libversion());
	if (asprintf(&s->url, "sqlite://%s/flowrra.db", dir) < 0)
		err(1, NULL);
}

static void
stop_sqlite(struct system *s)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char path[4096];
	size_t i;

	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s",
			 s->url + strlen("sqlite://"), suffixes[i]);
		remove(path);
	}
	free(s->url);
}

/* --- all of them ------------------------------------------------------- */

const struct system_type system_types[] = {
    {.name = "redis",
     .description = "Redis on a Unix socket, without persistence",
     .has_floor = true,
     .start = start_volatile,
     .stop = stop_redis},
    {.name = "redis-aof",
     .description = "the same with appendonly, fsync every second",
     .has_floor = true,
     .start = start_appending,
     .stop = stop_redis},
    {.name = "sqlite",
     .description = "the embedded default, flushed to disk",
     .start = start_sqlite,
     .stop = stop_sqlite,
     .beside_sqlite = true},
};
const size_t n_system_types = sizeof(system_types) / sizeof(system_types[0]);

const struct system_type *
system_find(const char *name)
{
	size_t i;

	for (i = 0; i < n_system_types; i++)
		if (strcmp(system_types[i].name, name) == 0)
			return &system_types[i];
	return NULL;
}
