/* SPDX-License-Identifier: MIT */
/* Lua scripts on a connection. */
#include <string.h>

#include "redis/redis.h"
#include "redis_server.h"
#include "session.h"
#include "suite.h"

static const struct redis_script add = {
    .name = "add",
    .text = "return redis.call('INCRBY', KEYS[1], ARGV[1] + ARGV[2])",
};

static int
eval(struct session *s, const struct redis_script *script,
     redis_reply_fn *on_reply)
{
	return redis_eval(s->r, script, on_reply, s, 1, &SLICE("k"), 2,
			  (const struct slice[]){SLICE("1"), SLICE("2")});
}

START_TEST(a_script_is_loaded_once_a_connection)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	session_init(&s, redis_server_url(server), NULL);
	session_wait(&s, &s.ups, 1);
	ck_assert_int_eq(eval(&s, &add, session_on_reply), 0);
	ck_assert_int_eq(eval(&s, &add, session_on_reply), 0);
	session_wait(&s, &s.replies, 2);
	ck_assert_str_eq(s.reply, "(6)");
	ck_assert_ptr_nonnull(strstr(session_ask(&s, "INFO commandstats"),
				     "cmdstat_script|load:calls=1,"));
	session_ask(&s, "CONFIG RESETSTAT");
	eval(&s, &add, session_on_reply);
	session_wait(&s, &s.replies, 5);
	ck_assert_str_eq(s.reply, "(9)");
	session_ask(&s, "INFO commandstats");
	ck_assert_ptr_nonnull(strstr(s.reply, "cmdstat_evalsha:calls=1,"));
	ck_assert_ptr_null(strstr(s.reply, "cmdstat_script|load"));
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_script_whose_text_was_replaced_is_another)
{
	struct redis_server *server = redis_server_start(NULL);
	struct redis_script script = {.name = "one", .text = "return 1"};
	struct session s;

	session_init(&s, redis_server_url(server), NULL);
	session_wait(&s, &s.ups, 1);
	ck_assert_int_eq(eval(&s, &script, session_on_reply), 0);
	session_wait(&s, &s.replies, 1);
	ck_assert_str_eq(s.reply, "(1)");
	script.text = "return 2";
	ck_assert_int_eq(eval(&s, &script, session_on_reply), 0);
	session_wait(&s, &s.replies, 2);
	ck_assert_str_eq(s.reply, "(2)");
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

/* What a sender of scripts has to do: once more. */
static void
on_reply_again(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct session *s = arg;

	if (redis_fault(reply) == REDIS_FAULT_SCRIPT)
		ck_assert_int_eq(eval(s, &add, session_on_reply), 0);
	else
		session_on_reply(r, reply, arg);
}

START_TEST(a_script_that_the_server_lost_is_loaded_again)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;
	int i;

	session_init(&s, redis_server_url(server), NULL);
	session_wait(&s, &s.ups, 1);
	eval(&s, &add, session_on_reply);
	session_wait(&s, &s.replies, 1);
	redis_server_run(server, "SCRIPT FLUSH");
	for (i = 0; i < 10; i++)
		eval(&s, &add, on_reply_again);
	session_wait(&s, &s.replies, 11);
	ck_assert_str_eq(s.reply, "(33)");
	ck_assert_int_eq(s.downs, 0);
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_script_is_loaded_again_after_a_restart)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	session_init(&s, redis_server_url(server), NULL);
	session_wait(&s, &s.ups, 1);
	eval(&s, &add, session_on_reply);
	session_wait(&s, &s.replies, 1);
	redis_server_restart(server);
	session_wait(&s, &s.ups, 2);
	eval(&s, &add, session_on_reply);
	session_wait(&s, &s.replies, 2);
	ck_assert_str_eq(s.reply, "(3)");
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_script_that_does_not_compile_is_not_called)
{
	static const struct redis_script wrong = {"wrong", "this is no Lua",
						  NULL};
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	session_init(&s, redis_server_url(server), NULL);
	session_wait(&s, &s.ups, 1);
	eval(&s, &wrong, session_on_reply);
	session_wait(&s, &s.replies, 1);
	ck_assert_ptr_nonnull(strstr(s.reply, "-NOSCRIPT"));
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(many_arguments_need_no_other_way)
{
	static const struct redis_script count = {"count", "return #ARGV",
						  NULL};
	struct redis_server *server = redis_server_start(NULL);
	struct slice args[2000];
	struct session s;
	size_t i;

	for (i = 0; i < 2000; i++)
		args[i] = SLICE("x");
	session_init(&s, redis_server_url(server), NULL);
	session_wait(&s, &s.ups, 1);
	redis_eval(s.r, &count, session_on_reply, &s, 0, NULL, 2000, args);
	session_wait(&s, &s.replies, 1);
	ck_assert_str_eq(s.reply, "(2000)");
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

SUITE("redis_script")
{
	TEST(a_script_is_loaded_once_a_connection);
	TEST(a_script_that_the_server_lost_is_loaded_again);
	TEST(a_script_whose_text_was_replaced_is_another);
	TEST(a_script_is_loaded_again_after_a_restart);
	TEST(a_script_that_does_not_compile_is_not_called);
	TEST(many_arguments_need_no_other_way);
}
