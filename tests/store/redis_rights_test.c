/* SPDX-License-Identifier: MIT */
/* The rights that a user of Redis needs: those of the scripts are among them, and
 * the manual shows just these. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "redis_server.h"
#include "store/redis/scripts.h"
#include "store/script_case.h"
#include "suite.h"

static const char *const examples[] = {
#define RIGHT(who, where, example, without) example,
#include "store/redis/rights.def"
#undef RIGHT
};
#define N_EXAMPLES (sizeof(examples) / sizeof(examples[0]))

static bool
is_among_the_rights(const char *command, size_t len)
{
	size_t i;

	for (i = 0; i < N_EXAMPLES; i++)
		if (strcspn(examples[i], " ") == len &&
		    strncasecmp(examples[i], command, len) == 0)
			return true;
	return false;
}

START_TEST(each_command_of_a_script_is_among_the_rights)
{
	const char *p;
	size_t i;

	for (i = 0; i < SCRIPT_COUNT; i++)
		for (p = rscripts[i].text; (p = strstr(p, "call('")) != NULL;) {
			p += strlen("call('");
			ck_assert_msg(is_among_the_rights(p, strcspn(p, "'")),
				      "%s: %.*s", rscripts[i].name,
				      (int)strcspn(p, "'"), p);
		}
}
END_TEST

/* Of the ACL rule in the manual, in both directions. */
START_TEST(the_manual_shows_just_the_rights_that_are_checked)
{
	char page[65536], word[64], *rule, *p;
	FILE *f = fopen("conf/flowrra.conf.5", "re");
	size_t i, n;

	ck_assert_ptr_nonnull(f);
	page[fread(page, 1, sizeof(page) - 1, f)] = '\0';
	fclose(f);
	rule = strstr(page, "ACL SETUSER NAME");
	ck_assert_ptr_nonnull(rule);
	p = strstr(rule, "\n.Ed");
	ck_assert_ptr_nonnull(p);
	p[0] = ' ';
	p[1] = '\0';
	for (p = rule; *p != '\0'; p++)
		if (*p == '\n')
			*p = ' ';
	for (i = 0; i < N_EXAMPLES; i++) {
		n = (size_t)snprintf(word, sizeof(word), " +%.*s ",
				     (int)strcspn(examples[i], " "),
				     examples[i]);
		ck_assert_uint_lt(n, sizeof(word));
		ck_assert_msg(strcasestr(rule, word) != NULL,
			      "not in the manual:%s", word);
	}
	for (p = rule; (p = strstr(p, " +")) != NULL;) {
		p += 2;
		ck_assert_msg(is_among_the_rights(p, strcspn(p, " ")),
			      "nobody needs %.*s", (int)strcspn(p, " "), p);
	}
}
END_TEST

/* Queues a task with a key, as a user who lacks this; it is refused, and what there
 * was stays as it was. */
static void
ck_submits_nothing(const char *until, const char *lacking)
{
	const struct script_case t = {
	    SCRIPT_SUBMIT,
	    {Q, K("levels"), K("delayed"), K("withdrawn"), K("lanes"),
	     K("uniques"), K("unique:k")},
	    {"0", "control", "wake", "0", "256", "1", "0", "60000", "0",
	     "{\"id\":\"2\"}", "2", "7", "60", until},
	    {"ZADD " K("delayed") " 9e12 {\"id\":\"1\"}",
	     "HSET " K("uniques") " j 1"}};
	redisReply *reply;

	script_make_world(&t);
	redis_server_run(script_server,
			 "ACL SETUSER narrow on nopass ~* &* +@all %s",
			 lacking);
	reply = script_call_as(&t, "narrow");
	ck_assert_int_eq(reply->type, REDIS_REPLY_ERROR);
	freeReplyObject(reply);
	reply = script_command("ZCARD " K("delayed"));
	ck_assert_int_eq(reply->integer, 1);
	freeReplyObject(reply);
	/* A stub is not a key that a task has. */
	redis_server_run(script_server, "ACL SETUSER narrow +@all");
	reply = script_call_as(&t, "narrow");
	ck_assert_int_eq(reply->type, REDIS_REPLY_ARRAY);
	ck_assert_int_eq(reply->element[0]->integer, 1);
	freeReplyObject(reply);
}

START_TEST(without_a_right_nothing_is_queued_by_halves)
{
	script_server_open();
	ck_submits_nothing("end", "-hset");
	ck_submits_nothing("start", "-hset");
	ck_submits_nothing("debounce", "-hset");
	ck_submits_nothing("debounce", "-zrem");
	redis_server_stop(script_server);
}
END_TEST

SUITE("redis-rights")
{
	TEST(each_command_of_a_script_is_among_the_rights);
	TEST(the_manual_shows_just_the_rights_that_are_checked);
	TEST(without_a_right_nothing_is_queued_by_halves);
}
