/* SPDX-License-Identifier: MIT */
/* What the Redis scripts of queues and workers do at their edges. */
#include "store/script_effect.h"

/* 100 names that workers have met lately; tabs, since blanks part words. */
#define MEET_100                                                               \
	"EVAL for\ti=1,100\tdo\tredis.call('ZADD',KEYS[1],"                    \
	"redis.call('TIME')[1]*1000-i,'u'..i)\tend 1 " K("unknown")

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

static const struct script_effect effects[] = {
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

START_TEST(each_script_does_what_it_says_at_its_edges)
{
	script_effects_run(effects, sizeof(effects) / sizeof(effects[0]));
}
END_TEST

SUITE("script-effects")
{
	TEST(each_script_does_what_it_says_at_its_edges);
}
