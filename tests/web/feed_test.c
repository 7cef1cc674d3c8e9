/* SPDX-License-Identifier: MIT */
/* The feed of the hub: events as workers publish them, masked and bounded. */
#include <event2/event.h>
#include <hiredis.h>
#include <stdio.h>
#include <string.h>

#include "util/clock.h"
#include "web/reader.h"

/* Lets the hub work until that many listen to events at the store. */
static void
await_listeners(long long wanted)
{
	const int64_t deadline = clock_mono_us() + 15000000;
	struct redisReply *reply;
	long long n;

	do {
		ck_assert_int_lt(clock_mono_us(), deadline);
		event_base_loop(readers.base, EVLOOP_NONBLOCK);
		reply = redis_server_command(
		    readers.desk->redis, "PUBSUB NUMSUB flowrra:events:brief");
		n = reply->element[1]->integer;
		freeReplyObject(reply);
	} while (n != wanted);
}

/* As a worker would. */
static void
publish(const char *text)
{
	freeReplyObject(
	    redis_server_command(readers.desk->redis,
				 "PUBLISH flowrra:events:brief "
				 "{\"event\":\"started\",\"password\":\"%s\"}",
				 text));
}

START_TEST(the_feed_is_followed_while_somebody_looks)
{
	struct reader viewer = {.n = 0}, chief = {.n = 0};

	readers_begin(DESK_REDIS, "password");
	reader_look(&chief, false, "feed", NULL);
	reader_look(&viewer, true, "feed", NULL);
	await_listeners(1);
	publish("sesame");
	reader_await(&chief, "sesame");
	reader_await(&viewer, "•••");
	ck_assert(!reader_has(&viewer, "sesame"));
	reader_leave(&viewer);
	reader_leave(&chief);
	/* Else each worker would go on to publish. */
	await_listeners(0);
	readers_end();
}
END_TEST

static int64_t stopped_us = 1000000000;

static int64_t
stopped_clock(void)
{
	return stopped_us;
}

/* Until the hub has taken what was published by now: a reader that comes last
 * has room, and events come in their order. */
static void
await_passed(void)
{
	struct reader last = {.n = 0};

	reader_look(&last, false, "feed", NULL);
	publish("passed");
	reader_await(&last, "passed");
	reader_leave(&last);
}

/* The clock stands still: so the bound is exact. */
START_TEST(a_feed_that_is_faster_than_people_read_is_cut)
{
	static const struct clock_source clock = {.mono_us = stopped_clock};
	struct reader r = {.n = 0};
	char text[16];
	int i;

	readers_begin(DESK_REDIS, "");
	clock_replace(&clock);
	reader_look(&r, false, "feed", NULL);
	await_listeners(1);
	for (i = 1; i <= HUB_FEED_PER_S + 20; i++) {
		snprintf(text, sizeof(text), "n%d.", i);
		publish(text);
	}
	snprintf(text, sizeof(text), "n%d.", HUB_FEED_PER_S);
	reader_await(&r, text);
	/* Those behind it are passed over; it goes on a second later. */
	await_passed();
	ck_assert_uint_eq(r.n, HUB_FEED_PER_S);
	stopped_us += 1000000;
	publish("last");
	reader_await(&r, "last");
	ck_assert_uint_eq(r.n, HUB_FEED_PER_S + 1);
	reader_leave(&r);
	clock_replace(NULL);
	readers_end();
}
END_TEST

SUITE("web-feed")
{
	TEST(the_feed_is_followed_while_somebody_looks);
	TEST(a_feed_that_is_faster_than_people_read_is_cut);
}
