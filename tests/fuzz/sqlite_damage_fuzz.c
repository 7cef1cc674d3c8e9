/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: whatever has become of a database (bytes of the file, values of
 * columns, tables and indexes that are gone), who looks at it gets an answer, and
 * who works with it goes on or says why not.
 *
 * The input is a list of damages to a database that has one of everything.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/redis_store/peer.h"
#include "fuzz/sqlite_damage/worker.h"
#include "fuzz/web/ask.h"
#include "util/err.h"
#include "util/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DAMAGES_MAX 8
/* What is asked of one database, in a row; then something is changed. */
#define ASKED 5

static char dir[] = "/dev/shm/damage-fuzz-XXXXXX";
static char path[64], url[80], broker_url[100], schedules_url[100];
static const char *settings[] = {broker_url, schedules_url, "web.timeout=1",
				 NULL};
static char *whole; /* the bytes of the file before */
static size_t whole_len;

/* Columns and what can be dropped, as statements lack only the value. */
static char *columns[200], *drops[100];
static size_t n_columns, n_drops;

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
    "INSERT INTO registry VALUES ('add', '{\"queue\":\"io\"}');"
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
    "INSERT INTO events (made, total, event) VALUES (1, 1, '{}');"
    "INSERT INTO orders (message, given) VALUES ('{}', 1);";

static const char *const texts[] = {
    "",
    "x",
    "io",
    "t1",
    "9223372036854775807",
    "{}",
    "[",
    "{\"task_id\":\"t1\",\"status\":\"success\",\"retries\":1e300}",
    "{\"id\":\"t1\",\"name\":\"add\",\"priority\":1e18,\"timeout\":1e300,"
    "\"max_retries\":9223372036854775807,\"current_retry\":"
    "9223372036854775807,\"submitted_at\":\"9999-12-31T23:59:59Z\","
    "\"expires_at\":\"0001-01-01T00:00:00Z\",\"retry_delay\":1e300}",
    "{\"task_id\":\"t1\",\"status\":\"failed\",\"finished_at\":"
    "\"9999-12-31T23:59:59Z\",\"started_at\":\"0001-01-01T00:00:00Z\"}",
    "{\"task_id\":\"t1\",\"status\":\"started\",\"progress\":-1}",
    "{\"queues\":1,\"pid\":-9223372036854775808,\"threads\":[[]],\"counts\":"
    "{\"success\":9223372036854775807,\"failed\":9223372036854775807},"
    "\"memory\":9223372036854775807,\"cpu\":1e308}",
    "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]",
    "\xff\xfe",
};

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

/* --- the database before ------------------------------------------------- */

static void
leave(void)
{
	char command[sizeof(dir) + 8];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	must(system(command) == 0);
}

static int
note_column(void *none, int n, char **values, char **names)
{
	must(n_columns < sizeof(columns) / sizeof(columns[0]));
	must(asprintf(&columns[n_columns++], "UPDATE OR IGNORE %s SET %s = ?",
		      values[0], values[1]) > 0);
	return 0;
}

static int
note_drop(void *none, int n, char **values, char **names)
{
	must(n_drops < sizeof(drops) / sizeof(drops[0]));
	must(asprintf(&drops[n_drops++], "DROP %s %s", values[0], values[1]) >
	     0);
	return 0;
}

static void
fill(void)
{
	sqlite3 *db;

	must(sqlite3_open(path, &db) == SQLITE_OK);
	must(sqlite3_exec(db, content, NULL, NULL, NULL) == SQLITE_OK);
	must(sqlite3_exec(db,
			  "SELECT m.name, c.name FROM sqlite_schema AS m"
			  " JOIN pragma_table_info(m.name) AS c"
			  " WHERE m.type = 'table'",
			  note_column, NULL, NULL) == SQLITE_OK);
	must(sqlite3_exec(db,
			  "SELECT type, name FROM sqlite_schema WHERE name NOT"
			  " LIKE 'sqlite_%'",
			  note_drop, NULL, NULL) == SQLITE_OK);
	must(sqlite3_exec(db, "PRAGMA journal_mode = delete", NULL, NULL,
			  NULL) == SQLITE_OK);
	sqlite3_close(db);
}

static void
read_whole(void)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	must(fd >= 0 && fstat(fd, &st) == 0);
	whole_len = (size_t)st.st_size;
	must((whole = malloc(whole_len)) != NULL);
	must(read(fd, whole, whole_len) == (ssize_t)whole_len);
	close(fd);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char target[] = "/api/v1/queues/io/pause", resume[] =
						       "/api/v1/queues/io/"
						       "resume";

	log_set_level(LOG_LEVEL_error);
	must(mkdtemp(dir) != NULL);
	atexit(leave);
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
	fill();
	read_whole();
	return 0;
}

/* --- damage -------------------------------------------------------------- */

static void
bind_value(struct peer_input *in, sqlite3_stmt *statement)
{
	const uint8_t kind = peer_next(in) % 8;
	const char *text =
	    texts[peer_next(in) % (sizeof(texts) / sizeof(texts[0]))];
	size_t n = peer_next(in);

	if (kind < 3) {
		sqlite3_bind_int64(statement, 1, peer_number(in));
	} else if (kind == 3) {
		sqlite3_bind_double(statement, 1, (double)peer_number(in) * 3);
	} else if (kind == 4) {
		sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
	} else if (kind == 5) {
		sqlite3_bind_blob(statement, 1, text, (int)strlen(text),
				  SQLITE_STATIC);
	} else if (kind == 6) {
		n = n < in->len ? n : in->len;
		sqlite3_bind_text(statement, 1, (const char *)in->p, (int)n,
				  SQLITE_TRANSIENT);
		in->p += n;
		in->len -= n;
	} else {
		sqlite3_bind_zeroblob(statement, 1, 100000);
	}
}

static void
damage_rows(struct peer_input *in, sqlite3 *db)
{
	const uint8_t kind = peer_next(in) % 4, which = peer_next(in);
	sqlite3_stmt *statement;

	if (kind == 0) {
		sqlite3_exec(db, drops[which % n_drops], NULL, NULL, NULL);
		return;
	}
	if (sqlite3_prepare_v2(db, columns[which % n_columns], -1, &statement,
			       NULL) != SQLITE_OK)
		return;
	bind_value(in, statement);
	sqlite3_step(statement);
	sqlite3_finalize(statement);
}

static void
damage_bytes(struct peer_input *in, int fd)
{
	const size_t at = ((size_t)peer_next(in) << 16 |
			   (size_t)peer_next(in) << 8 | peer_next(in)) %
			  whole_len;
	const uint8_t byte = peer_next(in);

	must(pwrite(fd, &byte, 1, (off_t)at) == 1);
	if (byte == 0xff)
		must(ftruncate(fd, (off_t)at) == 0);
}

static void
damage(struct peer_input *in)
{
	const uint8_t n = peer_next(in) % DAMAGES_MAX,
		      bytes = peer_next(in) % 8;
	sqlite3 *db;
	uint8_t i;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0);
	must(write(fd, whole, whole_len) == (ssize_t)whole_len);
	if (n > 0) {
		must(sqlite3_open(path, &db) == SQLITE_OK);
		sqlite3_exec(db, "PRAGMA synchronous = off; BEGIN", NULL, NULL,
			     NULL);
		for (i = 0; i < n; i++)
			damage_rows(in, db);
		sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
		sqlite3_close(db);
	}
	/* None in most cases: what is under the rows ends in one error. */
	for (i = 4; i < bytes; i++)
		damage_bytes(in, fd);
	close(fd);
}

/* --- who looks ------------------------------------------------------------ */

static void
ask_all(struct peer_input *in)
{
	const size_t n = sizeof(targets) / sizeof(targets[0]);
	const size_t n_changes = sizeof(changes) / sizeof(changes[0]);
	const size_t first = peer_next(in) % n;
	char *text, *target;
	size_t i;

	if (!web_ask_open(settings))
		return;
	for (i = 0; i <= ASKED; i++) {
		text = strdup(i < ASKED ? targets[(first + i) % n]
					: changes[peer_next(in) % n_changes]);
		target = strchr(text, ' ');
		*target++ = '\0';
		web_ask(text, target, SLICE("{}"), WEB_OPERATOR, "\n\n\n");
		free(text);
	}
	web_ask_close();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peer_input in = {data, size};
	char side[96];

	damage(&in);
	if (peer_next(&in) % 2 == 0)
		damaged_work(url, &in);
	ask_all(&in);
	snprintf(side, sizeof(side), "%s-wal", path);
	unlink(side);
	snprintf(side, sizeof(side), "%s-shm", path);
	unlink(side);
	return 0;
}
