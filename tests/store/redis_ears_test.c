/* SPDX-License-Identifier: MIT */
/* Who waits for ends and for events, on Redis. */
#include <hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "store/redis_stage.h"
#include "store/stage.h"
#include "suite.h"

static struct stage w;

static void
on_stored(struct results_put *put)
{
	++*(unsigned int *)put->arg;
}

/* --- the second word --------------------------------------------------- */

/* What a channel has heard, on a connection of its own. */
struct ear {
	redisContext *connection;
	unsigned int heard;
};

static void
ear_open(struct ear *e, const char *channel)
{
	redisReply *reply;

	*e = (struct ear){.connection = redisConnect(
			      "127.0.0.1", redis_server_port(w.server))};
	ck_assert_ptr_nonnull(e->connection);
	reply = redisCommand(e->connection, "SUBSCRIBE %s", channel);
	ck_assert_ptr_nonnull(reply);
	freeReplyObject(reply);
}

/* Takes what is there. */
static unsigned int
ear_heard(struct ear *e)
{
	struct pollfd fd = {.fd = e->connection->fd, .events = POLLIN};
	redisReply *reply;

	while (poll(&fd, 1, 0) == 1) {
		ck_assert_int_eq(redisBufferRead(e->connection), REDIS_OK);
		for (;;) {
			redisGetReplyFromReader(e->connection, (void **)&reply);
			if (reply == NULL)
				break;
			e->heard++;
			freeReplyObject(reply);
		}
	}
	return e->heard;
}

START_TEST(who_subscribes_too_late_hears_of_the_end_all_the_same)
{
	char id[8], beside[8], channel[40];
	unsigned int stored = 0, i;
	struct ear late, other;
	struct backend *r;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	/* More than once: the timer starts again. */
	for (i = 1; i <= 3; i++) {
		snprintf(id, sizeof(id), "late%u", i);
		snprintf(beside, sizeof(beside), "other%u", i);
		snprintf(channel, sizeof(channel), "flowrra:complete:%s", id);
		backend_put_to(r, id, "", &stored);
		backend_put_to(r, beside, "", &stored);
		UNTIL(&w, stored == 2 * i);
		/* It was published before the record was confirmed. */
		ear_open(&late, channel);
		UNTIL(&w, ear_heard(&late) == 1);
		redisFree(late.connection);
	}
	/* Only where somebody listens: two first words a turn, and one
	 * second. */
	UNTIL(&w,
	      stage_has(&w, "INFO commandstats", "cmdstat_publish:calls=9,"));
	/* Our own clients are told by themselves. */
	ear_open(&other, "flowrra:complete:other");
	backend_put_to(r, "other", "address", &stored);
	backend_put_to(r, "late", "", &stored);
	UNTIL(&w, stored == 8);
	ear_open(&late, "flowrra:complete:late");
	UNTIL(&w, ear_heard(&late) == 1);
	ck_assert_uint_eq(ear_heard(&other), 1);
	redisFree(late.connection);
	redisFree(other.connection);
	backend_close(r);
	stage_close(&w);
}
END_TEST

enum { MANY = 4000, EARS = 20 };

/* As many ends, at once. */
static void
put_many(struct backend *r)
{
	struct results_put *puts = calloc(MANY, sizeof(*puts));
	char(*ids)[8] = calloc(MANY, sizeof(*ids));
	unsigned int stored = 0, i;

	for (i = 0; i < MANY; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%u", i);
		puts[i] = (struct results_put){.id = slice_of(ids[i]),
					       .record = SLICE("{}"),
					       .final = true,
					       .ttl_s = 60,
					       .on_done = on_stored,
					       .arg = &stored};
	}
	for (i = 0; i < MANY; i++)
		results_put(r->results, &puts[i]);
	UNTIL(&w, stored == MANY);
	free(puts);
	free(ids);
}

START_TEST(many_ends_are_asked_about_together)
{
	struct backend *r;
	struct ear first, last;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	ear_open(&first, "flowrra:complete:0");
	ear_open(&last, "flowrra:complete:3999");
	put_many(r);
	UNTIL(&w, ear_heard(&first) == 2 && ear_heard(&last) == 2);
	/* Next to nobody waits: one question for each 3000, and one at the
	 * end of the time; some more where they end slowly. */
	ck_assert_int_ge(stage_calls(&w, "pubsub|channels"), 1);
	ck_assert_int_lt(stage_calls(&w, "pubsub|channels"), 100);
	ck_assert_int_lt(stage_calls(&w, "pubsub|numsub"), 16);
	redisFree(first.connection);
	redisFree(last.connection);
	backend_close(r);
	stage_close(&w);
}
END_TEST

/* Where `change` was made in the server. */
static void
hear_many(const char *change)
{
	struct ear ears[EARS];
	char channel[40];
	struct backend *r;
	unsigned int i;

	stage_open(&w, KIND_REDIS);
	redis_server_run(w.server, change);
	r = backend_open(&w);
	for (i = 0; i < EARS; i++) {
		snprintf(channel, sizeof(channel), "flowrra:complete:%u",
			 i * (MANY / EARS));
		ear_open(&ears[i], channel);
	}
	put_many(r);
	for (i = 0; i < EARS; i++) {
		UNTIL(&w, ear_heard(&ears[i]) == 2);
		redisFree(ears[i].connection);
	}
	/* At most 250 in each question. */
	ck_assert_int_ge(stage_calls(&w, "pubsub|numsub"), 16);
	ck_assert_int_lt(stage_calls(&w, "pubsub|numsub"), 200);
	/* Some leave before the first is answered. */
	ck_assert_int_le(stage_calls(&w, "pubsub|channels"), 4);
	backend_close(r);
	stage_close(&w);
}

START_TEST(where_many_wait_each_end_is_asked_about)
{
	hear_many("PING");
}
END_TEST

START_TEST(who_may_not_list_channels_asks_about_each)
{
	hear_many("ACL SETUSER default -pubsub|channels");
}
END_TEST

/* --- events ------------------------------------------------------------ */

struct listener {
	unsigned int heard, missed;
	size_t longest;
};

static void
on_event(struct slice event, const struct err *err, void *arg)
{
	struct listener *l = arg;

	if (err != NULL) {
		ck_assert_uint_eq(event.len, 0);
		ck_assert_ptr_nonnull(strstr(err->msg, "may have been missed"));
		l->missed++;
		return;
	}
	l->heard++;
	if (event.len > l->longest)
		l->longest = event.len;
}

START_TEST(a_listener_is_told_when_events_may_have_been_missed)
{
	struct listener l = {.heard = 0};
	struct backend *r;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	ck_assert_int_eq(
	    results_listen(r->results,
			   &(struct results_ear){.detail = RESULTS_WHOLE,
						 .on_event = on_event,
						 .arg = &l},
			   NULL),
	    0);
	UNTIL(&w, stage_number(&w, "PUBLISH flowrra:events {}") == 1);
	UNTIL(&w, l.heard == 1);
	ck_assert_uint_eq(l.missed, 0);
	redis_server_run(w.server, "CLIENT KILL TYPE pubsub");
	UNTIL(&w, l.missed == 1);
	UNTIL(&w, stage_number(&w, "PUBLISH flowrra:events {}") == 1);
	UNTIL(&w, l.heard == 2);
	ck_assert_uint_eq(l.missed, 1);
	backend_close(r);
	stage_close(&w);
}
END_TEST

struct closer {
	struct backend *r; /* NULL: it is closed */
	unsigned int heard;
};

static void
close_when_missed(struct slice event, const struct err *err, void *arg)
{
	struct closer *c = arg;

	if (err == NULL) {
		c->heard++;
		return;
	}
	backend_close(c->r);
	c->r = NULL;
}

START_TEST(who_is_told_of_missed_events_may_close_the_backend)
{
	struct closer c = {.heard = 0};

	stage_open(&w, KIND_REDIS);
	c.r = backend_open(&w);
	ck_assert_int_eq(
	    results_listen(c.r->results,
			   &(struct results_ear){.detail = RESULTS_WHOLE,
						 .on_event = close_when_missed,
						 .arg = &c},
			   NULL),
	    0);
	UNTIL(&w, stage_number(&w, "PUBLISH flowrra:events {}") == 1);
	UNTIL(&w, c.heard == 1);
	redis_server_run(w.server, "CLIENT KILL TYPE pubsub");
	UNTIL(&w, c.r == NULL);
	/* Nothing that was pending then touches what is gone. */
	stage_linger(&w, 50);
	stage_close(&w);
}
END_TEST

/* It carries a whole record; and waiting for results goes on beside it. */
START_TEST(an_event_may_be_large)
{
	const size_t size = 4u << 20;
	struct listener l = {.heard = 0};
	char *large = malloc(size);
	struct backend *r;

	memset(large, 'x', size);
	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	ck_assert_int_eq(
	    results_listen(r->results,
			   &(struct results_ear){.detail = RESULTS_WHOLE,
						 .on_event = on_event,
						 .arg = &l},
			   NULL),
	    0);
	UNTIL(&w, stage_number(&w, "PUBLISH flowrra:events {}") == 1);
	results_event(r->results, RESULTS_WHOLE, (struct slice){large, size});
	UNTIL(&w, l.longest == size);
	ck_assert_uint_eq(l.missed, 0);
	free(large);
	backend_close(r);
	stage_close(&w);
}
END_TEST

SUITE("results-redis-ears")
{
	TEST(a_listener_is_told_when_events_may_have_been_missed);
	TEST(an_event_may_be_large);
	TEST(who_subscribes_too_late_hears_of_the_end_all_the_same);
	TEST(many_ends_are_asked_about_together);
	TEST(where_many_wait_each_end_is_asked_about);
	TEST(who_may_not_list_channels_asks_about_each);
	TEST(who_is_told_of_missed_events_may_close_the_backend);
}
