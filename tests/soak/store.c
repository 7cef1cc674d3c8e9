/* SPDX-License-Identifier: MIT */
/* What lies in the broker, whichever it is. */
#include "soak/store.h"

#include <sqlite3.h>
#include <string.h>

#include "e2e/look.h"
#include "soak/soak.h"

long long
store_number(struct scene *s, const char *sql, const char *id)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	long long n;

	ck_assert_int_eq(sqlite3_open_v2(s->url + strlen("sqlite://"), &db,
					 SQLITE_OPEN_READWRITE, NULL),
			 SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK,
		      "%s: %s", sql, sqlite3_errmsg(db));
	if (id != NULL)
		sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return n;
}

/* The answer of the server that has the queue. */
static long long
queue_number(struct scene *s, const char *queue, const char *what)
{
	return redis_integer(scene_redis_of(s, queue), what, queue);
}

static long long
queue_left(struct scene *s, const char *queue)
{
	static const char script[] =
	    "local n = 0 "
	    "for _, k in ipairs(redis.call('KEYS', "
	    "'{flowrra:queue:' .. ARGV[1] .. '}:*')) do "
	    "if string.find(k, ':inflight:') or string.find(k, ':p:') then "
	    "n = n + redis.call('LLEN', k) "
	    "elseif string.find(k, ':delayed$') or "
	    "string.find(k, ':lane:') then "
	    "n = n + redis.call('ZCARD', k) end end return n";

	return queue_number(s, queue, "LLEN flowrra:queue:%s") +
	       redis_integer(scene_redis_of(s, queue), "EVAL %s 0 %s", script,
			     queue);
}

long long
scene_left(struct scene *s)
{
	if (s->broker == SOAK_SQLITE)
		return store_number(s,
				    "SELECT (SELECT count(*) FROM waiting) + "
				    "(SELECT count(*) FROM delayed) + "
				    "(SELECT count(*) FROM set_aside) + "
				    "(SELECT count(*) FROM inflight)",
				    NULL);
	return queue_left(s, "io") + queue_left(s, "cpu");
}

long long
scene_count_dead(struct scene *s)
{
	static const char dead[] = "ZCARD {flowrra:queue:%s}:dead";

	if (s->broker == SOAK_SQLITE)
		return store_number(s, "SELECT count(*) FROM dead", NULL);
	return queue_number(s, "io", dead) + queue_number(s, "cpu", dead);
}

bool
scene_is_dead(struct scene *s, const char *queue, const char *id,
	      const char *text)
{
	const char *info;

	if (s->broker == SOAK_SQLITE)
		return store_number(
			   s,
			   world_text(s->world,
				      "SELECT count(*) FROM dead WHERE id = ?1 "
				      "AND instr(info, '%s') > 0",
				      text),
			   id) == 1;
	info = redis_text(s->world, scene_redis_of(s, queue),
			  "HGET {flowrra:queue:%s}:dead:info %s", queue, id);
	return info != NULL && strstr(info, text) != NULL;
}
