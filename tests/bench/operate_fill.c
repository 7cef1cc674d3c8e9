/* SPDX-License-Identifier: MIT */
/* Stores with many tasks in them, of all kinds. */
#include "operate_fill.h"

#include <err.h>
#include <hiredis.h>
#include <sqlite3.h>
#include <string.h>
#include <time.h>

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

/* --- variety ----------------------------------------------------------- */

/* Of each queue; half of the delayed ones are to be retried. */
#define VARIED_WAITING 500
#define VARIED_DELAYED 50
#define VARIED_DEAD 20
#define VARIED_FAILED 50000
#define VARIED_MINUTES 60
#define VARIED_DUE_MS 1900000000000

#define VARIED_TASK                                                            \
	"{\"id\":\"%s%ld\",\"name\":\"app.mail.task%ld\","                     \
	"\"args\":[%ld,\"hello\"],\"kwargs\":{\"user\":%ld},"                  \
	"\"max_retries\":3,\"retry_delay\":1.0,\"current_retry\":%ld,"         \
	"\"priority\":0,\"cpu_bound\":false,\"queue\":\"q%ld\","               \
	"\"submitted_at\":\"2026-11-23T10:00:00.000000+00:00\"}"
#define FAILED_RECORD                                                          \
	"{\"task_id\":\"x%ld\",\"status\":\"failed\",\"task_name\":"           \
	"\"app.mail.task%ld\",\"result\":null,"                                \
	"\"error\":\"disk-%ld-full\",\"reason\":\"failed\","                   \
	"\"submitted_at\":\"2026-11-23T10:00:00.000000+00:00\","               \
	"\"started_at\":\"2026-11-23T10:00:01.000000+00:00\","                 \
	"\"finished_at\":\"2026-11-23T10:00:02.000000+00:00\","                \
	"\"retries\":3,\"args\":[%ld,\"hello\"],\"kwargs\":{},"                \
	"\"queue\":\"q%ld\",\"worker\":\"host:1\"}"
#define REGISTRATION                                                           \
	"{\"cpu_bound\":false,\"max_retries\":3,\"retry_delay\":1.0,"          \
	"\"timeout\":300.0,\"queue\":\"q%ld\"}"

static void
vary_queue(redisContext *c, long q)
{
	long i, n;

	for (i = 0; i < VARIED_WAITING; i++) {
		n = q * VARIED_WAITING + i;
		redisAppendCommand(c, "LPUSH flowrra:queue:q%ld " VARIED_TASK,
				   q, "v", n, n % OPERATE_QUEUES, n, n, 0L, q);
	}
	for (i = 0; i < VARIED_DELAYED; i++) {
		n = q * VARIED_DELAYED + i;
		redisAppendCommand(
		    c, "ZADD {flowrra:queue:q%ld}:delayed %ld " VARIED_TASK, q,
		    VARIED_DUE_MS + n, "w", n, n % OPERATE_QUEUES, n, n, i % 2,
		    q);
	}
	for (i = 0; i < VARIED_DEAD; i++) {
		n = q * VARIED_DEAD + i;
		redisAppendCommand(c, "ZADD {flowrra:queue:q%ld}:dead %ld z%ld",
				   q, 1790000000000 + n, n);
		redisAppendCommand(
		    c, "HSET {flowrra:queue:q%ld}:dead:tasks z%ld " VARIED_TASK,
		    q, n, "z", n, n % OPERATE_QUEUES, n, n, 3L, q);
		redisAppendCommand(c,
				   "HSET {flowrra:queue:q%ld}:dead:info z%ld "
				   "{\"reason\":\"failed\"}",
				   q, n);
	}
	redisAppendCommand(c, "SADD flowrra:queues q%ld", q);
	redisAppendCommand(
	    c, "HSET flowrra:registry app.mail.task%ld " REGISTRATION, q, q);
	drain(c, VARIED_WAITING + VARIED_DELAYED + 3 * VARIED_DEAD + 2);
}

/* Of each queue, those that ended and two buckets, in each minute. */
static void
vary_measures(redisContext *c, long minute_s)
{
	static const int whats[] = {0, 1, 3, 4, 105, 210};
	const size_t n = sizeof(whats) / sizeof(whats[0]);
	size_t i;
	long q;

	for (q = 0; q < OPERATE_QUEUES; q++)
		for (i = 0; i < n; i++)
			redisAppendCommand(
			    c,
			    "HSET flowrra:measure:%ld %d:q%ld:app.mail.task%ld "
			    "7",
			    minute_s, whats[i], q, q);
	drain(c, OPERATE_QUEUES * (long)n);
}

void
operate_vary_redis(struct redis_server *server)
{
	redisContext *c = connect_directly(server);
	const long now_s = (long)time(NULL) / 60 * 60;
	long i;

	for (i = 0; i < OPERATE_QUEUES; i++)
		vary_queue(c, i);
	for (i = 0; i < VARIED_FAILED; i++) {
		redisAppendCommand(c, "SET flowrra:task:x%ld " FAILED_RECORD, i,
				   i, i % OPERATE_QUEUES, i % 7, i,
				   i % OPERATE_QUEUES);
		redisAppendCommand(c, "LPUSH flowrra:failed x%ld", i);
	}
	drain(c, 2 * i);
	for (i = 0; i < VARIED_MINUTES; i++)
		vary_measures(c, now_s - 60 * i);
	redisFree(c);
}

/* --- SQLite ------------------------------------------------------------ */

/* ?1 tasks; of every second one, the record is there as well. */
static const char *const rows[] = {
    "INSERT OR REPLACE INTO queues (id, name, size, next) VALUES "
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
    "1 << 40 | (?1 + i + 1), 0 FROM n",
    "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 2 FROM n WHERE i + 2 < ?1) "
    "INSERT INTO results (number, id, record, final, task) SELECT i, 't' || i, "
    "CAST(printf('" FULL_RECORD "', 't', i, iif(i < 1000, 'running', "
    "'pending'), i, i) AS BLOB), 0, 1 << 40 | (i + 1) FROM n",
    "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 / 10) "
    "INSERT INTO results (number, id, record, final) SELECT i + (1 << 45), "
    "'f' || i, CAST(printf('" FULL_RECORD "', 'f', i, 'success', i, i) "
    "AS BLOB), 1 FROM n",
    "INSERT INTO ids SELECT id, -number FROM results WHERE ?1 > 0 ORDER BY id",
    "UPDATE totals SET succeeded = ?1 / 10",
};
/* The same for ?1 of the dead, in flight and workers. */
static const char *const few_rows[] = {
    "WITH n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) "
    "INSERT INTO dead (queue, died, id, bytes, info) SELECT 1, "
    "1790000000000 + i, 'd' || i, CAST(printf('" TASK "', i, i, 0) AS BLOB), "
    "'{}' FROM n",
    "WITH n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) "
    "INSERT INTO inflight SELECT 1 + i % 50, 1 << 40 | 1 << 30 | i, 1, 0, i "
    "FROM n",
    "WITH n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) "
    "INSERT INTO workers (id, name, description, expires, port) SELECT i + 1, "
    "'host:' || i, '{}', 0, '-' FROM n",
    "INSERT INTO tasks SELECT number, CAST(printf('" TASK
    "', seq, seq, 0) AS BLOB) FROM inflight",
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

/* The numbers of the queues begin at 10. ?1 queues. */
#define COUNT_TO(n)                                                            \
	"WITH n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 "   \
	"< " n ") "
static const char *const varied_rows[] = {
    COUNT_TO("?1") "INSERT INTO queues (id, name, size, next) SELECT 10 + i, "
		   "'q' || i, 550, 100000 FROM n",
    COUNT_TO("?1 * 500") "INSERT INTO tasks SELECT (10 + i / 500) << 40 | "
			 "(i % 500 + 1), CAST(printf('" VARIED_TASK
			 "', 'v', i, i % ?1, i, i, 0, "
			 "i / 500) AS BLOB) FROM n",
    COUNT_TO("?1 * 500") "INSERT INTO waiting SELECT 10 + i / 500, 0, "
			 "i % 500 + 1, (10 + i / 500) << 40 | (i % 500 + 1), 0 "
			 "FROM n",
    COUNT_TO("?1 * 50") "INSERT INTO tasks SELECT (10 + i / 50) << 40 | "
			"(i % 50 + 1000), CAST(printf('" VARIED_TASK
			"', 'w', i, i % ?1, i, i, "
			"i % 2, i / 50) AS BLOB) FROM n",
    COUNT_TO("?1 * 50") "INSERT INTO delayed SELECT 10 + i / 50, "
			"1900000000000 + i, (10 + i / 50) << 40 | (i % 50 + "
			"1000), 0 FROM n",
    COUNT_TO("?1 * 20") "INSERT INTO dead (queue, died, id, bytes, info) "
			"SELECT 10 + i / 20, 1790000000000 + i, 'z' || i, "
			"CAST(printf('" VARIED_TASK
			"', 'z', i, i % ?1, i, i, 3, i / 20) AS BLOB), "
			"'{\"reason\":\"failed\"}' FROM n",
    COUNT_TO("?1") "INSERT INTO registry SELECT 'app.mail.task' || i, "
		   "printf('" REGISTRATION "', i) FROM n",
    COUNT_TO("50000") "INSERT INTO results (number, id, record, final) "
		      "SELECT i + 1 + (2 << 45), 'x' || i, "
		      "CAST(printf('" FAILED_RECORD "', i, i % ?1, i % 7, i, "
		      "i % ?1) AS BLOB), 1 FROM n",
    "INSERT INTO ids SELECT id, -number FROM results "
    "WHERE number > 2 << 45 AND ?1 > 0 ORDER BY id",
    "UPDATE totals SET failed = 50000",
    COUNT_TO(
	"?1 * 60") "INSERT INTO measures SELECT 60, unixepoch() / 60 * 60 "
		   "- 60 * (i / ?1), 'q' || (i % ?1), 'app.mail.task' || (i % "
		   "?1), "
		   "w.value, 7 FROM n, json_each('[0,1,3,4,105,210]') AS w",
};

static void
run_all_rows(const char *url, const char *const *all, size_t n, long number)
{
	sqlite3 *db;
	size_t i;

	if (sqlite3_open(url + strlen("sqlite://"), &db) != SQLITE_OK)
		errx(71, "%s cannot be opened", url);
	for (i = 0; i < n; i++)
		run_rows(db, all[i], number);
	sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
				  NULL);
	sqlite3_close(db);
}

void
operate_vary_sqlite(const char *url)
{
	run_all_rows(url, varied_rows,
		     sizeof(varied_rows) / sizeof(varied_rows[0]),
		     OPERATE_QUEUES);
}
