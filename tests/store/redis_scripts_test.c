/* SPDX-License-Identifier: MIT */
/*
 * The Redis scripts by themselves: each gets each of its keys with the wrong
 * type in turn, and must say so and change nothing; and what is not among its keys
 * it must not touch. What they do is in script_effects_test.c and
 * script_record_effects_test.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/scripts.h"
#include "store/script_case.h"
#include "util/sha.h"

/* Of limits: the rules, and what is counted, held and ready. */
#define LIMITS K("limits"), K("running"), K("held"), K("ready"), K("counting")
#define WAKING LIMITS, K("idlers")
#define LIMITED                                                                \
	K("limits"), K("running"), K("lane:=held"), K("held"), K("ready"),     \
	    K("tats"), K("resting"), K("counting")
#define RULES "HSET " K("limits") " g {\"concurrency\":2}"
#define GROUPED(group) "{\"id\":\"t\",\"name\":\"n\",\"group\":\"" group "\"}"

/* Of a workflow: a, which has ended or not, b, which waits for it, and a callback. */
#define F(suffix) "{flowrra:queue:flow:f}:" suffix
#define HOME                                                                   \
	F("meta"), F("steps"), F("open"), F("info"), F("waits"), F("next"),    \
	    F("held"), F("out"), F("ended"), F("on")
/* An end is told without a look at the list of all steps. */
#define ADVANCED_HOME                                                          \
	F("meta"), ANY(F("steps")), F("open"), F("info"), F("waits"),          \
	    F("next"), F("held"), F("out"), F("ended"), F("on")
#define NEXT_OF_A "EVAL redis.call('ZADD',KEYS[1],0,'a\\32b\\32c') 1 " F("next")
#define META(state)                                                            \
	"HSET " F("meta") " state " state " policy cancel life 60 whole 1"
#define STEPS(open)                                                            \
	"ZADD " F("steps") " 0 a 0 b 0 c", "ZADD " F("open") " " open,         \
	    "ZADD " F("held") " 0 b"

static const struct script_case cases[] = {
    {SCRIPT_FLOW_BEGIN, {HOME}, {"l", "cancel", "1", "60"}, {NULL}},
    {SCRIPT_FLOW_ADD,
     {HOME},
     {"", "9", "d", "-", "io 0 0 0", "a s", "{}", "e", "s", "io 0 0 0", "",
      "{}"},
     {META("open"), STEPS("0 a 0 b")}},
    /* The last one that is open ends, and one waits for it. */
    {SCRIPT_FLOW_ADVANCE,
     {ADVANCED_HOME},
     {"", "a", "f", ""},
     {META("running"), STEPS("0 a"), NEXT_OF_A}},
    /* With the list of a queue. */
    {SCRIPT_FLOW_ADVANCE,
     {ADVANCED_HOME, Q},
     {"io", "a", "s", "c", "s", ""},
     {META("running"), STEPS("0 a"), "ZADD " F("on") " 1 c", NEXT_OF_A}},
    {SCRIPT_FLOW_SEAL, {HOME}, {"", ""}, {META("open"), STEPS("0 a")}},
    {SCRIPT_FLOW_SEAL, {HOME, Q}, {"io", ""}, {META("open"), STEPS("0 a")}},
    {SCRIPT_FLOW_CANCEL, {HOME}, {""}, {META("running"), STEPS("0 b")}},
    {SCRIPT_FLOW_GET, {HOME}, {NULL}, {META("open"), STEPS("0 a 0 b")}},
    {SCRIPT_FLOW_STEPS, {HOME}, {"", "10"}, {META("open"), STEPS("0 a 0 b")}},
    {SCRIPT_FLOW_REPAIR,
     {HOME},
     {"10", ""},
     {META("running"), STEPS("0 a 0 b")}},
    {SCRIPT_FLOW_REOPEN,
     {HOME},
     {"a", "1", ""},
     {META("failed"), STEPS("0 b"), "HSET " F("ended") " a f"}},
    {SCRIPT_FLOW_DUE,
     {"{flowrra:queue:flows}:due"},
     {"10", "1000"},
     {"ZADD {flowrra:queue:flows}:due 1 f"}},
    {SCRIPT_FLOW_NOTE,
     {"{flowrra:queue:flows}:due", "{flowrra:queue:flows}:all"},
     {"1", "f", "1000"},
     {NULL}},
    {SCRIPT_FLOW_RELEASE,
     {Q, K("levels"), K("delayed"), K("withdrawn"), K("lanes"), K("uniques"),
      K("p:5"), K("unique:a")},
     {"100", "flowrra:control", "wake", "1", "256", "7", "5", "0", "0", TASK,
      "t", "8", "60", ""},
     {"LPUSH " K("p:5") " [3]"}},
    {SCRIPT_BURY,
     {K("inflight:w"), K("dead"), K("dead:tasks"), K("dead:info"), WAKING,
      K("uniques")},
     {TASK, "t", "{}", "0", "0", "0", "w", "flowrra:control", "wake"},
     {"LPUSH " K("inflight:w") " " TASK}},
    {SCRIPT_CLAIM,
     {Q, K("levels"), K("inflight:w"), ANY(K("paused")), K("withdrawn"),
      K("lanes"), ANY(K("limits")), ANY(K("lane:=held")), K("uniques"),
      K("p:5"), K("p:-3"), K("lane:n")},
     {"10", "1000", "100000", TOMB, "4"},
     {"LPUSH " Q " [1] [2]", "ZADD " K("levels") " 5 5 -3 -3",
      "LPUSH " K("p:5") " [3]", "LPUSH " K("p:-3") " [4]",
      "ZADD " K("lanes") " 1 n", "ZADD " K("lane:n") " 0 " STAMP "[5]"}},
    /* A queue that is nothing but its list. */
    {SCRIPT_CLAIM,
     {Q, K("levels"), K("inflight:w"), ANY(K("paused")), K("withdrawn"),
      K("lanes"), ANY(K("limits")), ANY(K("lane:=held")), K("p:5")},
     {"10", "1000", "100000", TOMB, "4"},
     {"LPUSH " Q " [1] [2]"}},
    {SCRIPT_CLAIM_LIMITED,
     {Q, K("levels"), K("inflight:w"), ANY(K("paused")), K("withdrawn"),
      K("lanes"), LIMITED, K("uniques"), K("idlers"), K("watcher"), K("p:5"),
      K("p:-3"), K("lane:n")},
     {"10", "1000", "100000", TOMB, "w", "=held", "100", "flowrra:control",
      "wake", "0"},
     {"LPUSH " Q " [1] " GROUPED("a"), "ZADD " K("levels") " 5 5 -3 -3",
      "LPUSH " K("p:5") " [3]", "LPUSH " K("p:-3") " [4]",
      "ZADD " K("lanes") " 1 n", "ZADD " K("lane:n") " 0 " STAMP "[5]", RULES,
      "HSET " K("running") " q 2 g:a 2 @w:w 1"}},
    {SCRIPT_ACK,
     {WAKING, K("uniques"), K("inflight:w"), K("inflight:w#1")},
     {"w", "flowrra:control", "wake", "8", "-1", "1", GROUPED("a"), "9", "1",
      "1", "[1]"},
     {"LPUSH " K("inflight:w") " " GROUPED("a"),
      "LPUSH " K("inflight:w#1") " [1]", RULES,
      "HSET " K("running") " q 2 g:a 1 @w:w 1"}},
    {SCRIPT_RECOUNT,
     {LIMITS, K("inflight:w"), K("inflight:w#1")},
     {"begin", "1", "1", "0", "100", "10000", "w"},
     {"LPUSH " K("inflight:w") " " GROUPED("a"), RULES}},
    {SCRIPT_LIMIT,
     {K("limits"), K("running"), K("tats"), K("resting")},
     {"flowrra:control", "wake", "g", "{}", "kwargs.a", "9"},
     {NULL}},
    {SCRIPT_LIMITS,
     {K("limits"), K("running"), K("held"), K("declared")},
     {NULL},
     {RULES}},
    {SCRIPT_DECLARE,
     {K("limits"), K("running"), K("tats"), K("resting"), K("declared")},
     {"flowrra:control", "wake", "g", "{\"concurrency\":1,\"worker\":\"w\"}",
      "kwargs.a", "9", "w", "1"},
     {NULL}},
    {SCRIPT_ENTER,
     {Q, ANY("flowrra:task:a"), ANY("flowrra:task:b")},
     {"{}", "{}", "[1]", "[2]"},
     {NULL}},
    {SCRIPT_END_LOST,
     {ANY("flowrra:task:t")},
     {"bf21a9e8fbc5a3846fb05b4fa0859e0917b2202f", "[]", "60", "done"},
     {"SET flowrra:task:t {}"}},
    {SCRIPT_EVICT,
     {K("running"), K("inflight:v"), K("inflight:v#1")},
     {"[1]", "[2]"},
     {"LPUSH " K("inflight:v") " [1] [3]", "LPUSH " K("inflight:v#1") " [2]"}},
    {SCRIPT_GATHER,
     {"flowrra:workers", ANY("flowrra:server:{flowrra:workers}"),
      "flowrra:absent:{flowrra:workers}"},
     {"ab", "10000", "w", "1", "0"},
     {"ZADD flowrra:workers 9e15 v 9e15 w",
      "SET flowrra:server:{flowrra:workers} cd"}},
    {SCRIPT_HEARTBEAT,
     {ANY("flowrra:worker:w"), ANY("flowrra:workers")},
     {"{}", "9", "token", "before", "w"},
     {NULL}},
    {SCRIPT_HOLDING,
     {ANY(K("fence:w")), K("inflight:w"), K("inflight:w#1")},
     {"2"},
     {"LPUSH " K("inflight:w#1") " [1]"}},
    {SCRIPT_IDLE,
     {ANY(Q), ANY(K("levels")), ANY(K("delayed")), ANY(K("dead")),
      ANY(K("paused")), ANY(K("lanes")), ANY(K("served")), ANY(K("leaving")),
      ANY(K("limits")), ANY(K("uniques")), ANY(K("idle"))},
     {"1000", "60"},
     {NULL}},
    {SCRIPT_INDEX,
     {"flowrra:completed", "flowrra:stats"},
     {"succeeded", "100", "a", "b"},
     {"LPUSH flowrra:completed c"}},
    {SCRIPT_INFLIGHT,
     {K("inflight:w"), K("dead"), K("dead:tasks"), K("dead:info"),
      K("withdrawn"), K("running")},
     {"3", "\"w\"", TOMB, "1", "1000", "0", ""},
     {"LPUSH " K("inflight:w") " [1] [22222] " TOMB,
      "SET " K("withdrawn") " 1"}},
    {SCRIPT_LOST,
     {Q, K("levels"), K("delayed"), K("dead"), K("lanes"), "flowrra:workers",
      K("leaving"), K("p:5"), K("lane:n"), K("inflight:w")},
     {"100", "1000", "t"},
     {"ZADD " K("levels") " 5 5", "LPUSH " K("p:5") " [3]",
      "ZADD " K("lanes") " 1 n", "ZADD " K("lane:n") " 0 " STAMP "[5]",
      "ZADD flowrra:workers 1 w", "LPUSH " K("inflight:w") " [1]"}},
    {SCRIPT_LENGTHS,
     {K("levels"), K("p:5")},
     {"-1"},
     {"ZADD " K("levels") " 5 5", "LPUSH " K("p:5") " [3]"}},
    {SCRIPT_MEASURE,
     {"flowrra:measure:60", "flowrra:measure:hour:0", "flowrra:measure:total"},
     {"1000", "1000", "1000", "1", "1", "0:io:t", "2", "1:io:t", "3"},
     {"HSET flowrra:measure:60 0:io:t 2"}},
    {SCRIPT_MISSING,
     {"flowrra:workers"},
     {"10000", "50", "0"},
     {"ZADD flowrra:workers 1 a"}},
    {SCRIPT_NOTE,
     {ANY("flowrra:task:t"), ANY(K("taken:w"))},
     {"{}", "flowrra:changed:t", "mark"},
     {NULL}},
    {SCRIPT_KEEP, {ANY("flowrra:keeper:flowrra:queue")}, {"w", "30"}, {NULL}},
    {SCRIPT_MARK, {ANY(K("taken:w"))}, {"9", "token"}, {NULL}},
    {SCRIPT_MARK, {K("fence:w")}, {"9", ""}, {NULL}},
    {SCRIPT_PAUSE, {ANY(K("paused"))}, {"1", "c", "{}"}, {NULL}},
    {SCRIPT_PENDING, {ANY("flowrra:task:t")}, {NULL}, {NULL}},
    {SCRIPT_PROMOTE,
     {K("delayed"), Q, K("levels"), K("p:5")},
     {"flowrra:control", "wake", "1000"},
     {"ZADD " K("delayed") " 1 [1] 2 {\"priority\":5} 3 {\"priority\":9}"}},
    {SCRIPT_PURGE,
     {Q, K("levels"), K("delayed"), K("withdrawn"), K("uniques"), K("p:5")},
     {"10", "100000", TOMB},
     {"LPUSH " Q " [1] " TOMB, "ZADD " K("levels") " 5 5",
      "LPUSH " K("p:5") " [3]", "ZADD " K("delayed") " 1 [1]",
      "SET " K("withdrawn") " 1"}},
    {SCRIPT_QUEUE,
     {Q, K("levels"), K("delayed"), K("dead"), ANY(K("paused")), K("withdrawn"),
      K("lanes"), K("served"), K("unknown"), K("p:5")},
     {TOMB, "=held"},
     {"LPUSH " Q " [1]", "ZADD " K("levels") " 5 5", "LPUSH " K("p:5") " [3]",
      "ZADD " K("lanes") " 1 n", "ZADD " K("unknown") " 9e12 n"}},
    {SCRIPT_RECENT, {"flowrra:completed"}, {"", "10"}, {NULL}},
    {SCRIPT_RECLAIM,
     {Q, K("levels"), K("delayed"), K("lanes"), K("running"), K("inflight:w"),
      K("inflight:w#1"), K("p:5"), K("lane:n")},
     {"9e15", "2",   "100", "0", "1",	"1", "[1]", "2",   "1", "[2]", "1",
      "1",    "[3]", "1",   "0", "[4]", "2", "1",   "[5]", "2", "1",   "[6]"},
     {"LPUSH " Q " [9] [1] [8]", "ZADD " K("levels") " 5 5",
      "LPUSH " K("p:5") " [2]", "ZADD " K("delayed") " 1 [3]",
      "ZADD " K("lanes") " 1 n", "ZADD " K("lane:n") " 0 " STAMP "[5]",
      "LPUSH " K("inflight:w") " [7]"}},
    {SCRIPT_RECORDS, {ANY("flowrra:task:t")}, {"1000"}, {NULL}},
    {SCRIPT_REGISTER, {"flowrra:registered"}, {"a", "b"}, {NULL}},
    {SCRIPT_REGISTRY,
     {"flowrra:registry", "flowrra:registered"},
     {"1000", "10", "0"},
     {"HSET flowrra:registry a {} b {}", "ZADD flowrra:registered 1 a"}},
    {SCRIPT_RELEASE,
     {K("inflight:w"), Q, K("levels"), K("delayed"), WAKING},
     {TASK, TASK, "0", "0", "flowrra:control", "wake", "w"},
     {"LPUSH " K("inflight:w") " " TASK}},
    {SCRIPT_RELEASE,
     {K("inflight:w"), K("p:5"), K("levels"), K("delayed"), WAKING},
     {TASK, TASK, "0", "5", "flowrra:control", "wake", "w"},
     {"LPUSH " K("inflight:w") " " TASK}},
    {SCRIPT_RELEASE,
     {K("inflight:w"), K("p:5"), K("levels"), K("delayed"), WAKING},
     {TASK, TASK, "1000", "5", "flowrra:control", "wake", "w"},
     {"LPUSH " K("inflight:w") " " TASK}},
    {SCRIPT_REMOVE,
     {Q, K("levels"), K("delayed"), K("withdrawn"), K("leaving"), K("uniques"),
      K("p:5")},
     {"t", "d", "0", "2000", TOMB, "", "", ""},
     {"LPUSH " Q " [1]", "ZADD " K("levels") " 5 5",
      "LPUSH " K("p:5") " " TASK}},
    {SCRIPT_REMOVE,
     {Q, K("levels"), K("delayed"), K("withdrawn"), K("leaving"), K("uniques"),
      K("p:5")},
     {"t", "d", "0", "2000", TOMB, "", "", "other t token "},
     {"LPUSH " Q " [1]", "ZADD " K("levels") " 5 5",
      "LPUSH " K("p:5") " " TASK}},
    {SCRIPT_REQUEUE,
     {K("dead"), K("dead:tasks"), K("dead:info"), Q, K("levels"), K("p:5")},
     {"flowrra:control", "wake", "t", TASK, "5", "6", "u", "[2]", "0", "4"},
     {"ZADD " K("dead") " 1 t 2 u", "HSET " K("dead:tasks") " t " TASK " u [2]",
      "HSET " K("dead:info") " t {} u {}"}},
    {SCRIPT_ADD_DEAD,
     {K("dead"), K("dead:tasks"), K("dead:info")},
     {"t", TASK, "{}", "7", "u", "[2]", "{}", "8"},
     {"ZADD " K("dead") " 2 u", "HSET " K("dead:tasks") " u [2]",
      "HSET " K("dead:info") " u {}"}},
    {SCRIPT_PURGE_LANE,
     {K("lane:n"), K("lanes"), K("uniques")},
     {"n", "10", "1000"},
     {"ZADD " K("lanes") " 1 n", "ZADD " K("lane:n") " 0 " STAMP "[5]"}},
    {SCRIPT_REMOVE_LANE,
     {K("lane:n"), K("lanes"), K("uniques"), K("leaving")},
     {"t", "n", "0", "1000", "other t token "},
     {"ZADD " K("lanes") " 1 n", "ZADD " K("lane:n") " 0 " STAMP TASK}},
    {SCRIPT_SERVE,
     {K("served"), K("lanes"), K("unknown")},
     {"9000", "", "n"},
     {"ZADD " K("lanes") " 1 n", "ZADD " K("unknown") " 1000 n"}},
    {SCRIPT_RECALL,
     {K("delayed"), K("unknown"), K("served")},
     {"", "", "0", "9e12", "10", "1000", "n"},
     {"ZADD " K("served") " 9e12 n", "ZADD " K("unknown") " 1000 n",
      "ZADD " K("delayed") " 8e12 {\"name\":\"n\",\"unknown\":1}"}},
    {SCRIPT_SET_ASIDE,
     {K("inflight:w"), K("lane:n"), K("lanes"), K("served"), K("delayed"),
      K("unknown"), WAKING},
     {TASK, TASK, "2000", "0", "n", "flowrra:control", "wake", "w"},
     {"LPUSH " K("inflight:w") " " TASK, "ZADD " K("served") " 9e12 n"}},
    {SCRIPT_SET_ASIDE,
     {K("inflight:w"), K("lane:n"), K("lanes"), K("served"), K("delayed"),
      K("unknown"), WAKING},
     {TASK, TASK, "2000", "0", "n", "flowrra:control", "wake", "w"},
     {"LPUSH " K("inflight:w") " " TASK}},
    {SCRIPT_UNLANE,
     {K("lane:n"), K("lanes"), K("served"), K("delayed")},
     {"n", "10", "1000"},
     {"ZADD " K("lanes") " 1 n", "ZADD " K("lane:n") " 0 " STAMP "[5]"}},
    {SCRIPT_RESIGN,
     {K("idlers"), ANY(K("watcher"))},
     {"w", "flowrra:control", "wake"},
     {"ZADD " K("idlers") " 9e12 w 1 v"}},
    {SCRIPT_RIGHTS, {NULL}, {"0", "1", "PING"}, {NULL}},
    {SCRIPT_START, {K("uniques")}, {"[1]"}, {NULL}},
    {SCRIPT_STORE,
     {ANY("flowrra:task:t"), ANY("flowrra:task:u"), ANY(K("taken:w"))},
     {"2", "1000", "{}", "0", "done", "reply", "3", "mark", "{}", "9", "done",
      "", "0", ""},
     {"SET " K("taken:w") " mark"}},
    {SCRIPT_SUBMIT,
     {Q, K("levels"), K("delayed"), K("withdrawn"), K("lanes"), K("uniques"),
      K("p:5"), K("unique:a"), K("unique:b")},
     {"100",	 "flowrra:control",
      "wake",	 "1",
      "256",	 "7",
      "5",	 "0",
      "0",	 TASK,
      "t",	 "8",
      "60",	 "",
      "1",	 "0",
      "0",	 "0",
      "[2]",	 "u",
      "9",	 "60",
      "debounce"},
     {"ZADD " K("levels") " 5 5", "LPUSH " K("p:5") " [3]"}},
    {SCRIPT_TAKEOVER,
     {K("fence:dead"), ANY(K("taken:dead")), K("inflight:w#1"), K("running"),
      K("inflight:dead"), K("inflight:dead#1")},
     {"7", "100", "1000", TOMB, "60", "1000"},
     {"SET " K("fence:dead") " 7", "LPUSH " K("inflight:dead") " [1]",
      "LPUSH " K("inflight:dead#1") " [2]"}},
    {SCRIPT_TRIM,
     {K("dead"), K("dead:tasks"), K("dead:info"), K("uniques")},
     {"1", "1000", "10", "100000"},
     {"ZADD " K("dead") " 1 t 2 u", "HSET " K("dead:tasks") " t " TASK " u [2]",
      "HSET " K("dead:info") " t {} u {}"}},
    {SCRIPT_WEIGH,
     {K("dead"), K("dead:tasks"), K("dead:info")},
     {"", "1000", "1"},
     {"ZADD " K("dead") " 1 t 2 u", "HSET " K("dead:tasks") " t " TASK " u [2]",
      "HSET " K("dead:info") " t {} u {}"}},
    {SCRIPT_VIEW_IN_FLIGHT,
     {K("inflight:w"), K("inflight:w#1")},
     {"2", "0", "0", "10", "1000", TOMB},
     {"LPUSH " K("inflight:w") " [1]"}},
    {SCRIPT_VIEW_SORTED,
     {K("dead"), K("dead:tasks"), K("dead:info")},
     {"0", "10", "1000", "5", ""},
     {"ZADD " K("dead") " 1 t"}},
    {SCRIPT_VIEW_SORTED,
     {K("dead"), K("dead:tasks"), K("dead:info")},
     {"0", "10", "1000", "", "t"},
     {"ZADD " K("dead") " 1 t"}},
    {SCRIPT_VIEW_HELD,
     {LIMITS, K("lane:=held")},
     {"0", "10", "1000", "", ""},
     {RULES, "ZADD " K("lane:=held") " 0 " STAMP GROUPED("a")}},
    {SCRIPT_VIEW_WAITING,
     {Q, K("levels"), K("p:5")},
     {"", "0", "10", "1000", TOMB},
     {"LPUSH " Q " [1]", "ZADD " K("levels") " 5 5"}},
};
#define N_CASES (sizeof(cases) / sizeof(cases[0]))

/* What all keys hold. */
static char *
digest(void)
{
	redisReply *reply = redis_server_command(script_server, "DEBUG DIGEST");
	char *text = strdup(reply->str);

	ck_assert_int_eq(reply->type, REDIS_REPLY_STATUS);
	freeReplyObject(reply);
	return text;
}

/* No key of ours is a stream. */
static void
spoil(const char *key)
{
	redis_server_run(script_server, "DEL %s", key);
	redis_server_run(script_server, "XADD %s * a b", key);
}

START_TEST(a_key_of_the_wrong_type_is_an_error_and_loses_nothing)
{
	const struct script_case *t = &cases[_i];
	const char *name = rscripts[t->script].name;
	char *before, *after;
	redisReply *reply;
	int i;

	script_server_open();
	script_make_world(t);
	reply = script_call(t);
	ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s: %s", name,
		      reply->str);
	freeReplyObject(reply);
	for (i = 0; i < KEYS_MAX && t->keys[i] != NULL; i++) {
		if (t->keys[i][0] == '*')
			continue;
		script_make_world(t);
		spoil(t->keys[i]);
		before = digest();
		reply = script_call(t);
		ck_assert_msg(reply->type == REDIS_REPLY_ERROR &&
				  strstr(reply->str, "WRONGTYPE") != NULL,
			      "%s: no error for %s", name, t->keys[i]);
		freeReplyObject(reply);
		after = digest();
		ck_assert_msg(strcmp(before, after) == 0,
			      "%s: %s is wrong, and something has changed",
			      name, t->keys[i]);
		free(before);
		free(after);
	}
	redis_server_stop(script_server);
}
END_TEST

static void
check_sum(const struct redis_script *script)
{
	unsigned char digest[SHA1_SIZE];
	char hex[2 * SHA1_SIZE + 1];

	sha1(slice_of(script->text), digest);
	sha_hex(digest, sizeof(digest), hex);
	ck_assert_msg(strcmp(script->sha, hex) == 0, "%s", script->name);
}

/* Made by make; a wrong one would be answered with NOSCRIPT for ever. */
START_TEST(each_script_has_the_sum_of_its_text)
{
	struct redis_script bare;
	size_t i;

	for (i = 0; i < SCRIPT_COUNT; i++) {
		check_sum(&rscripts[i]);
		bare = rscripts_bare((enum rscript)i);
		check_sum(&bare);
		ck_assert_int_ne(strncmp(bare.text, "#!", 2), 0);
	}
}
END_TEST

START_TEST(each_script_is_tested_with_wrong_types)
{
	size_t script, i;

	for (script = 0; script < SCRIPT_COUNT; script++) {
		for (i = 0; i < N_CASES && cases[i].script != script; i++)
			;
		ck_assert_msg(i < N_CASES, "no case for %s",
			      rscripts[script].name);
	}
}
END_TEST

/* --- Redis Cluster --------------------------------------------------------- */

/* Those whose keys belong to no queue, or to none alone: a cluster has them in
 * several slots, and refuses these scripts. No other may join them unawares. */
static bool
is_of_several_slots(const struct script_case *t)
{
	static const enum rscript those[] = {
	    SCRIPT_ENTER,   SCRIPT_HEARTBEAT, SCRIPT_INDEX,    SCRIPT_LOST,
	    SCRIPT_MEASURE, SCRIPT_NOTE,      SCRIPT_REGISTRY, SCRIPT_STORE};
	size_t i;

	for (i = 0; i < sizeof(those) / sizeof(those[0]); i++)
		if (those[i] == t->script)
			return true;
	/* It gets one only where it may. */
	return (t->script == SCRIPT_FLOW_ADVANCE ||
		t->script == SCRIPT_FLOW_SEAL) &&
	       t->keys[10] != NULL;
}

static void
ck_called(const struct script_case *t, redisReply *reply)
{
	ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s: %s",
		      rscripts[t->script].name, reply->str);
	freeReplyObject(reply);
}

static void
open_cluster(void)
{
	static const char *const args[] = {"--cluster-enabled", "yes", NULL};
	const struct redis_server_options options = {.args = args};
	redisReply *reply;
	bool ok;

	script_server = redis_server_start(&options);
	redis_server_run(script_server, "CLUSTER ADDSLOTSRANGE 0 16383");
	do {
		reply = redis_server_command(script_server, "CLUSTER INFO");
		ok = strstr(reply->str, "cluster_state:ok") != NULL;
		freeReplyObject(reply);
	} while (!ok);
}

/* The server refuses keys of several slots, and says so of those that have some. */
START_TEST(each_script_can_be_called_on_a_cluster_but_a_few)
{
	const struct script_case *t;
	redisReply *reply;
	size_t n = 0;

	open_cluster();
	for (t = cases; t < cases + N_CASES; t++) {
		redis_server_run(script_server, "FLUSHALL");
		if (is_of_several_slots(t)) {
			reply = script_call(t);
			ck_assert_int_eq(reply->type, REDIS_REPLY_ERROR);
			ck_assert_msg(strstr(reply->str, "CROSSSLOT") != NULL,
				      "%s: %s", rscripts[t->script].name,
				      reply->str);
			freeReplyObject(reply);
			continue;
		}
		script_make_world(t);
		ck_called(t, script_call(t));
		n++;
	}
	ck_assert_uint_ge(n, 30);
	redis_server_stop(script_server);
}
END_TEST

/* By a user who may touch just those: also in a pcall(), the server notes what
 * it has refused. */
START_TEST(no_script_touches_a_key_that_it_was_not_given)
{
	const struct script_case *t;
	redisReply *log;
	size_t i;

	script_server_open();
	for (t = cases; t < cases + N_CASES; t++) {
		script_make_world(t);
		redis_server_run(script_server, "ACL SETUSER narrow reset on "
						">password +@all allchannels");
		for (i = 0; i < KEYS_MAX && t->keys[i] != NULL; i++)
			redis_server_run(script_server,
					 "ACL SETUSER narrow ~%s",
					 t->keys[i] + (t->keys[i][0] == '*'));
		ck_called(t, script_call_as(t, "narrow"));
		log = redis_server_command(script_server, "ACL LOG");
		ck_assert_msg(log->elements == 0, "%s: %s",
			      rscripts[t->script].name,
			      log->element[0]->element[7]->str);
		freeReplyObject(log);
	}
	/* It would tell. */
	for (t = cases; t->script != SCRIPT_RECENT; t++)
		;
	redis_server_run(script_server, "ACL SETUSER narrow resetkeys");
	freeReplyObject(script_call_as(t, "narrow"));
	log = redis_server_command(script_server, "ACL LOG");
	ck_assert_uint_gt(log->elements, 0);
	freeReplyObject(log);
	redis_server_stop(script_server);
}
END_TEST

SUITE("redis-scripts")
{
	TEST(each_script_has_the_sum_of_its_text);
	TEST(each_script_is_tested_with_wrong_types);
	TEST(each_script_can_be_called_on_a_cluster_but_a_few);
	TEST(no_script_touches_a_key_that_it_was_not_given);
	TEST_LOOP(a_key_of_the_wrong_type_is_an_error_and_loses_nothing, 0,
		  (int)N_CASES);
}
