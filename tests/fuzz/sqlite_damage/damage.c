/* SPDX-License-Identifier: MIT */
/* Damages: bytes of a file, values of columns, tables and indexes that are gone. */
#include "fuzz/sqlite_damage/damage.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/web/ask.h"

#define DAMAGES_MAX 8
/* What is asked of one database, in a row; then something is changed. */
#define ASKED 5

static const char *path;
static char *whole; /* the bytes of the file before */
static size_t whole_len;

/* Columns and what can be dropped, as statements lack only the value. */
static char *columns[200], *drops[100];
static size_t n_columns, n_drops;

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
    "@every 1s",
    "* * * * *",
    "9999-12-31T23:59:59Z",
    "Europe/Berlin",
    "\xff\xfe",
};

static char dir[] = "/dev/shm/damage-fuzz-XXXXXX";

static void
leave(void)
{
	char command[sizeof(dir) + 8];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	must(system(command) == 0);
}

const char *
damage_dir(void)
{
	must(mkdtemp(dir) != NULL);
	atexit(leave);
	return dir;
}

/* --- before -------------------------------------------------------------- */

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
ask_sql(sqlite3 *db, const char *sql,
	int (*on_row)(void *, int, char **, char **))
{
	char *why = NULL;

	if (sqlite3_exec(db, sql, on_row, NULL, &why) != SQLITE_OK)
		fprintf(stderr, "%s: %s\n", sql, why);
	must(why == NULL);
}

static void
fill(const char *content)
{
	sqlite3 *db;

	must(sqlite3_open(path, &db) == SQLITE_OK);
	ask_sql(db, content, NULL);
	ask_sql(db,
		"SELECT m.name, c.name FROM sqlite_schema AS m"
		" JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table'",
		note_column);
	ask_sql(db,
		"SELECT type, name FROM sqlite_schema WHERE name NOT"
		" LIKE 'sqlite_%'",
		note_drop);
	ask_sql(db, "PRAGMA journal_mode = delete", NULL);
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

void
damage_prepare(const char *file, const char *content)
{
	path = file;
	fill(content);
	read_whole();
}

/* --- damage -------------------------------------------------------------- */

/* What the last programs left beside it. */
static void
remove_sides(void)
{
	static const char *const sides[] = {"-wal", "-shm"};
	char side[200];
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(side, sizeof(side), "%s%s", path, sides[i]);
		unlink(side);
	}
}

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

void
damage(struct peer_input *in)
{
	const uint8_t n = peer_next(in) % DAMAGES_MAX,
		      bytes = peer_next(in) % 8;
	sqlite3 *db;
	uint8_t i;
	int fd;

	remove_sides();
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

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

void
damage_ask(const struct damage_asks *asks, struct peer_input *in)
{
	const size_t first = peer_next(in) % asks->n_looks;
	char *text, *target;
	size_t i;

	if (!web_ask_open(asks->settings))
		return;
	for (i = 0; i <= ASKED; i++) {
		text = strdup(
		    i < ASKED ? asks->looks[(first + i) % asks->n_looks]
			      : asks->changes[peer_next(in) % asks->n_changes]);
		target = strchr(text, ' ');
		*target++ = '\0';
		web_ask(text, target, SLICE("{}"), WEB_OPERATOR, "\n\n\n");
		free(text);
	}
	web_ask_close();
}
