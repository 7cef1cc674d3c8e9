/* SPDX-License-Identifier: MIT */
/* The hub: first all, then what changes; a slow reader gets the newest state. */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/conf.h"
#include "web/desk.h"
#include "web/hub.h"

#define TURN_US 20000

struct reader {
	struct hub_subscriber *subscriber;
	bool full;	/* it has no room */
	struct buf log; /* "name: json\n" */
	size_t n;
};

static struct desk *desk;
static struct event_base *base;
static struct web_hub *hub;

static int
on_event(const char *name, uint64_t id, struct slice json, void *arg)
{
	struct reader *r = arg;

	if (r->full)
		return -1;
	buf_addf(&r->log, "%s: %.*s\n", name, (int)json.len, json.p);
	r->n++;
	return 0;
}

static bool
has(const struct reader *r, const char *text)
{
	return r->log.data != NULL && strstr(r->log.data, text) != NULL;
}

/* Lets the hub work until `text` has come to the reader. */
static void
await(struct reader *r, const char *text)
{
	const int64_t deadline = clock_mono_us() + 15000000;
	const struct timeval moment = {.tv_usec = 10000};

	while (!has(r, text)) {
		ck_assert_msg(clock_mono_us() < deadline, "no %s in %.2000s",
			      text, r->log.data);
		event_base_loopexit(base, &moment);
		event_base_dispatch(base);
	}
}

static void
begin(enum desk_store store, const char *hide)
{
	static char broker[256], schedules[256], masks[256];
	static const char *settings[] = {broker, schedules, masks, NULL};
	const char *const more[] = {masks, NULL};
	struct hub_options options = {.every_us = TURN_US};
	struct err err;

	snprintf(masks, sizeof(masks), "web.hide=%s", hide);
	desk = desk_open_with(store, more);
	snprintf(broker, sizeof(broker), "broker.url=%s",
		 desk->conf->broker.url);
	snprintf(schedules, sizeof(schedules), "scheduler.database_url=%s",
		 desk->conf->scheduler.database_url);
	/* The store must be there. */
	free(desk_submit(desk, "first", "[]", "io"));
	base = event_base_new();
	options.base = base;
	options.shared = &desk->shared;
	options.config_file = "/dev/null";
	options.settings = settings;
	hub = hub_new(&options, &err);
	ck_assert_msg(hub != NULL, "%s", err.msg);
}

static void
end(void)
{
	hub_free(hub);
	event_base_free(base);
	desk_close(desk);
}

static void
look(struct reader *r, bool masked, const char *a, const char *b)
{
	const struct hub_reader reader = {
	    .on_event = on_event, .arg = r, .masked = masked};
	char *topics[] = {(char *)a, (char *)b, NULL};
	struct err err;

	r->subscriber = hub_subscribe(hub, &reader, topics, &err);
	ck_assert_msg(r->subscriber != NULL, "%s", err.msg);
}

static void
leave(struct reader *r)
{
	hub_leave(r->subscriber);
	buf_done(&r->log);
}

START_TEST(the_first_event_is_all_and_the_next_what_has_changed)
{
	struct reader r = {.n = 0}, late = {.n = 0};

	begin(_i, "");
	look(&r, false, "queues", NULL);
	await(&r, "\"snapshot\":true");
	ck_assert(has(&r, "\"waiting\":1"));
	ck_assert(!has(&r, "\"changed\""));
	free(desk_submit(desk, "second", "[]", "io"));
	await(&r, "\"changed\":[{\"queue\":\"io\"");
	/* Who comes later gets all of it at once, as it is now. */
	look(&late, false, "queues", NULL);
	ck_assert(has(&late, "\"snapshot\":true"));
	ck_assert(has(&late, "\"waiting\":2"));
	leave(&late);
	leave(&r);
	end();
}
END_TEST

/* Both are one question then; what the rows say does not tell. */
START_TEST(the_queues_are_told_beside_the_overview_as_alone)
{
	struct reader both = {.n = 0}, alone = {.n = 0};
	const char *row;

	begin(_i, "");
	look(&alone, false, "queues", NULL);
	await(&alone, "\"snapshot\":true");
	look(&both, false, "queues", "overview");
	await(&both, "overview: ");
	row = strstr(both.log.data, "queues: ");
	ck_assert_ptr_nonnull(row);
	ck_assert_ptr_nonnull(strstr(row, "\"items\":[{\"queue\":"));
	ck_assert_ptr_nonnull(strstr(row, "\"spark\":["));
	buf_reset(&alone.log);
	buf_reset(&both.log);
	free(desk_submit(desk, "second", "[]", "io"));
	await(&both, "\"changed\":[{\"queue\":\"io\",\"waiting\":2");
	await(&both, "overview: ");
	await(&alone, "\"changed\":[{\"queue\":\"io\",\"waiting\":2");
	leave(&both);
	/* The overview's are not kept for a turn without it. */
	free(desk_submit(desk, "third", "[]", "io"));
	await(&alone, "\"changed\":[{\"queue\":\"io\",\"waiting\":3");
	leave(&alone);
	end();
}
END_TEST

START_TEST(a_page_that_is_loaded_again_gets_all_again)
{
	struct reader r = {.n = 0}, again = {.n = 0};

	begin(_i, "");
	look(&r, false, "queues", NULL);
	await(&r, "\"snapshot\":true");
	/* Both before the sampler has its turn. */
	leave(&r);
	look(&again, false, "queues", NULL);
	await(&again, "\"snapshot\":true");
	leave(&again);
	end();
}
END_TEST

START_TEST(nothing_is_sent_while_nothing_changes)
{
	struct reader r = {.n = 0}, other = {.n = 0};

	begin(_i, "");
	look(&r, false, "queues", "dead");
	await(&r, "queues: ");
	await(&r, "dead: ");
	ck_assert_uint_eq(r.n, 2);
	/* Turns go by: each topic that is new takes one. */
	look(&other, false, "workers", NULL);
	await(&other, "workers: ");
	leave(&other);
	look(&other, false, "running", NULL);
	buf_reset(&other.log);
	await(&other, "running: ");
	ck_assert_uint_eq(r.n, 2);
	leave(&other);
	leave(&r);
	end();
}
END_TEST

START_TEST(a_slow_reader_gets_the_newest_state_and_no_backlog)
{
	struct reader slow = {.n = 0}, fast = {.n = 0};
	char wanted[32];
	int i;

	begin(_i, "");
	look(&slow, false, "queues", NULL);
	look(&fast, false, "queues", NULL);
	await(&slow, "\"snapshot\":true");
	slow.full = true;
	for (i = 2; i <= 6; i++) {
		free(desk_submit(desk, "more", "[]", "io"));
		snprintf(wanted, sizeof(wanted), "\"waiting\":%d", i);
		await(&fast, wanted);
	}
	ck_assert_uint_eq(slow.n, 1);
	slow.full = false;
	hub_drained(slow.subscriber);
	ck_assert_uint_eq(slow.n, 2);
	ck_assert(has(&slow, "\"waiting\":6"));
	ck_assert(!has(&slow, "\"waiting\":5"));
	/* And goes on with what changes. */
	free(desk_submit(desk, "last", "[]", "io"));
	await(&slow, "\"changed\"");
	leave(&slow);
	leave(&fast);
	end();
}
END_TEST

START_TEST(viewers_are_told_what_they_may_see)
{
	struct reader viewer = {.n = 0}, chief = {.n = 0};
	char topic[64], *id;

	begin(_i, "password");
	id = desk_submit(desk, "first", "[{\"password\":\"sesame\"}]", "io");
	snprintf(topic, sizeof(topic), "task:%s", id);
	look(&chief, false, topic, NULL);
	look(&viewer, true, topic, NULL);
	await(&chief, "sesame");
	await(&viewer, "•••");
	ck_assert(!has(&viewer, "sesame"));
	leave(&viewer);
	leave(&chief);
	free(id);
	end();
}
END_TEST

/* As in the answers of the routes, whose figures it shares. */
START_TEST(what_is_pushed_has_its_rates)
{
	struct reader r = {.n = 0};

	begin(_i, "");
	look(&r, false, "overview", "queues");
	await(&r, "overview: ");
	await(&r, "queues: ");
	ck_assert(has(&r, "\"rates\":{\"succeeded\":0"));
	ck_assert(has(&r, "\"spark\":[0,0,0,0,0]"));
	ck_assert(!has(&r, "\"spark\":[]"));
	leave(&r);
	end();
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

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(hub_check_topics(bad[i], &err), -1);
	ck_assert_int_eq(hub_check_topics(many, &err), -1);
	for (i = 0; i <= HUB_TOPICS_MAX; i++)
		many[i] = (char *)"feed";
	ck_assert_int_eq(hub_check_topics(many, &err), -1);
	many[HUB_TOPICS_MAX] = NULL;
	ck_assert_int_eq(hub_check_topics(many, &err), 0);
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
	TEST_LOOP(viewers_are_told_what_they_may_see, 0, DESK_N_STORES);
	TEST_LOOP(what_is_pushed_has_its_rates, 0, DESK_N_STORES);
	TEST(topics_that_are_none_are_refused);
}
