/* SPDX-License-Identifier: MIT */
/* Stores with many tasks in them, of all kinds. */
#include "operate_fill.h"

#include <err.h>
#include <hiredis.h>
#include <sqlite3.h>
#include <string.h>

#include "redis_server.h"

#define QUEUE "flowrra:queue:io"
#define TASK                                                                   \
	"{\"id\":\"t%ld\",\"name\":\"demo.noop\",\"args\":[%ld,\"hello\"],"    \
	"\"kwargs\":{},\"max_retries\":3,\"retry_delay\":1.0,"                 \
	"\"current_retry\":0,\"priority\":%d,\"cpu_bound\":false,"             \
	"\"queue\":\"io\","                                                    \
	"\"submitted_at\":\"2026-11-23T10:00:00.000000+00:00\"}"

#define FULL_RECORD                                                            \
	"{\"task_id\":\"%s%ld\",\"status\":\"%s\",\"task_name\":"              \
	"\"demo.noop\",\"result\":{\"sum\":%ld},\"error\":null,"               \
	"\"submitted_at\":\"2026-11-23T10:00:00.000000+00:00\","               \
	"\"started_at\":\"2026-11-23T10:00:01.000000+00:00\","                 \
	"\"finished_at\":null,\"retries\":0,\"args\":[%ld,\"hello\"],"         \
	"\"kwargs\":{},\"queue\":\"io\",\"worker\":\"host:1\"}"
#define RECORD                                                                 \
	"{\"task_id\":\"f%ld\",\"status\":\"success\","                        \
	"\"task_name\":\"demo.noop\",\"result\":null}"

#define WORKER                                                                 \
	"{\"id\":\"host:%ld\",\"host\":\"host\",\"pid\":1,\"version\":"        \
	"\"0.1.0\",\"started_at\":\"2026-11-23T10:00:00.000000+00:00\","       \
	"\"state\":\"running\",\"queues\":[\"io\"],\"slots\":{\"io\":"         \
	"{\"slots\":4,\"tasks\":1}}}"

static redisContext *
connect_directly(struct redis_server *server)
{
	const char *path = redis_server_unix_url(server);
	redisContext *c = redisConnectUnix(path + strlen("unix://"));

	if (c == NULL || c->err)
		errx(71, "%s does not answer", path);
	return c;
}

static void
drain(redisContext *c, long n)
{
	redisReply *reply;

	for (; n > 0; n--) {
		if (redisGetReply(c, (void **)&reply) != REDIS_OK ||
		    reply->type == REDIS_REPLY_ERROR)
			errx(71, "filling: %s",
			     c->err ? c->errstr : reply->str);
		freeReplyObject(reply);
	}
}

static void
fill_waiting(redisContext *c, long tasks)
{
	long i, sent = 0;

	for (i = 0; i < tasks; i++, sent++) {
		if (i % 50 == 0)
			redisAppendCommand(c, "LPUSH {%s}:p:5 " TASK, QUEUE, i,
					   i, 5);
		else
			redisAppendCommand(c, "LPUSH %s " TASK, QUEUE, i, i, 0);
		if (sent == 1000) {
			drain(c, sent);
			sent = 0;
		}
	}
	redisAppendCommand(c, "ZADD {%s}:levels 5 5", QUEUE);
	redisAppendCommand(c, "SADD flowrra:queues io cpu mail");
	drain(c, sent + 2);
}

static void
fill_delayed(redisContext *c, long tasks)
{
	long i;

	for (i = 0; i < tasks / 10; i++)
		redisAppendCommand(c, "ZADD {%s}:delayed %ld.5 " TASK, QUEUE,
				   1900000000000 + i, tasks + i, i, 0);
	drain(c, i);
}

static void
fill_dead(redisContext *c)
{
	long i;

	for (i = 0; i < OPERATE_DEAD; i++) {
		redisAppendCommand(c, "ZADD {%s}:dead %ld d%ld", QUEUE,
				   1790000000000 + i, i);
		redisAppendCommand(c, "HSET {%s}:dead:tasks d%ld " TASK, QUEUE,
				   i, i, i, 0);
		redisAppendCommand(c,
				   "HSET {%s}:dead:info d%ld "
				   "{\"reason\":\"failed\"}",
				   QUEUE, i);
	}
	drain(c, 3 * i);
}

static void
fill_workers(redisContext *c)
{
	long i;

	for (i = 0; i < OPERATE_IN_FLIGHT; i++) {
		redisAppendCommand(c, "LPUSH {%s}:inflight:host:%ld#%ld " TASK,
				   QUEUE, i % OPERATE_WORKERS, 1 + i % 16, i, i,
				   0);
		redisAppendCommand(c, "SET flowrra:task:t%ld " FULL_RECORD, i,
				   "t", i, "running", i, i);
	}
	drain(c, 2 * i);
	for (i = 0; i < OPERATE_WORKERS; i++) {
		redisAppendCommand(c, "ZADD flowrra:workers %ld host:%ld", i,
				   i);
		redisAppendCommand(c, "SET flowrra:worker:host:%ld " WORKER, i,
				   i);
	}
	drain(c, 2 * i);
}

static void
fill_completed(redisContext *c, long n)
{
	long i;

	for (i = 0; i < n; i++) {
		redisAppendCommand(c, "SET flowrra:task:f%ld " FULL_RECORD, i,
				   "f", i, "success", i, i);
		redisAppendCommand(c, "LPUSH flowrra:completed f%ld", i);
	}
	drain(c, 2 * i);
}

void
operate_fill_redis(struct redis_server *server, long tasks)
{
	redisContext *c = connect_directly(server);

	fill_waiting(c, tasks);
	fill_delayed(c, tasks);
	fill_dead(c);
	fill_workers(c);
	fill_completed(c, tasks / 10);
	redisFree(c);
}

/* --- SQLite ------------------------------------------------------------ */

/* ?1 tasks; of every second one, the record is there as well. */
static const char *const rows[] = {
    "INSERT INTO queues (id, name, size, next) VALUES "
    "(1, 'io', ?1 + ?1 / 10, 2 * ?1 + 100000), (2, 'cpu', 0, 1), "
    "(3, 'mail', 0, 1)",
    "WITH n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < "
    "?1 + ?1 / 10) INSERT INTO tasks SELECT 1 << 40 | (i + 1), "
    "CAST(printf('" TASK "', i, i, iif(i % 50, 0, 5)) AS BLOB) FROM n",
    "WITH n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) "
    "INSERT INTO waiting SELECT 1, iif(i % 50, 0, 5), i + 1, "
    "1 << 40 | (i + 1), 0 FROM n",
    "WITH n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < "
    "?1 / 10) INSERT INTO delayed SELECT 1, 1900000000000 + i, "
    "1 << 40 | (?1 + i + 1), 0, 0 FROM n",
    "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 2 FROM n WHERE i + 2 < ?1) "
    "INSERT INTO results (id, record, final, task) SELECT 't' || i, "
    "CAST(printf('" RECORD "', i) AS BLOB), 0, 1 << 40 | (i + 1) FROM n",
    "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 / 10) "
    "INSERT INTO results (id, record, final, failed, ended) SELECT 'f' || i, "
    "CAST(printf('" RECORD "', i) AS BLOB), 1, 0, i FROM n",
    "UPDATE totals SET succeeded = ?1 / 10",
};
/* The same for ?1 of the dead, in flight and workers. */
static const char *const few_rows[] = {
    "WITH n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) "
    "INSERT INTO dead (queue, died, id, bytes, info) SELECT 1, "
    "1790000000000 + i, 'd' || i, CAST(printf('" TASK "', i, i, 0) AS BLOB), "
    "'{}' FROM n",
    "WITH n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) "
    "INSERT INTO inflight SELECT 1 + i % 50, 2 << 40 | (i + 1), 2, 0, i FROM n",
    "WITH n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) "
    "INSERT INTO workers SELECT i + 1, 'host:' || i, '{}', 0, '-' FROM n",
    "INSERT INTO tasks SELECT number, '{}' FROM inflight",
};

static void
run_rows(sqlite3 *db, const char *sql, long n)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		errx(71, "filling: %s", sqlite3_errmsg(db));
	if (sqlite3_bind_parameter_count(stmt) > 0)
		sqlite3_bind_int64(stmt, 1, n);
	if (sqlite3_step(stmt) != SQLITE_DONE)
		errx(71, "filling: %s", sqlite3_errmsg(db));
	sqlite3_finalize(stmt);
}

void
operate_fill_sqlite(const char *url, long tasks)
{
	const long few[] = {OPERATE_DEAD, OPERATE_IN_FLIGHT, OPERATE_WORKERS,
			    0};
	sqlite3 *db;
	size_t i;

	if (sqlite3_open(url + strlen("sqlite://"), &db) != SQLITE_OK)
		errx(71, "%s cannot be opened", url);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_rows(db, rows[i], tasks);
	for (i = 0; i < sizeof(few_rows) / sizeof(few_rows[0]); i++)
		run_rows(db, few_rows[i], few[i]);
	sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
				  NULL);
	sqlite3_close(db);
}

/* --- how long ------------------------------------------------------------ */

double
operate_longest_ms(struct redis_server *server)
{
	redisReply *log;
	long long us = 0;
	size_t i;

	if (server == NULL)
		return 0;
	log = redis_server_command(server, "SLOWLOG GET -1");
	for (i = 0; i < log->elements; i++)
		if (log->element[i]->element[2]->integer > us)
			us = log->element[i]->element[2]->integer;
	freeReplyObject(log);
	redis_server_run(server, "SLOWLOG RESET");
	return (double)us / 1e3;
}
