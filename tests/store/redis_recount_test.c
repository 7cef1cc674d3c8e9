/* SPDX-License-Identifier: MIT */
/* The Redis broker: what is in flight is counted in steps, and stays right while
 * workers claim, settle and die in between. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/limits_scene.h"
#include "store/redis/broker.h"
#include "store/script_case.h"

#define LIMIT_KEYS                                                             \
	K("limits"), K("running"), K("held"), K("ready"), K("counting")
#define RULES "HSET " K("limits") " g {\"concurrency\":9}"
#define OF(group, id)                                                          \
	"{\"id\":\"" id "\",\"name\":\"n\",\"group\":\"" group "\"}"
#define ONE OF("a", "1")
#define TWO OF("a", "2")
#define THREE OF("a", "3")
#define FOUR OF("a", "4")
#define FIVE OF("b", "5")
#define SIX OF("b", "6")
#define SEVEN OF("a", "7")
#define EIGHT OF("a", "8")

/* The first that was put into a list is at its tail. */
static const struct script_case world = {
    .world = {RULES,
	      "LPUSH " K("inflight:w") " " ONE " " TWO " " THREE " " FOUR,
	      "LPUSH " K("inflight:v") " " FIVE " " SIX,
	      "HSET " K("running") " q 6 g:a 4 g:b 2 @w:w 1 @w:v 1"}};

static void
open_world(void)
{
	script_server_open();
	script_make_world(&world);
}

/* A step of the count of that name. */
static void
ck_step(const char *why, const char *name, const char *most, const char *answer)
{
	const struct script_case t = {
	    SCRIPT_RECOUNT,
	    {LIMIT_KEYS, K("inflight:w"), K("inflight:v")},
	    {why, name, "1", "9000", most, "10000", "w", "v"},
	    {NULL}};
	redisReply *reply = script_call(&t);

	ck_assert_str_eq(reply->str, answer);
	freeReplyObject(reply);
}

static void
ck_count(const char *scope, int n)
{
	char line[80];
	redisReply *reply;

	snprintf(line, sizeof(line), "HGET " K("running") " %s", scope);
	reply = script_command(line);
	ck_assert_msg((reply->str != NULL ? atoi(reply->str) : 0) == n,
		      "%s is %s, not %d", scope,
		      reply->str != NULL ? reply->str : "nothing", n);
	freeReplyObject(reply);
}

static void
end(const char *worker, const char *list, const char *task)
{
	const struct script_case t = {
	    SCRIPT_ACK,
	    {LIMIT_KEYS, K("idlers"), K("uniques"), list},
	    {worker, "flowrra:control", "", "8", "-1", "1", task},
	    {NULL}};

	freeReplyObject(script_call(&t));
}

static void
claim(const char *task)
{
	static const struct script_case t = {
	    SCRIPT_CLAIM_LIMITED,
	    {Q, K("levels"), K("inflight:w"), K("paused"), K("withdrawn"),
	     K("lanes"), K("limits"), K("running"), K("lane:=held"), K("held"),
	     K("ready"), K("tats"), K("resting"), K("counting"), K("uniques"),
	     K("idlers"), K("watcher")},
	    {"10", "1000", "10000", TOMB, "w", "=held", "100", "c", "wake",
	     "0"},
	    {NULL}};
	char line[200];
	redisReply *reply;

	snprintf(line, sizeof(line), "LPUSH " Q " %s", task);
	freeReplyObject(script_command(line));
	reply = script_call(&t);
	ck_assert_uint_eq(reply->elements, 6);
	freeReplyObject(reply);
}

START_TEST(what_changes_between_two_steps_is_counted_right)
{
	open_world();
	ck_step("anew", "1", "2", "more");
	end("w", K("inflight:w"), ONE); /* which it has read, … */
	ck_count("q", 5);
	ck_count("g:a", 3);
	end("w", K("inflight:w"), THREE); /* … and which not */
	claim(SEVEN);
	ck_step("on", "1", "1", "more"); /* FOUR */
	ck_step("on", "1", "3", "more"); /* SEVEN, and of the others FIVE */
	end("w", K("inflight:w"), TWO);
	end("v", K("inflight:v"), FIVE);
	claim(EIGHT);
	ck_count("g:a", 3);
	ck_step("on", "1", "9", "done");
	ck_count("q", 4);
	ck_count("g:a", 3);
	ck_count("g:b", 1);
	ck_count("@count", 0);
	redis_server_stop(script_server);
}
END_TEST

/* A worker that keeps no counts may have put one in the place of another. */
START_TEST(a_number_that_is_right_by_chance_is_not_right_for_ever)
{
	open_world();
	redis_server_run(script_server, "HSET %s q 6 g:a 1 g:b 5 @at 1 @full 1",
			 K("running"));
	ck_step("check", "1", "99", "done");
	ck_count("g:a", 4);
	ck_count("g:b", 2);
	/* Just looked at, it is not read. */
	redis_server_run(script_server, "HSET %s g:a 7", K("running"));
	ck_step("check", "1", "99", "done");
	ck_count("g:a", 7);
	/* More than were counted are read at once. */
	redis_server_run(script_server, "HSET %s @at 1", K("running"));
	redis_server_run(script_server, "LPUSH %s %s", K("inflight:v"), SEVEN);
	ck_step("check", "1", "99", "done");
	ck_count("g:a", 5);
	redis_server_stop(script_server);
}
END_TEST

/* Each worker asks about that, and there are many. */
START_TEST(whether_a_check_is_due_is_known_without_a_look_at_the_lists)
{
	redisReply *stats;

	open_world();
	ck_step("due", "1", "99", "due");
	ck_step("begin", "1", "99", "done");
	freeReplyObject(script_command("CONFIG RESETSTAT"));
	ck_step("due", "1", "99", "done");
	stats = script_command("INFO commandstats");
	ck_assert_ptr_null(strstr(stats->str, "cmdstat_llen"));
	freeReplyObject(stats);
	redis_server_run(script_server, "HSET %s @at 1", K("running"));
	ck_step("due", "1", "99", "due");
	redis_server_stop(script_server);
}
END_TEST

/* As after a worker that keeps no counts has ended a task. */
START_TEST(a_worker_finds_that_the_counts_are_wrong)
{
	lim_open(KIND_REDIS);
	lim_set(LIMIT_GROUP, "a", 1);
	lim_put("1", NULL, 0);
	lim_take(lim_worker(), 1);
	redis_server_run(op.stage.server, "HSET %s g:a 1 q 2 @at 1",
			 K("running"));
	lim_put("2", "a", 0);
	UNTIL(&op.stage, strcmp(lim_shown(), "g:a 1 1 1; ") == 0);
	event_active(((struct rbroker *)lim_worker()->broker)->reconcile,
		     EV_TIMEOUT, 0);
	UNTIL(&op.stage, lim_worker()->n_claims == 2);
	lim_in_time();
	op_close();
}
END_TEST

START_TEST(a_takeover_has_a_count_begin_again)
{
	static const struct script_case t = {
	    SCRIPT_TAKEOVER,
	    {K("fence:v"), K("taken:v"), K("inflight:w"), K("running"),
	     K("inflight:v")},
	    {"", "100", "1000", TOMB, "60", "1000"},
	    {NULL}};

	open_world();
	ck_step("anew", "1", "5", "more");
	freeReplyObject(script_call(&t));
	ck_step("on", "1", "99", "busy");
	ck_count("g:b", 2);
	ck_step("begin", "2", "99", "done");
	ck_count("g:a", 4);
	ck_count("g:b", 2);
	redis_server_stop(script_server);
}
END_TEST

START_TEST(one_count_is_under_way_at_a_time)
{
	open_world();
	ck_step("anew", "1", "1", "more");
	ck_step("begin", "2", "99", "busy");
	ck_step("check", "2", "99", "busy");
	/* Who has settled uncounted ones does not wait for it. */
	ck_step("anew", "2", "1", "more");
	ck_step("on", "1", "99", "busy");
	ck_step("on", "2", "99", "done");
	ck_count("g:a", 4);
	redis_server_stop(script_server);
}
END_TEST

/* The limits have changed: what was counted is worth nothing. */
START_TEST(a_count_ends_with_what_it_is_to_replace)
{
	open_world();
	ck_step("anew", "1", "1", "more");
	redis_server_run(script_server, "DEL %s", K("running"));
	ck_step("on", "1", "99", "busy");
	ck_step("begin", "2", "99", "done");
	ck_count("q", 6);
	redis_server_stop(script_server);
}
END_TEST

SUITE("redis-recount")
{
	TEST(what_changes_between_two_steps_is_counted_right);
	TEST(a_number_that_is_right_by_chance_is_not_right_for_ever);
	TEST(whether_a_check_is_due_is_known_without_a_look_at_the_lists);
	TEST(a_worker_finds_that_the_counts_are_wrong);
	TEST(a_takeover_has_a_count_begin_again);
	TEST(one_count_is_under_way_at_a_time);
	TEST(a_count_ends_with_what_it_is_to_replace);
}
