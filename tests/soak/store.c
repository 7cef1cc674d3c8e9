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

long long
scene_left(struct scene *s)
{
	struct world *w = s->world;
	static const char script[] =
	    "local n = 0 "
	    "for _, k in ipairs(redis.call('KEYS', '{flowrra:queue:*')) do "
	    "if string.find(k, ':inflight:') or string.find(k, ':p:') then "
	    "n = n + redis.call('LLEN', k) "
	    "elseif string.find(k, ':delayed$') or "
	    "string.find(k, ':lane:') then "
	    "n = n + redis.call('ZCARD', k) end end return n";

	if (s->broker == SOAK_SQLITE)
		return store_number(s,
				    "SELECT (SELECT count(*) FROM waiting) + "
				    "(SELECT count(*) FROM delayed) + "
				    "(SELECT count(*) FROM set_aside) + "
				    "(SELECT count(*) FROM inflight)",
				    NULL);
	return waiting(w, "io") + waiting(w, "cpu") +
	       redis_integer(world_redis(w), "EVAL %s 0", script);
}

long long
scene_count_dead(struct scene *s)
{
	if (s->broker == SOAK_SQLITE)
		return store_number(s, "SELECT count(*) FROM dead", NULL);
	return dead(s->world, "io") + dead(s->world, "cpu");
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
	info = dead_info(s->world, queue, id);
	return info != NULL && strstr(info, text) != NULL;
}
