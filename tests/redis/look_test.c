/* SPDX-License-Identifier: MIT */
/* Sending and reading without a turn of the loop. */
#include "redis/redis.h"
#include "redis_server.h"
#include "session.h"
#include "suite.h"
#include "util/clock.h"

#define PATIENCE_MS 10000

/* Looks until *counter has reached `value`; the loop does not turn. */
static void
look_until(struct session *s, const int *counter, int value)
{
	const int64_t deadline = clock_mono_ms() + PATIENCE_MS;

	while (*counter < value) {
		redis_look(s->r);
		ck_assert_int_lt(clock_mono_ms(), deadline);
	}
}

START_TEST(what_is_pushed_is_answered_without_the_loop)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	session_init(&s, redis_server_unix_url(server), NULL);
	session_wait(&s, &s.ups, 1);
	session_send(&s, "INCR n");
	ck_assert_uint_gt(redis_backlog(s.r), 0);
	redis_push(s.r);
	ck_assert_uint_eq(redis_backlog(s.r), 0);
	look_until(&s, &s.replies, 1);
	ck_assert_str_eq(s.reply, "(1)");
	/* Nothing is left for the loop to send. */
	redis_push(s.r);
	ck_assert_str_eq(session_ask(&s, "INCR n"), "(2)");
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_look_at_a_broken_connection_answers_what_is_due)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	session_init(&s, redis_server_url(server), NULL);
	ck_assert(!redis_look(s.r));
	session_wait(&s, &s.ups, 1);
	session_send(&s, "BLPOP none 5");
	redis_push(s.r);
	ck_assert(redis_look(s.r));
	redis_server_kill(server);
	look_until(&s, &s.downs, 1);
	ck_assert_int_eq(s.lost, 1);
	ck_assert(!redis_look(s.r));
	redis_push(s.r);
	redis_server_restart(server);
	session_wait(&s, &s.ups, 2);
	ck_assert(redis_look(s.r));
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

SUITE("redis_look")
{
	TEST(what_is_pushed_is_answered_without_the_loop);
	TEST(a_look_at_a_broken_connection_answers_what_is_due);
}
