/* SPDX-License-Identifier: MIT */
/* The hub: first all, then what changes; a slow reader gets the newest state. */
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "web/follower.h"
#include "web/hand.h"
#include "web/reader.h"

START_TEST(the_first_event_is_all_and_the_next_what_has_changed)
{
	struct reader r = {.n = 0}, late = {.n = 0};

	readers_begin(_i, "");
	reader_look(&r, false, "queues", NULL);
	reader_await(&r, "\"snapshot\":true");
	ck_assert(reader_has(&r, "\"waiting\":1"));
	ck_assert(!reader_has(&r, "\"changed\""));
	free(desk_submit(readers.desk, "second", "[]", "io"));
	reader_await(&r, "\"changed\":[{\"queue\":\"io\"");
	/* A later reader gets all of it at once, as it is now. */
	reader_look(&late, false, "queues", NULL);
	ck_assert(reader_has(&late, "\"snapshot\":true"));
	ck_assert(reader_has(&late, "\"waiting\":2"));
	reader_leave(&late);
	reader_leave(&r);
	readers_end();
}
END_TEST

/* Both are one question then; what the rows say does not tell. */
START_TEST(the_queues_are_told_beside_the_overview_as_alone)
{
	struct reader both = {.n = 0}, alone = {.n = 0};
	const char *row;

	readers_begin(_i, "");
	reader_look(&alone, false, "queues", NULL);
	reader_await(&alone, "\"snapshot\":true");
	reader_look(&both, false, "queues", "overview");
	reader_await(&both, "overview: ");
	row = strstr(both.log.data, "queues: ");
	ck_assert_ptr_nonnull(row);
	ck_assert_ptr_nonnull(strstr(row, "\"items\":[{\"queue\":"));
	ck_assert_ptr_nonnull(strstr(row, "\"spark\":["));
	buf_reset(&alone.log);
	buf_reset(&both.log);
	free(desk_submit(readers.desk, "second", "[]", "io"));
	reader_await(&both, "\"changed\":[{\"queue\":\"io\",\"waiting\":2");
	reader_await(&both, "overview: ");
	reader_await(&alone, "\"changed\":[{\"queue\":\"io\",\"waiting\":2");
	reader_leave(&both);
	/* The overview's are not kept for a turn without it. */
	free(desk_submit(readers.desk, "third", "[]", "io"));
	reader_await(&alone, "\"changed\":[{\"queue\":\"io\",\"waiting\":3");
	reader_leave(&alone);
	readers_end();
}
END_TEST

START_TEST(a_page_that_is_loaded_again_gets_all_again)
{
	struct reader r = {.n = 0}, again = {.n = 0};

	readers_begin(_i, "");
	reader_look(&r, false, "queues", NULL);
	reader_await(&r, "\"snapshot\":true");
	/* Both before the sampler has its turn. */
	reader_leave(&r);
	reader_look(&again, false, "queues", NULL);
	reader_await(&again, "\"snapshot\":true");
	reader_leave(&again);
	readers_end();
}
END_TEST

START_TEST(nothing_is_sent_while_nothing_changes)
{
	struct reader r = {.n = 0}, other = {.n = 0};

	readers_begin(_i, "");
	reader_look(&r, false, "queues", "dead");
	reader_await(&r, "queues: ");
	reader_await(&r, "dead: ");
	ck_assert_uint_eq(r.n, 2);
	/* Turns go by: each topic that is new takes one. */
	reader_look(&other, false, "workers", NULL);
	reader_await(&other, "workers: ");
	reader_leave(&other);
	reader_look(&other, false, "running", NULL);
	buf_reset(&other.log);
	reader_await(&other, "running: ");
	ck_assert_uint_eq(r.n, 2);
	reader_leave(&other);
	reader_leave(&r);
	readers_end();
}
END_TEST

START_TEST(a_slow_reader_gets_the_newest_state_and_no_backlog)
{
	struct reader slow = {.n = 0}, fast = {.n = 0};
	char wanted[32];
	int i;

	readers_begin(_i, "");
	reader_look(&slow, false, "queues", NULL);
	reader_look(&fast, false, "queues", NULL);
	reader_await(&slow, "\"snapshot\":true");
	slow.full = true;
	for (i = 2; i <= 6; i++) {
		free(desk_submit(readers.desk, "more", "[]", "io"));
		snprintf(wanted, sizeof(wanted), "\"waiting\":%d", i);
		reader_await(&fast, wanted);
	}
	ck_assert_uint_eq(slow.n, 1);
	slow.full = false;
	hub_drained(slow.subscriber);
	ck_assert_uint_eq(slow.n, 2);
	ck_assert(reader_has(&slow, "\"waiting\":6"));
	ck_assert(!reader_has(&slow, "\"waiting\":5"));
	/* And goes on with what changes. */
	free(desk_submit(readers.desk, "last", "[]", "io"));
	reader_await(&slow, "\"changed\"");
	reader_leave(&slow);
	reader_leave(&fast);
	readers_end();
}
END_TEST

/* A change is of use only to a reader that has had the state before. */
START_TEST(a_reader_that_missed_a_change_gets_all_with_the_next_one)
{
	struct reader slow = {.n = 0}, fast = {.n = 0};

	readers_begin(_i, "");
	reader_look(&slow, false, "queues", NULL);
	reader_look(&fast, false, "queues", NULL);
	reader_await(&slow, "\"snapshot\":true");
	slow.full = true;
	free(desk_submit(readers.desk, "more", "[]", "io"));
	reader_await(&fast, "\"waiting\":2");
	slow.full = false;
	buf_reset(&slow.log);
	free(desk_submit(readers.desk, "more", "[]", "io"));
	reader_await(&slow, "\"waiting\":3");
	ck_assert(reader_has(&slow, "\"snapshot\":true"));
	ck_assert(!reader_has(&slow, "\"changed\""));
	reader_leave(&slow);
	reader_leave(&fast);
	readers_end();
}
END_TEST

START_TEST(viewers_are_told_what_they_may_see)
{
	struct reader viewer = {.n = 0}, chief = {.n = 0};
	char topic[64], *id;

	readers_begin(_i, "password");
	id = desk_submit(readers.desk, "first", "[{\"password\":\"sesame\"}]",
			 "io");
	snprintf(topic, sizeof(topic), "task:%s", id);
	reader_look(&chief, false, topic, NULL);
	reader_look(&viewer, true, topic, NULL);
	reader_await(&chief, "sesame");
	reader_await(&viewer, "•••");
	ck_assert(!reader_has(&viewer, "sesame"));
	reader_leave(&viewer);
	reader_leave(&chief);
	free(id);
	readers_end();
}
END_TEST

/* The sampler's turns are too far apart to tell any of it: each step is told since
 * the store says so, and long before a task is looked at by itself. */
START_TEST(a_task_is_told_as_soon_as_it_changes)
{
	const int64_t begun_us = clock_mono_us();
	struct reader r = {.n = 0};
	char record[256];

	readers_begin_every(_i, "", INT64_C(3600) * 1000000);
	desk_submit_as(readers.desk, "t1", "first", "[]", "{}", 0);
	reader_look(&r, false, "task:t1", NULL);
	reader_await(&r, "\"status\":\"pending\"");
	/* Twice, so that one look which the first caused cannot pass for both. */
	snprintf(record, sizeof(record),
		 "{\"task_id\":\"t1\",\"status\":\"running\","
		 "\"task_name\":\"first\",\"progress\":{\"current\":3}}");
	hand_note(readers.desk, "t1", record);
	reader_await(&r, "\"current\":3");
	snprintf(record, sizeof(record),
		 "{\"task_id\":\"t1\",\"status\":\"retrying\","
		 "\"task_name\":\"first\"}");
	hand_note(readers.desk, "t1", record);
	reader_await(&r, "retrying");
	hand_end_tasks(readers.desk, 2, NULL);
	reader_await(&r, "\"status\":\"success\"");
	ck_assert_int_lt(clock_mono_us() - begun_us, 10000000);
	reader_leave(&r);
	readers_end();
}
END_TEST

static void
note_running(const char *id)
{
	hand_note(readers.desk, id,
		  "{\"task_id\":\"t\",\"status\":\"running\","
		  "\"task_name\":\"first\"}");
}

/* More than are followed: the first that was looked at is found by a look, in a
 * turn, long before a task is looked at by itself. The last one changes before it:
 * that is told once the follower has the whole list, and not the one before, in
 * which the first was. */
START_TEST(of_many_tasks_each_is_told_when_it_changes)
{
	struct reader all[FOLLOWED_MAX + 4] = {{.n = 0}};
	const unsigned int last = FOLLOWED_MAX + 3;
	const int64_t begun_us = clock_mono_us();
	char topic[32], id[16];
	unsigned int i;

	readers_begin(_i, "");
	for (i = 0; i <= last; i++) {
		snprintf(id, sizeof(id), "t%u", i);
		snprintf(topic, sizeof(topic), "task:t%u", i);
		desk_submit_as(readers.desk, id, "first", "[]", "{}", 0);
		reader_look(&all[i], false, topic, NULL);
	}
	for (i = 0; i <= last; i++)
		reader_await(&all[i], "\"status\":\"pending\"");
	note_running(id);
	reader_await(&all[last], "running");
	note_running("t0");
	reader_await(&all[0], "running");
	ck_assert_int_lt(clock_mono_us() - begun_us, 10000000);
	for (i = 0; i <= last; i++)
		reader_leave(&all[i]);
	readers_end();
}
END_TEST

/* What the server was asked since the last call of this. */
static char *
asked_of_redis(void)
{
	struct redisReply *reply =
	    redis_server_command(readers.desk->redis, "INFO commandstats");
	char *text = strdup(reply->str);

	freeReplyObject(reply);
	redis_server_run(readers.desk->redis, "CONFIG RESETSTAT");
	return text;
}

START_TEST(a_task_that_does_not_change_costs_no_question)
{
	struct reader r = {.n = 0}, other = {.n = 0};
	char *asked;

	readers_begin(DESK_REDIS, "");
	desk_submit_as(readers.desk, "t1", "first", "[]", "{}", 0);
	desk_submit_as(readers.desk, "t2", "first", "[]", "{}", 0);
	reader_look(&r, false, "task:t1", NULL);
	reader_look(&other, false, "task:t2", NULL);
	reader_await(&r, "\"status\":\"pending\"");
	reader_await(&other, "\"status\":\"pending\"");
	/* The first look of the follower, and what it causes. */
	readers_linger(600);
	free(asked_of_redis());
	readers_linger(10 * READERS_TURN_US / 1000);
	asked = asked_of_redis();
	ck_assert_msg(strstr(asked, "cmdstat_get:") == NULL &&
			  strstr(asked, "cmdstat_evalsha:") == NULL,
		      "%s", asked);
	free(asked);
	ck_assert_uint_eq(r.n, 1);
	reader_leave(&other);
	reader_leave(&r);
	readers_end();
}
END_TEST

/* As in the answers of the routes, whose figures it shares. */
START_TEST(what_is_pushed_has_its_rates)
{
	struct reader r = {.n = 0};

	readers_begin(_i, "");
	reader_look(&r, false, "overview", "queues");
	reader_await(&r, "overview: ");
	reader_await(&r, "queues: ");
	ck_assert(reader_has(&r, "\"rates\":{\"succeeded\":0"));
	ck_assert(reader_has(&r, "\"spark\":[0,0,0,0,0]"));
	ck_assert(!reader_has(&r, "\"spark\":[]"));
	reader_leave(&r);
	readers_end();
}
END_TEST

START_TEST(a_reader_that_comes_while_the_store_is_away_is_told_so)
{
	struct reader r = {.n = 0}, late = {.n = 0};

	readers_begin(DESK_REDIS, "");
	reader_look(&r, false, "queues", NULL);
	reader_await(&r, "\"snapshot\":true");
	redis_server_kill(readers.desk->redis);
	reader_await(&r, "stale: ");
	reader_look(&late, false, "queues", NULL);
	ck_assert(reader_has(&late, "stale: "));
	reader_leave(&late);
	redis_server_restart(readers.desk->redis);
	reader_await(&r, "live: ");
	late = (struct reader){.n = 0};
	reader_look(&late, false, "queues", NULL);
	ck_assert(!reader_has(&late, "stale: "));
	reader_leave(&late);
	reader_leave(&r);
	readers_end();
}
END_TEST

START_TEST(no_more_tasks_are_watched_than_there_is_memory_for)
{
	static char names[HUB_TASKS_MAX + 1][16];
	struct reader crowd[HUB_TASKS_MAX / HUB_TOPICS_MAX], other = {.n = 0};
	struct reader page = {.n = 0};
	char *topics[HUB_TOPICS_MAX + 1] = {NULL}, *one[] = {NULL, NULL};
	struct hub_reader how = {.on_event = reader_on_event};
	struct err err;
	size_t i, k, n = 0;

	readers_begin(DESK_SQLITE, "");
	/* Topics that are not tasks take no place of one. */
	reader_look(&page, false, "overview", "queues");
	memset(crowd, 0, sizeof(crowd));
	for (i = 0; i <= HUB_TASKS_MAX; i++)
		snprintf(names[i], sizeof(names[0]), "task:%zu", i);
	for (i = 0; i < HUB_TASKS_MAX / HUB_TOPICS_MAX; i++) {
		for (k = 0; k < HUB_TOPICS_MAX; k++)
			topics[k] = names[n++];
		how.arg = &crowd[i];
		crowd[i].subscriber =
		    hub_subscribe(readers.hub, &how, topics, &err);
		ck_assert_ptr_nonnull(crowd[i].subscriber);
	}
	one[0] = names[n];
	how.arg = &other;
	ck_assert_int_eq(hub_check_topics(readers.hub, one, &err), -1);
	ck_assert_int_eq(err.code, ERR_REFUSED);
	ck_assert_ptr_null(hub_subscribe(readers.hub, &how, one, &err));
	ck_assert_int_eq(err.code, ERR_REFUSED);
	one[0] = names[0];
	ck_assert_int_eq(hub_check_topics(readers.hub, one, &err), 0);
	/* One that is watched already may be watched by others. */
	reader_look(&other, false, names[0], "queues");
	reader_leave(&other);
	reader_leave(&crowd[0]);
	reader_look(&other, false, names[n], NULL);
	reader_leave(&other);
	for (i = 1; i < HUB_TASKS_MAX / HUB_TOPICS_MAX; i++)
		reader_leave(&crowd[i]);
	reader_leave(&page);
	readers_end();
}
END_TEST

START_TEST(topics_that_are_none_are_refused)
{
	static char *const bad[][2] = {{(char *)"nothing", NULL},
				       {(char *)"task:", NULL},
				       {(char *)"task:a b", NULL},
				       {(char *)"", NULL}};
	char *many[HUB_TOPICS_MAX + 2] = {NULL};
	struct err err;
	size_t i;

	readers_begin(DESK_SQLITE, "");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(hub_check_topics(readers.hub, bad[i], &err),
				 -1);
	ck_assert_int_eq(hub_check_topics(readers.hub, many, &err), -1);
	for (i = 0; i <= HUB_TOPICS_MAX; i++)
		many[i] = (char *)"feed";
	ck_assert_int_eq(hub_check_topics(readers.hub, many, &err), -1);
	many[HUB_TOPICS_MAX] = NULL;
	ck_assert_int_eq(hub_check_topics(readers.hub, many, &err), 0);
	readers_end();
}
END_TEST

SUITE("web-hub")
{
	TEST_LOOP(the_first_event_is_all_and_the_next_what_has_changed, 0,
		  DESK_N_STORES);
	TEST_LOOP(the_queues_are_told_beside_the_overview_as_alone, 0,
		  DESK_N_STORES);
	TEST_LOOP(a_page_that_is_loaded_again_gets_all_again, 0, DESK_N_STORES);
	TEST_LOOP(nothing_is_sent_while_nothing_changes, 0, DESK_N_STORES);
	TEST_LOOP(a_slow_reader_gets_the_newest_state_and_no_backlog, 0,
		  DESK_N_STORES);
	TEST_LOOP(a_reader_that_missed_a_change_gets_all_with_the_next_one, 0,
		  DESK_N_STORES);
	TEST_LOOP(viewers_are_told_what_they_may_see, 0, DESK_N_STORES);
	TEST_LOOP(a_task_is_told_as_soon_as_it_changes, 0, DESK_N_STORES);
	TEST_LOOP(of_many_tasks_each_is_told_when_it_changes, 0, DESK_N_STORES);
	TEST(a_task_that_does_not_change_costs_no_question);
	TEST_LOOP(what_is_pushed_has_its_rates, 0, DESK_N_STORES);
	TEST(a_reader_that_comes_while_the_store_is_away_is_told_so);
	TEST(no_more_tasks_are_watched_than_there_is_memory_for);
	TEST(topics_that_are_none_are_refused);
}
