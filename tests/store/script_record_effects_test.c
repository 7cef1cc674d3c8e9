/* SPDX-License-Identifier: MIT */
/* What the Redis scripts of records and measures do at their edges. */
#include "store/script_effect.h"

#define OVER "{\"task_id\":\"u\",\"status\":\"failed\"}"
/* As another program may write it. */
#define OVER_TOO "{\"task_id\":\"\\u0075\",\"status\":\"success\"}"
#define LOST "{\"task_id\":\"u\",\"status\":\"failed\",\"lost\":true,\"n\":1}"
#define LOST_KEYS                                                              \
	{                                                                      \
		Q, K("levels"), K("delayed"), K("dead"), K("lanes"),           \
		    "flowrra:workers", K("leaving"), K("inflight:w")           \
	}
#define LOST_ARGS(tasks, bytes)                                                \
	{                                                                      \
		tasks, bytes, "t", "u"                                         \
	}
/* The digest is that of "{}". */
#define END_LOST(life)                                                         \
	SCRIPT_END_LOST, {"flowrra:task:t"},                                   \
	{                                                                      \
		"bf21a9e8fbc5a3846fb05b4fa0859e0917b2202f", "[]", life, "done" \
	}
#define STORE_KEYS                                                             \
	{                                                                      \
		"flowrra:task:t", "flowrra:task:u", K("taken:w")               \
	}
#define STORE_ARGS                                                             \
	{                                                                      \
		"2", "1000", "{}", "0", "done", "reply", "3", "ma", "{}", "9", \
		    "done", "", "0", ""                                        \
	}
#define MEASURE_KEYS                                                           \
	{                                                                      \
		"m:minute", "m:hour", "m:total"                                \
	}

static const struct script_effect effects[] = {
    {"a task that is nowhere is told from one that waits",
     {SCRIPT_LOST,
      LOST_KEYS,
      LOST_ARGS("100", "1000"),
      {"LPUSH " Q " {\"id\":\"u\"}"}},
     "1,0",
     {{NULL}}},
    {"the record of a lost task ends",
     {END_LOST("0"), {"SET flowrra:task:t {}"}},
     "1",
     {{"GET flowrra:task:t", "[]"}, {"TTL flowrra:task:t", "-1"}}},
    {"the record of a lost task gets a life",
     {END_LOST("60"), {"SET flowrra:task:t {}"}},
     "1",
     {{"GET flowrra:task:t", "[]"}, {"TTL flowrra:task:t", "60"}}},
    {"a task whose record is another one by now is not lost",
     {END_LOST("0"), {"SET flowrra:task:t {1}"}},
     "0",
     {{"GET flowrra:task:t", "{1}"}}},
    {"a task is not lost in a queue that has too many to read",
     {SCRIPT_LOST,
      LOST_KEYS,
      LOST_ARGS("1", "1000"),
      {"LPUSH " Q " [1]", "LPUSH " K("inflight:w") " [2]"}},
     "much",
     {{NULL}}},
    {"a task is not lost in a queue that has too much to read",
     {SCRIPT_LOST, LOST_KEYS, LOST_ARGS("100", "5"), {"LPUSH " Q " [1] [2]"}},
     "much",
     {{NULL}}},
    {"who has a task in flight has to be known",
     {SCRIPT_LOST,
      LOST_KEYS,
      LOST_ARGS("100", "1000"),
      {"ZADD flowrra:workers 1 w 2 v"}},
     ",,w,v",
     {{NULL}}},
    {"a final record takes the place of a lost one",
     {SCRIPT_STORE,
      STORE_KEYS,
      STORE_ARGS,
      {"SET " K("taken:w") " ma", "SET flowrra:task:u " LOST}},
     "1,1",
     {{"GET flowrra:task:u", "{}"}}},
    {"a record that is over is not taken back",
     {SCRIPT_NOTE,
      {"flowrra:task:u"},
      {"{}"},
      {"SET flowrra:task:u " OVER_TOO}},
     "0",
     {{"GET flowrra:task:u", OVER_TOO}}},
    {"a record is for the place of one that is pending",
     {SCRIPT_NOTE,
      {"flowrra:task:u"},
      {"{}", "changed", "pending"},
      {"SET flowrra:task:u {\"task_id\":\"u\",\"status\":\"pending\"}"}},
     "1",
     {{"GET flowrra:task:u", "{}"}}},
    {"a task that runs is pending no more",
     {SCRIPT_NOTE,
      {"flowrra:task:u"},
      {"{}", "changed", "pending"},
      {"SET flowrra:task:u {\"status\":\"running\"}"}},
     "0",
     {{"GET flowrra:task:u", "{\"status\":\"running\"}"}}},
    {"a record that is gone is not pending",
     {SCRIPT_NOTE, {"flowrra:task:u"}, {"{}", "changed", "pending"}, {NULL}},
     "0",
     {{"EXISTS flowrra:task:u", "0"}}},
    {"a worker that another has taken over from stores nothing",
     {SCRIPT_NOTE,
      {"flowrra:task:u", K("taken:w")},
      {"{}", "mark"},
      {"SET " K("taken:w") " other"}},
     "-1",
     {{"EXISTS flowrra:task:u", "0"}}},
    {"a worker whose mark is gone stores nothing",
     {SCRIPT_NOTE, {"flowrra:task:u", K("taken:w")}, {"{}", "mark"}, {NULL}},
     "-1",
     {{"EXISTS flowrra:task:u", "0"}}},
    /* Of a worker that was frozen: what is fenced or over decides nothing for
     * the record that goes in the same call. */
    {"final records are stored",
     {SCRIPT_STORE,
      STORE_KEYS,
      STORE_ARGS,
      {"SET " K("taken:w") " ma", "SET flowrra:task:u {}"}},
     "1,1",
     {{"GET flowrra:task:t", "{}"}, {"TTL flowrra:task:t", "-1"}}},
    {"one of them is over",
     {SCRIPT_STORE,
      STORE_KEYS,
      STORE_ARGS,
      {"SET " K("taken:w") " ma", "SET flowrra:task:u " OVER}},
     "1,0",
     {{"GET flowrra:task:t", "{}"}, {"GET flowrra:task:u", OVER}}},
    {"one of them is over, by another program",
     {SCRIPT_STORE,
      STORE_KEYS,
      STORE_ARGS,
      {"SET " K("taken:w") " ma", "SET flowrra:task:u " OVER_TOO}},
     "1,0",
     {{"GET flowrra:task:u", OVER_TOO}}},
    {"one of them was taken over",
     {SCRIPT_STORE,
      STORE_KEYS,
      STORE_ARGS,
      {"SET " K("taken:w") " other", "SET flowrra:task:u [1]"}},
     "-1,1",
     {{"EXISTS flowrra:task:t", "0"}, {"TTL flowrra:task:u", "9"}}},
    {"there is no mark, and what is there is not JSON",
     {SCRIPT_STORE, STORE_KEYS, STORE_ARGS, {"SET flowrra:task:u no"}},
     "-1,1",
     {{"EXISTS flowrra:task:t", "0"}}},
    {"one was taken over, and one is over",
     {SCRIPT_STORE,
      STORE_KEYS,
      STORE_ARGS,
      {"SET " K("taken:w") " other", "SET flowrra:task:u " OVER}},
     "-1,0",
     {{"EXISTS flowrra:task:t", "0"}}},
    {"a call ends when it has looked into enough old records",
     {SCRIPT_STORE,
      STORE_KEYS,
      {"2", "3", "{}", "0", "done", "", "0", "", "{}", "9", "done", "", "0",
       ""},
      {"SET flowrra:task:t [1]"}},
     "1",
     {{"EXISTS flowrra:task:u", "0"}}},
    {"of many fields a minute lives shorter, and the total does not",
     {SCRIPT_MEASURE,
      MEASURE_KEYS,
      {"1000", "1000", "1000", "100", "1", "0:io:t", "2"},
      {"HSET m:minute 1:io:a 1 1:io:b 1 1:io:c 1",
       "HSET m:total 1:io:a 1 1:io:b 1 1:io:c 1"}},
     "-",
     {{"TTL m:minute", "250"},
      {"TTL m:total", "1000"},
      {"TTL m:hour", "1000"}}},
    {"what there is no room for counts for others",
     {SCRIPT_MEASURE,
      MEASURE_KEYS,
      {"1000", "1000", "1000", "1", "9", "0:io:t", "2", "0:io:u", "3", "0:io:t",
       "4"},
      {NULL}},
     "-",
     {{"HGET m:minute 0:io:t", "6"}, {"HGET m:total 0:io:other", "3"}}},
};

START_TEST(each_script_of_records_does_what_it_says_at_its_edges)
{
	script_effects_run(effects, sizeof(effects) / sizeof(effects[0]));
}
END_TEST

SUITE("script-record-effects")
{
	TEST(each_script_of_records_does_what_it_says_at_its_edges);
}
