/* SPDX-License-Identifier: MIT */
/* What the contract tests share. */
#include "store/stage.h"

#include <event2/event.h>
#include <fcntl.h>
#include <hiredis.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "redis_cluster.h"
#include "redis_group.h"
#include "redis_server.h"
#include "suite.h"
#include "util/clock.h"

#define PATIENCE_MS 10000

static bool stage_has_sentinel, stage_has_cluster, stage_has_replicas;

void
stage_use_cluster(void)
{
	stage_has_cluster = true;
}

void
stage_use_replicated(void)
{
	stage_has_cluster = stage_has_replicas = true;
}

void
stage_use_sentinel(void)
{
	stage_has_sentinel = true;
}

static void
stage_start_redis(struct stage *w)
{
	const struct redis_group_options o = {.lone = true};
	const struct redis_cluster_options cluster = {.replicas =
							  stage_has_replicas};

	if (stage_has_cluster) {
		w->cluster = redis_cluster_start(&cluster);
		w->server = redis_cluster_server(w->cluster, 0);
		snprintf(w->url, sizeof(w->url), "%s",
			 redis_cluster_url(w->cluster));
	} else if (stage_has_sentinel) {
		w->group = redis_group_start(&o);
		w->server = redis_group_server(w->group, 0);
		snprintf(w->url, sizeof(w->url), "%s",
			 redis_group_url(w->group));
	} else {
		w->server = redis_server_start(NULL);
		snprintf(w->url, sizeof(w->url), "%s",
			 redis_server_unix_url(w->server));
	}
}

void
stage_open(struct stage *w, int kind)
{
	static const char *const queues[] = {"io", "cpu"};

	*w = (struct stage){.kind = (enum kind)kind};
	ck_assert_ptr_nonnull(w->base = event_base_new());
	snprintf(w->dir, sizeof(w->dir), "%s/flowrra-stage-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(w->dir));
	if (kind == KIND_REDIS) {
		stage_start_redis(w);
	} else {
		snprintf(w->url, sizeof(w->url), "sqlite://%s/flowrra.db",
			 w->dir);
	}
	w->options = (struct broker_options){.base = w->base,
					     .url = w->url,
					     .queue_key = "flowrra:queue",
					     .timeout_ms = 2000,
					     .max_connections = 50,
					     .queues = queues,
					     .n_queues = 2,
					     .max_task = 1000};
}

const char *
stage_path(const struct stage *w)
{
	return w->url + strlen("sqlite://");
}

int
stage_wake_dir(const struct stage *w)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s-wake", stage_path(w));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

void
stage_close(struct stage *w)
{
	char command[128];

	if (w->cluster != NULL)
		redis_cluster_stop(w->cluster);
	else if (w->group != NULL)
		redis_group_stop(w->group);
	else
		redis_server_stop(w->server);
	event_base_free(w->base);
	snprintf(command, sizeof(command), "rm -rf '%s'", w->dir);
	ck_assert_int_eq(system(command), 0);
}

int64_t
stage_deadline(void)
{
	return clock_mono_ms() + PATIENCE_MS;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
}

bool
stage_turn(struct stage *w, int64_t deadline)
{
	const struct timeval tv = {.tv_usec = 20000};

	event_base_once(w->base, -1, EV_TIMEOUT, on_tick, NULL, &tv);
	event_base_loop(w->base, EVLOOP_ONCE);
	return clock_mono_ms() < deadline;
}

void
stage_linger(struct stage *w, int ms)
{
	const int64_t until = clock_mono_ms() + ms;

	while (stage_turn(w, until))
		;
}

void
stage_called(struct stage *w)
{
	const size_t n =
	    w->cluster != NULL ? redis_cluster_size(w->cluster) : 1;
	struct redis_server *server;
	size_t i;

	if (++w->calls != w->cut_after || w->kind != KIND_REDIS)
		return;
	for (i = 0; i < n; i++) {
		server = w->cluster != NULL
			     ? redis_cluster_server(w->cluster, i)
			     : w->server;
		redis_server_run(server, "CLIENT KILL TYPE normal");
		redis_server_run(server, "CLIENT KILL TYPE pubsub");
	}
}

static int
take_column(void *ret, int n, char **columns, char **names)
{
	if (n > 0 && columns[0] != NULL)
		*(int *)ret = atoi(columns[0]);
	return 0;
}

int
stage_sql(struct stage *w, const char *sql)
{
	char *message = NULL;
	sqlite3 *db;
	int n = 0;

	ck_assert_int_eq(sqlite3_open(stage_path(w), &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	ck_assert_msg(sqlite3_exec(db, sql, take_column, &n, &message) ==
			  SQLITE_OK,
		      "%s", message);
	sqlite3_close(db);
	return n;
}

int
stage_dead(struct stage *w)
{
	redisReply *reply;
	int n;

	if (w->kind != KIND_REDIS)
		return stage_sql(w, "SELECT count(*) FROM dead");
	reply =
	    redis_server_command(w->server, "ZCARD {flowrra:queue:io}:dead");
	n = (int)reply->integer;
	freeReplyObject(reply);
	return n;
}

int
stage_dead_bytes(struct stage *w)
{
	redisReply *reply;
	size_t i;
	int n = 0;

	if (w->kind != KIND_REDIS)
		return stage_sql(w, "SELECT sum(length(bytes)) FROM dead");
	reply = redis_server_command(w->server,
				     "HVALS {flowrra:queue:io}:dead:tasks");
	for (i = 0; i < reply->elements; i++)
		n += (int)reply->element[i]->len;
	freeReplyObject(reply);
	return n;
}

static void
want_one(struct party *worker, size_t n)
{
	broker_want(worker->broker, 0, 1);
	stage_called(worker->stage);
	UNTIL(worker->stage, worker->n_claims == n);
}

void
stage_live(struct stage *w)
{
	/* With its key, it may be sent again when its fate is unknown. */
	struct broker_submit task = {.queue = "io",
				     .id = SLICE("1"),
				     .bytes = SLICE("[1]"),
				     .record = SLICE("{\"pending\":1}"),
				     .unique = SLICE("key"),
				     .unique_s = 60};
	struct party *producer = party_open(w, NULL), *worker;
	struct backend *results;

	while (party_submit_with(producer, &task) != ERR_NONE) {
		ck_assert_int_eq(producer->err.code, ERR_UNAVAILABLE);
		stage_linger(w, 20);
	}
	worker = party_open(w, "host:a");
	results = backend_open(w);
	want_one(worker, 1);
	ck_assert(party_has(worker, 0, "[1]"));
	backend_put(w, results, "1", "{\"done\":1}", true, 60);
	party_retry(worker, 0, "[2]", 0);
	want_one(worker, 2);
	ck_assert(party_has(worker, 1, "[2]"));
	party_settle(worker, 1, BROKER_RELEASE);
	want_one(worker, 3);
	party_settle(worker, 2, BROKER_BURY);
	ck_assert_int_eq(stage_dead(w), 1);
	UNTIL(w, results_is_up(results->results));
	ck_assert_str_eq(backend_get(w, results, "1"), "{\"done\":1}");
	broker_want(worker->broker, 0, 5);
	stage_linger(w, 30);
	ck_assert_uint_eq(worker->n_claims, 3);
	backend_close(results);
	party_close(worker);
	party_close(producer);
}
