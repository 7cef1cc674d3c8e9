/* SPDX-License-Identifier: MIT */
/*
 * What the Redis scripts do at their edges: a row has the world before, the call,
 * its answer, and what the server says of the world behind it.
 */
#include <stdlib.h>
#include <string.h>

#include "store/script_case.h"
#include "util/buf.h"

/* As an answer to a question: how often something was published. */
#define PUBLISHED "(published)"
/* 100 names that workers have met lately; tabs, since blanks part words. */
#define MEET_100                                                               \
	"EVAL for\ti=1,100\tdo\tredis.call('ZADD',KEYS[1],"                    \
	"redis.call('TIME')[1]*1000-i,'u'..i)\tend 1 " K("unknown")

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
#define LIMIT_KEYS                                                             \
	K("limits"), K("running"), K("held"), K("ready"), K("counting"),       \
	    K("idlers")
#define CLAIM_KEYS                                                             \
	{                                                                      \
		Q, K("levels"), K("inflight:w"), K("paused"), K("withdrawn"),  \
		    K("lanes"), K("limits"), K("lane:=held"), K("uniques"),    \
		    K("lane:m"), K("lane:n")                                   \
	}
#define RELEASE_KEYS                                                           \
	{                                                                      \
		K("inflight:w"), K("p:5"), K("levels"), K("delayed"),          \
		    LIMIT_KEYS                                                 \
	}
#define ASIDE_KEYS                                                             \
	{                                                                      \
		K("inflight:w"), K("lane:n"), K("lanes"), K("served"),         \
		    K("delayed"), K("unknown"), LIMIT_KEYS                     \
	}
#define ASIDE_ARGS                                                             \
	{                                                                      \
		TASK, TASK, "2000", "0", "n", "flowrra:control", "wake", "w"   \
	}
#define RECLAIM_KEYS                                                           \
	{                                                                      \
		Q, K("levels"), K("delayed"), K("lanes"), K("running"),        \
		    K("inflight:w"), K("inflight:w#1"), K("p:5")               \
	}
#define GATHER_KEYS                                                            \
	{                                                                      \
		"flowrra:workers", "flowrra:server:{flowrra:workers}",         \
		    "flowrra:absent:{flowrra:workers}"                         \
	}
#define CLAIMED "LPUSH " K("inflight:w") " " TASK
#define SERVED "ZADD " K("served") " 9e12 n"
#define PUT_BACK "{\"id\":\"t\",\"name\":\"n\",\"unknown\":1}"
#define RECALL_KEYS                                                            \
	{                                                                      \
		K("delayed"), K("unknown"), K("served")                        \
	}
/* Of a search that began in the year 2191, where all begin that are to tell the
 * same each time. */
#define RECALL_ARGS(score, passed, want)                                       \
	{                                                                      \
		"7000000000000", score, passed, "1500000000000", want,         \
		    "10000", "n"                                               \
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

static const struct effect {
	const char *what;
	struct script_case call;
	const char *answer;
	/* A question, and the answer. */
	const char *then[3][2];
} effects[] = {
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
    {"a claim stops at the bytes that it may hand out, in lanes, too",
     {SCRIPT_CLAIM,
      CLAIM_KEYS,
      {"10", "1000", "1", TOMB, "4"},
      {"ZADD " K("lanes") " 1 m 1 n", "ZADD " K("lane:m") " 0 " STAMP "[5]",
       "ZADD " K("lane:n") " 1 " STAMP "[6]"}},
     "[5],",
     {{"LLEN " K("inflight:w"), "1"}, {"ZCARD " K("lane:n"), "1"}}},
    {"a lane's length is on the list, after a claim, too",
     {SCRIPT_CLAIM,
      CLAIM_KEYS,
      {"1", "1000", "1000", TOMB, "4"},
      {"ZADD " K("lanes") " 2 n",
       "ZADD " K("lane:n") " 0 " STAMP "[5] 1 " STAMP "[6]"}},
     "[5]",
     {{"ZSCORE " K("lanes") " n", "1"}}},
    {"a lane that was emptied is not on the list any more",
     {SCRIPT_CLAIM,
      CLAIM_KEYS,
      {"10", "1000", "1000", TOMB, "4"},
      {"ZADD " K("lanes") " 1 n", "ZADD " K("lane:n") " 0 " STAMP "[5]"}},
     "[5]",
     {{"EXISTS " K("lanes"), "0"}}},
    {"an empty lane is taken off the list",
     {SCRIPT_CLAIM,
      CLAIM_KEYS,
      {"10", "1000", "1000", TOMB, "4"},
      {"ZADD " K("lanes") " 1 n"}},
     "",
     {{"EXISTS " K("lanes"), "0"}}},
    {"lanes that were not asked for are named",
     {SCRIPT_CLAIM,
      CLAIM_KEYS,
      {"10", "1000", "1000", TOMB, "4"},
      {"ZADD " K("lanes") " 1 other"}},
     "lanes,other",
     {{"EXISTS " K("lanes"), "1"}}},
    {"what waits first in its queue wakes nobody but by the list",
     {SCRIPT_RELEASE,
      {K("inflight:w"), Q, K("levels"), K("delayed"), LIMIT_KEYS},
      {TASK, "[9]", "0", "0", "flowrra:control", "wake", "w"},
      {CLAIMED}},
     "1",
     {{"LINDEX " Q " 0", "[9]"}, {PUBLISHED, "0"}}},
    {"what goes back to a level wakes workers",
     {SCRIPT_RELEASE,
      RELEASE_KEYS,
      {TASK, "[9]", "0", "5", "flowrra:control", "wake", "w"},
      {CLAIMED}},
     "1",
     {{"LINDEX " K("p:5") " 0", "[9]"},
      {"ZSCORE " K("levels") " 5", "5"},
      {PUBLISHED, "1"}}},
    {"what is delayed wakes those who promote",
     {SCRIPT_RELEASE,
      RELEASE_KEYS,
      {TASK, "[9]", "1000", "5", "flowrra:control", "wake", "w"},
      {CLAIMED}},
     "1",
     {{"ZCARD " K("delayed"), "1"}, {PUBLISHED, "1"}}},
    {"of two equal claims the one that is lost goes back",
     {SCRIPT_RECLAIM,
      RECLAIM_KEYS,
      {"9e15", "2", "100", "0", "1", "1", "[1]", "1", "1", "[1]"},
      {"LPUSH " Q " [1] [2]", "LPUSH " K("inflight:w") " [1]"}},
     "1",
     {{"LRANGE " K("inflight:w") " 0 9", "[1],[1]"},
      {"LRANGE " Q " 0 9", "[2]"}}},
    {"a claim whose end was sent goes back only if its task waits",
     {SCRIPT_RECLAIM,
      RECLAIM_KEYS,
      {"9e15", "2", "100", "0", "1", "0", "[1]", "2", "0", "[2]"},
      {"LPUSH " Q " [1]"}},
     "1",
     {{"LRANGE " K("inflight:w") " 0 9", "[1]"},
      {"LLEN " K("inflight:w#1"), "0"}}},
    {"claims go back from where they are behind many",
     {SCRIPT_RECLAIM,
      RECLAIM_KEYS,
      {"9e15", "2", "100000", "0", "1", "1", "[1]", "2", "1", "u1"},
      {"LPUSH " Q " [1]",
       "EVAL for\ti=1,900\tdo\tredis.call('RPUSH',KEYS[1],'u'..i)\tend 1 " Q}},
     "2",
     {{"LLEN " Q, "899"},
      {"LRANGE " K("inflight:w") " 0 9", "[1]"},
      {"LRANGE " K("inflight:w#1") " 0 9", "u1"}}},
    {"claims go back until the time is over, and not later",
     {SCRIPT_RECLAIM,
      RECLAIM_KEYS,
      {"1", "2", "100", "0", "1", "1", "[1]"},
      {"LPUSH " Q " [1]"}},
     "0",
     {{"LLEN " Q, "1"}}},
    {"a level that is not known is asked for before claims go back",
     {SCRIPT_RECLAIM,
      RECLAIM_KEYS,
      {"9e15", "2", "100", "0", "1", "1", "[1]"},
      {"LPUSH " Q " [1]", "ZADD " K("levels") " 7 7"}},
     "7",
     {{"LLEN " Q, "1"}}},
    {"nobody is awaited at the first server there is",
     {SCRIPT_GATHER,
      GATHER_KEYS,
      {"ab", "10000", "w", "0", "0"},
      {"ZADD flowrra:workers 9e15 v"}},
     "0,0,1",
     {{"GET flowrra:server:{flowrra:workers}", "ab 1"},
      {"EXISTS flowrra:absent:{flowrra:workers}", "0"}}},
    {"at another server all that were alive are awaited",
     {SCRIPT_GATHER,
      GATHER_KEYS,
      {"ab", "10000", "x", "1", "0"},
      {"ZADD flowrra:workers 9e15 v 9e15 w 1 dead",
       "SET flowrra:server:{flowrra:workers} cd\t3"}},
     "1,0,4",
     {{"ZCARD flowrra:absent:{flowrra:workers}", "2"},
      {"ZSCORE flowrra:absent:{flowrra:workers} dead", "-"}}},
    {"at a server that was left, and is the master again, all are awaited",
     {SCRIPT_GATHER,
      GATHER_KEYS,
      {"ab", "10000", "x", "1", "4"},
      {"ZADD flowrra:workers 9e15 v",
       "SET flowrra:server:{flowrra:workers} ab\t3"}},
     "1,0,5",
     {{"GET flowrra:server:{flowrra:workers}", "ab 5"}}},
    {"who has come is awaited no more, nor are others after their time",
     {SCRIPT_GATHER,
      GATHER_KEYS,
      {"ab", "10000", "w", "1", "3"},
      {"ZADD flowrra:absent:{flowrra:workers} 9e15 w 5 v",
       "SET flowrra:server:{flowrra:workers} ab\t3"}},
     "0,0,3",
     {{"ZCARD flowrra:absent:{flowrra:workers}", "1"}}},
    {"two delayed tasks of the same bytes are two",
     {SCRIPT_RELEASE,
      RELEASE_KEYS,
      {TASK, TASK, "1000", "5", "flowrra:control", "wake", "w"},
      {CLAIMED, "ZADD " K("delayed") " 5 " TASK}},
     "1",
     {{"ZCARD " K("delayed"), "2"}, {"ZSCORE " K("delayed") " " TASK, "5"}}},
    {"what is set aside as the first of its lane wakes those who can run it",
     {SCRIPT_SET_ASIDE, ASIDE_KEYS, ASIDE_ARGS, {CLAIMED, SERVED}},
     "1",
     {{"ZSCORE " K("lanes") " n", "1"},
      {"LLEN " K("inflight:w"), "0"},
      {PUBLISHED, "1"}}},
    {"the second one of a lane wakes nobody",
     {SCRIPT_SET_ASIDE,
      ASIDE_KEYS,
      ASIDE_ARGS,
      {CLAIMED, SERVED, "ZADD " K("lane:n") " 0 " STAMP "[5]",
       "ZADD " K("lanes") " 1 n"}},
     "1",
     {{"ZSCORE " K("lanes") " n", "2"}, {PUBLISHED, "0"}}},
    {"a name whose last worker is gone has no lane any more",
     {SCRIPT_SET_ASIDE,
      ASIDE_KEYS,
      ASIDE_ARGS,
      {CLAIMED, "ZADD " K("served") " 1000 n"}},
     "1",
     {{"EXISTS " K("lane:n"), "0"},
      {"ZCARD " K("delayed"), "1"},
      {"ZRANGE " K("unknown") " 0 -1", "n"}}},
    {"two of the same bytes that nobody can run are two",
     {SCRIPT_SET_ASIDE,
      ASIDE_KEYS,
      ASIDE_ARGS,
      {CLAIMED, "ZADD " K("delayed") " 5 " TASK}},
     "1",
     {{"ZCARD " K("delayed"), "2"}}},
    {"a hundred unknown names are kept, the latest",
     {SCRIPT_SET_ASIDE, ASIDE_KEYS, ASIDE_ARGS, {CLAIMED, MEET_100}},
     "1",
     {{"ZCARD " K("unknown"), "100"},
      {"ZSCORE " K("unknown") " u100", "-"},
      {"ZRANK " K("unknown") " n", "99"}}},
    {"an unknown name is forgotten when nobody has met it for ten minutes",
     {SCRIPT_SET_ASIDE,
      ASIDE_KEYS,
      ASIDE_ARGS,
      {CLAIMED, "ZADD " K("unknown") " 1000 old"}},
     "1",
     {{"ZRANGE " K("unknown") " 0 -1", "n"},
      {"TTL " K("unknown"), "600"},
      {PUBLISHED, "1"}}},
    {"a full lane whose tasks cannot go back yet is left for later",
     {SCRIPT_UNLANE,
      {K("lane:n"), K("lanes"), K("served"), K("delayed")},
      {"n", "1", "1000"},
      {"ZADD " K("lanes") " 1 n", "ZADD " K("lane:n") " 0 " STAMP "[5]",
       "ZADD " K("delayed") " 9000000000000 [5]"}},
     "0",
     {{"ZSCORE " K("lanes") " n", "1"}, {"ZCARD " K("lane:n"), "1"}}},
    {"tasks of a lane go back in their order, and it is told if there are more",
     {SCRIPT_UNLANE,
      {K("lane:n"), K("lanes"), K("served"), K("delayed")},
      {"n", "2", "1000"},
      {"ZADD " K("lanes") " 3 n",
       "ZADD " K("lane:n") " 0 " STAMP "[9] 1 " STAMP "[5] 2 " STAMP "[1]"}},
     "1",
     {{"ZRANGE " K("delayed") " 0 -1", "[9],[5]"},
      {"ZSCORE " K("lanes") " n", "1"}}},
    {"a task for which there is no lane any more is tried again later",
     {SCRIPT_SET_ASIDE,
      ASIDE_KEYS,
      ASIDE_ARGS,
      {CLAIMED, SERVED,
       "EVAL for\ti=1,256\tdo\tredis.call('ZADD',KEYS[1],1,'l'..i)\tend "
       "1 " K("lanes")}},
     "1",
     {{"ZCARD " K("lanes"), "256"},
      {"ZCARD " K("delayed"), "1"},
      {"EXISTS " K("unknown"), "0"}}},
    {"a lane that is there takes more, however many there are",
     {SCRIPT_SET_ASIDE,
      ASIDE_KEYS,
      ASIDE_ARGS,
      {CLAIMED, SERVED, "ZADD " K("lane:n") " 0 " STAMP "[5]",
       "EVAL for\ti=1,256\tdo\tredis.call('ZADD',KEYS[1],1,'l'..i)\tend "
       "1 " K("lanes")}},
     "1",
     {{"ZCARD " K("lane:n"), "2"}, {"EXISTS " K("delayed"), "0"}}},
    {"a lane that a worker serves again stays",
     {SCRIPT_UNLANE,
      {K("lane:n"), K("lanes"), K("served"), K("delayed")},
      {"n", "2", "1000"},
      {SERVED, "ZADD " K("lanes") " 1 n",
       "ZADD " K("lane:n") " 0 " STAMP "[5]"}},
     "0",
     {{"ZCARD " K("lane:n"), "1"}, {"EXISTS " K("delayed"), "0"}}},
    {"a name lapses when no worker says it any more",
     {SCRIPT_SERVE,
      {K("served"), K("lanes"), K("unknown")},
      {"9000", "", "n"},
      {"ZADD " K("lanes") " 1 n 1 old", "ZADD " K("served") " 1000 old"}},
     "old,",
     {{"ZRANGE " K("served") " 0 -1 REV", "n,"}, {"TTL " K("served"), "60"}}},
    {"a name that was unknown is told when a worker has it",
     {SCRIPT_SERVE,
      {K("served"), K("lanes"), K("unknown")},
      {"9000", "", "n"},
      {"ZADD " K("unknown") " 1000 n 1000 m", SERVED}},
     ",n",
     {{"ZCARD " K("unknown"), "2"}}},
    {"of what is delayed, tasks that no worker knew are due, and their name "
     "known",
     {SCRIPT_RECALL,
      RECALL_KEYS,
      RECALL_ARGS("", "0", "100"),
      {SERVED, "ZADD " K("unknown") " 1000 n 1000 m",
       "ZADD " K(
	   "delayed") " 8e12 " PUT_BACK
		      " 8.1e12 {\"unknown\":2,\"args\":[{}],\"name\":\"n\"}"
		      " 8.2e12 {\"name\":\"n\",\"unknown\":0}"
		      " 8.2e12 {\"name\":\"m\",\"unknown\":1}",
       "ZADD " K("delayed") " 8e12 {\"name\":\"n\"} 8e12 {\"args\":[{"
			    "\"unknown\":1}],\"name\":\"n\"} 8.6e12 {"
			    "\"name\":\"n\",\"unknown\":9} 8e12 \"unknown\""}},
     "2,7000000000000",
     {{"ZRANGEBYSCORE " K("delayed") " 0 7e12",
       PUT_BACK ",{\"unknown\":2,\"args\":[{}],\"name\":\"n\"}"},
      {"ZCARD " K("delayed"), "8"},
      {"ZRANGE " K("unknown") " 0 -1", "m"}}},
    {"a search ends for now behind what was wanted, and the name stays unknown",
     {SCRIPT_RECALL,
      RECALL_KEYS,
      RECALL_ARGS("", "0", "3"),
      {SERVED, "ZADD " K("unknown") " 1000 n",
       "ZADD " K("delayed") " 8e12 a 8.1e12 b 8.1e12 c 8.1e12 " PUT_BACK
			    " 8.1e12 |"}},
     "0,7000000000000,8100000000000,2",
     {{"ZCARD " K("unknown"), "1"}}},
    {"and goes on there",
     {SCRIPT_RECALL,
      RECALL_KEYS,
      RECALL_ARGS("8100000000000", "2", "1"),
      {SERVED, "ZADD " K("unknown") " 1000 n",
       "ZADD " K("delayed") " 8.1e12 b 8.1e12 c 8.1e12 " PUT_BACK " 8.1e12 |"}},
     "1,7000000000000,8100000000000,2",
     {{"ZRANGEBYSCORE " K("delayed") " 0 7e12", PUT_BACK}}},
    {"a name that was unknown once more stays so",
     {SCRIPT_RECALL,
      RECALL_KEYS,
      RECALL_ARGS("", "0", "9"),
      {SERVED, "ZADD " K("unknown") " 7e12 n"}},
     "0,7000000000000",
     {{"ZCARD " K("unknown"), "1"}}},
    {"what nobody serves any more is left as it is",
     {SCRIPT_RECALL,
      RECALL_KEYS,
      RECALL_ARGS("", "0", "9"),
      {"ZADD " K("served") " 1000 n", "ZADD " K("unknown") " 1000 n",
       "ZADD " K("delayed") " 8e12 " PUT_BACK}},
     "0,7000000000000",
     {{"ZSCORE " K("delayed") " " PUT_BACK, "8000000000000"},
      {"ZCARD " K("unknown"), "1"}}},
    {"an epoch is raised, and lives as long as a mark",
     {SCRIPT_MARK, {K("fence:w")}, {"9", ""}, {"SET " K("fence:w") " 7"}},
     "1",
     {{"GET " K("fence:w"), "8"}, {"TTL " K("fence:w"), "9"}}},
    {"a mark lives for that long",
     {SCRIPT_MARK, {K("taken:w")}, {"9", "token"}, {NULL}},
     "1",
     {{"GET " K("taken:w"), "token"}, {"TTL " K("taken:w"), "9"}}},
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
    {"of two workers only one has something in flight",
     {SCRIPT_VIEW_IN_FLIGHT,
      {K("inflight:w"), K("inflight:w#1"), K("inflight:v"), K("inflight:v#1")},
      {"2", "0", "0", "10", "1000", TOMB},
      {"LPUSH " K("inflight:v#1") " [1]"}},
     "-1,0,0,1,[1]",
     {{NULL}}},
    {"a worker that never served a queue is not counted there",
     {SCRIPT_HOLDING,
      {K("fence:w"), K("inflight:w"), K("inflight:w#1"), K("fence:v"),
       K("inflight:v"), K("inflight:v#1")},
      {"2"},
      {"LPUSH " K("inflight:v#1") " [1]"}},
     "-1,1",
     {{NULL}}},
    {"a page of dead tasks begins below a time",
     {SCRIPT_VIEW_SORTED,
      {K("delayed")},
      {"0", "10", "1000", "5"},
      {"ZADD " K("delayed") " 3 a 4 b 5 c 5 d 6 e"}},
     "-1,b,4,,,a,3,,",
     {{NULL}}},
};
#define N_EFFECTS (sizeof(effects) / sizeof(effects[0]))

/* Lists as "a,b"; "-" for nil. */
static void
flatten(const redisReply *reply, struct buf *out)
{
	size_t i;

	switch (reply->type) {
	case REDIS_REPLY_INTEGER:
		buf_addf(out, "%lld", reply->integer);
		break;
	case REDIS_REPLY_NIL:
		buf_adds(out, "-");
		break;
	case REDIS_REPLY_ARRAY:
		for (i = 0; i < reply->elements; i++) {
			buf_adds(out, i > 0 ? "," : "");
			flatten(reply->element[i], out);
		}
		break;
	default:
		buf_add(out, reply->str, reply->len);
		break;
	}
}

/* Takes the reply. */
static void
ck_reply(const struct effect *e, const char *question, redisReply *reply,
	 const char *wanted)
{
	struct buf text = BUF_INIT;

	buf_adds(&text, "");
	flatten(reply, &text);
	ck_assert_msg(strcmp(text.data, wanted) == 0,
		      "%s: %s: \"%s\", not \"%s\"", e->what, question,
		      text.data, wanted);
	buf_done(&text);
	freeReplyObject(reply);
}

static void
ck_published(const struct effect *e, const char *wanted)
{
	redisReply *reply = script_command("INFO commandstats");
	const char *found = strstr(reply->str, "cmdstat_publish:calls=");
	const int calls =
	    found != NULL ? atoi(found + strlen("cmdstat_publish:calls=")) : 0;

	ck_assert_msg(calls == atoi(wanted), "%s: %d were published", e->what,
		      calls);
	freeReplyObject(reply);
}

START_TEST(each_script_does_what_it_says_at_its_edges)
{
	const struct effect *e;
	size_t i;

	script_server_open();
	for (e = effects; e < effects + N_EFFECTS; e++) {
		script_make_world(&e->call);
		redis_server_run(script_server, "CONFIG RESETSTAT");
		ck_reply(e, "the call", script_call(&e->call), e->answer);
		for (i = 0; i < 3 && e->then[i][0] != NULL; i++)
			if (strcmp(e->then[i][0], PUBLISHED) == 0)
				ck_published(e, e->then[i][1]);
			else
				ck_reply(e, e->then[i][0],
					 script_command(e->then[i][0]),
					 e->then[i][1]);
	}
	redis_server_stop(script_server);
}
END_TEST

SUITE("script-effects")
{
	TEST(each_script_does_what_it_says_at_its_edges);
}
