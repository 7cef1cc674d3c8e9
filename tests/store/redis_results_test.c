/* SPDX-License-Identifier: MIT */
/* What only the Redis backend has to do right. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis.h>

#include "redis_server.h"
#include "store/stage.h"
#include "suite.h"

#define RECORD "{\"task_id\":\"%s\",\"status\":\"%s\"}"

static struct stage w;

struct page {
	bool answered;
	size_t n;
	char first[128]; /* record */
	char next[128];
};

static long long
integer(const char *command)
{
	redisReply *reply = redis_server_command(w.server, command);
	long long value = reply->integer;

	ck_assert_int_eq(reply->type, REDIS_REPLY_INTEGER);
	freeReplyObject(reply);
	return value;
}

static bool
has(const char *command, const char *text)
{
	redisReply *reply = redis_server_command(w.server, command);
	bool yes = reply->str != NULL && strstr(reply->str, text) != NULL;

	freeReplyObject(reply);
	return yes;
}

/* How often the server has carried out a command. */
static int
calls_of(const char *command)
{
	redisReply *stats = redis_server_command(w.server, "INFO commandstats");
	char label[64];
	const char *at;
	int n;

	snprintf(label, sizeof(label), "cmdstat_%s:calls=", command);
	at = strstr(stats->str, label);
	n = at != NULL ? atoi(at + strlen(label)) : 0;
	freeReplyObject(stats);
	return n;
}

static void
end(struct backend *r, const char *id, const char *status)
{
	char record[128];

	snprintf(record, sizeof(record), RECORD, id, status);
	backend_put(&w, r, id, record, true, 60);
}

static void
on_stored(struct results_put *put)
{
	++*(unsigned int *)put->arg;
}

/* A note for each task would cost a third of the speed. */
START_TEST(what_ends_in_one_turn_of_the_loop_is_noted_at_once)
{
	enum { N = 100 };
	struct results_put puts[N];
	char ids[N][8], records[N][1024];
	unsigned int stored = 0;
	struct backend *r;
	int i;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	for (i = 0; i < N; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%d", i);
		snprintf(records[i], sizeof(records[i]), RECORD, ids[i],
			 i % 2 == 0 ? "success" : "failed");
		puts[i] = (struct results_put){.id = slice_of(ids[i]),
					       .record = slice_of(records[i]),
					       .final = true,
					       .failed = i % 2 != 0,
					       .ttl_s = 60,
					       .on_done = on_stored,
					       .arg = &stored};
		results_put(r->results, &puts[i]);
	}
	UNTIL(&w, stored == N);
	UNTIL(&w, integer("LLEN flowrra:failed") == N / 2);
	ck_assert_int_eq(integer("LLEN flowrra:completed"), N / 2);
	ck_assert(has("INFO commandstats", "cmdstat_lpush:calls=2,"));
	ck_assert(has("INFO commandstats", "cmdstat_hincrby:calls=2,"));
	ck_assert(has("LINDEX flowrra:failed 0", "99"));
	ck_assert(has("LINDEX flowrra:failed -1", "1"));
	backend_close(r);
	stage_close(&w);
}
END_TEST

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

static void
put_to(struct backend *r, const char *id, const char *reply_to,
       unsigned int *stored)
{
	static struct results_put puts[8];
	static char records[8][128];
	static unsigned int n;
	const unsigned int i = n++ % 8;

	snprintf(records[i], sizeof(records[i]), RECORD, id, "success");
	puts[i] = (struct results_put){.id = slice_of(id),
				       .record = slice_of(records[i]),
				       .final = true,
				       .reply_to = slice_of(reply_to),
				       .ttl_s = 60,
				       .on_done = on_stored,
				       .arg = stored};
	results_put(r->results, &puts[i]);
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
		put_to(r, id, "", &stored);
		put_to(r, beside, "", &stored);
		UNTIL(&w, stored == 2 * i);
		/* It was published before the record was confirmed. */
		ear_open(&late, channel);
		UNTIL(&w, ear_heard(&late) == 1);
		redisFree(late.connection);
	}
	/* Only where somebody listens: two first words a turn, and one
	 * second. */
	UNTIL(&w, has("INFO commandstats", "cmdstat_publish:calls=9,"));
	/* Our own clients are told by themselves. */
	ear_open(&other, "flowrra:complete:other");
	put_to(r, "other", "address", &stored);
	put_to(r, "late", "", &stored);
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
	ck_assert_int_ge(calls_of("pubsub|channels"), 1);
	ck_assert_int_lt(calls_of("pubsub|channels"), 100);
	ck_assert_int_lt(calls_of("pubsub|numsub"), 16);
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
	ck_assert_int_ge(calls_of("pubsub|numsub"), 16);
	ck_assert_int_lt(calls_of("pubsub|numsub"), 200);
	/* Some leave before the first is answered. */
	ck_assert_int_le(calls_of("pubsub|channels"), 4);
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

/* --- what is looked for before it is stored ------------------------------ */

#define N_FINALS 100

/* A turn's worth of records that follow from no claim in the same store. */
struct finals {
	struct results_put puts[N_FINALS];
	char ids[N_FINALS][8], records[N_FINALS][128];
	unsigned int stored;
};

static void
finals_begin(struct backend *r, struct finals *f, const char *status)
{
	int i;

	f->stored = 0;
	for (i = 0; i < N_FINALS; i++) {
		snprintf(f->ids[i], sizeof(f->ids[i]), "%d", i);
		snprintf(f->records[i], sizeof(f->records[i]), RECORD,
			 f->ids[i], status);
		f->puts[i] =
		    (struct results_put){.id = slice_of(f->ids[i]),
					 .record = slice_of(f->records[i]),
					 .final = true,
					 .ttl_s = 60,
					 .on_done = on_stored,
					 .arg = &f->stored};
		results_put(r->results, &f->puts[i]);
	}
}

static void
finals_put(struct backend *r, struct finals *f, const char *status)
{
	finals_begin(r, f, status);
	UNTIL(&w, f->stored == N_FINALS);
}

/* Of a frozen worker that comes back, say. With TLS, too. */
START_TEST(final_records_of_a_turn_go_together_and_replace_no_final_one)
{
	static const struct redis_server_options tls = {.tls = true};
	struct redis_server *plain;
	struct backend *r;
	struct finals f;
	int i;

	stage_open(&w, KIND_REDIS);
	plain = w.server;
	if (_i) {
		w.server = redis_server_start(&tls);
		snprintf(w.url, sizeof(w.url), "%s",
			 redis_server_url(w.server));
	}
	r = backend_open(&w);
	redis_server_run(w.server, "SET flowrra:task:7 " RECORD, "7", "failed");
	redis_server_run(w.server, "SET flowrra:task:8 " RECORD, "8",
			 "running");
	redis_server_run(w.server, "SADD flowrra:task:9 x");
	finals_put(r, &f, "success");
	for (i = 0; i < N_FINALS; i++)
		ck_assert_int_eq(f.puts[i].answer,
				 i == 7 ? RESULTS_ENDED : RESULTS_STORED);
	ck_assert_ptr_nonnull(strstr(backend_get(&w, r, "7"), "failed"));
	ck_assert_ptr_nonnull(strstr(backend_get(&w, r, "8"), "success"));
	ck_assert_ptr_nonnull(strstr(backend_get(&w, r, "9"), "success"));
	ck_assert_int_eq(integer("TTL flowrra:task:0"), 60);
	/* 32 in a call. */
	ck_assert(has("INFO commandstats", "cmdstat_evalsha:calls=4,"));
	finals_put(r, &f, "failed");
	for (i = 0; i < N_FINALS; i++)
		ck_assert_int_eq(f.puts[i].answer,
				 i == 7 ? RESULTS_STORED : RESULTS_ENDED);
	ck_assert_ptr_nonnull(strstr(backend_get(&w, r, "99"), "success"));
	backend_close(r);
	if (_i)
		redis_server_stop(w.server);
	w.server = plain;
	stage_close(&w);
}
END_TEST

/* What it takes the server long to look at is looked at in several calls. */
START_TEST(many_large_records_of_other_programs_hold_no_server_for_long)
{
	struct backend *r;
	struct finals f;
	int i;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	for (i = 0; i < N_FINALS; i++)
		redis_server_run(
		    w.server, "EVAL %s 0 %d",
		    "redis.call('SET', 'flowrra:task:' .. ARGV[1], "
		    "'{\"status\": \"failed\", \"a\": \"' .. "
		    "string.rep('x', 1100000) .. '\"}')",
		    i);
	finals_put(r, &f, "success");
	for (i = 0; i < N_FINALS; i++)
		ck_assert_int_eq(f.puts[i].answer, RESULTS_ENDED);
	ck_assert(has("INFO commandstats", "cmdstat_evalsha:calls=100,"));
	backend_close(r);
	stage_close(&w);
}
END_TEST

START_TEST(final_records_outlive_a_server_that_forgets_restarts_or_is_full)
{
	unsigned int stored = 0;
	struct backend *r;
	struct finals f;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	finals_put(r, &f, "success");
	redis_server_run(w.server, "FLUSHALL");
	redis_server_run(w.server, "SCRIPT FLUSH");
	finals_put(r, &f, "success");
	ck_assert_int_eq(integer("DBSIZE") >= N_FINALS, 1);
	redis_server_kill(w.server);
	UNTIL(&w, !results_is_up(r->results));
	put_to(r, "lone", "", &stored);
	redis_server_restart(w.server);
	finals_put(r, &f, "failed");
	ck_assert_uint_eq(stored, 1);
	ck_assert_int_eq(f.puts[99].answer, RESULTS_STORED);
	redis_server_run(w.server, "FLUSHALL");
	redis_server_run(w.server, "CONFIG SET maxmemory 1");
	finals_put(r, &f, "success");
	ck_assert_ptr_nonnull(strstr(backend_get(&w, r, "99"), "success"));
	backend_close(r);
	stage_close(&w);
}
END_TEST

/* Whoever waits notices late, but no record is lost, nor those beside it. */
START_TEST(a_record_is_stored_for_a_user_who_may_not_publish)
{
	struct backend *r;
	struct finals f;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	redis_server_run(w.server, "ACL SETUSER default resetchannels");
	finals_put(r, &f, "success");
	ck_assert_int_eq(f.puts[0].answer, RESULTS_STORED);
	ck_assert_ptr_nonnull(strstr(backend_get(&w, r, "99"), "success"));
	backend_close(r);
	stage_close(&w);
}
END_TEST

/* One that the server never takes is tried again and again, alone. */
START_TEST(a_final_record_that_is_refused_holds_no_other_back)
{
	struct backend *r;
	struct finals f;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	redis_server_run(w.server,
			 "ACL SETUSER default resetkeys ~flowrra:[^t]* "
			 "~flowrra:task:[^4]* ~flowrra:task:4 "
			 "~flowrra:task:4[^2]*");
	finals_begin(r, &f, "success");
	UNTIL(&w, f.stored == N_FINALS - 1);
	/* So it goes with what comes later. */
	put_to(r, "late", "", &f.stored);
	UNTIL(&w, f.stored == N_FINALS);
	redis_server_run(w.server, "ACL SETUSER default allkeys");
	UNTIL(&w, f.stored == N_FINALS + 1);
	ck_assert_ptr_nonnull(strstr(backend_get(&w, r, "42"), "success"));
	backend_close(r);
	stage_close(&w);
}
END_TEST

START_TEST(the_list_of_what_has_ended_does_not_grow_for_ever)
{
	struct backend *r;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	redis_server_run(
	    w.server, "EVAL %s 0",
	    "for i = 1, 101000 do redis.call('LPUSH', 'flowrra:failed', i) "
	    "end");
	end(r, "last", "failed");
	UNTIL(&w, integer("LLEN flowrra:failed") == RESULTS_LIST_MAX);
	ck_assert(has("LINDEX flowrra:failed 0", "last"));
	backend_close(r);
	stage_close(&w);
}
END_TEST

static void
on_page(const struct slice *records, size_t n, struct slice next,
	const struct err *err, void *arg)
{
	struct page *page = arg;

	ck_assert_msg(err == NULL, "%s", err ? err->msg : "");
	page->answered = true;
	page->n = n;
	snprintf(page->first, sizeof(page->first), "%.*s",
		 n > 0 ? (int)records[0].len : 0, n > 0 ? records[0].p : "");
	snprintf(page->next, sizeof(page->next), "%.*s", (int)next.len, next.p);
}

static void
list(struct backend *r, struct page *page)
{
	char cursor[sizeof(page->next)];

	strcpy(cursor, page->next);
	page->answered = false;
	results_list(r->results, true, slice_of(cursor), 1, on_page, page);
	UNTIL(&w, page->answered);
}

/* Many tasks have ended since the page before: no call looks for its end for
 * long. */
START_TEST(a_list_goes_on_however_much_it_has_grown)
{
	struct page page = {.n = 0};
	struct backend *r;
	int calls = 0;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	end(r, "1", "failed");
	end(r, "2", "failed");
	list(r, &page);
	ck_assert_ptr_nonnull(strstr(page.first, "\"2\""));
	redis_server_run(
	    w.server, "EVAL %s 0",
	    "for i = 1, 12345 do redis.call('LPUSH', 'flowrra:failed', i) end");
	do {
		list(r, &page);
		calls++;
	} while (page.n == 0 && page.next[0] != '\0');
	ck_assert_int_eq(calls, 3);
	ck_assert_ptr_nonnull(strstr(page.first, "\"1\""));
	/* What is not there any more has nothing behind it. */
	strcpy(page.next, "3:gone");
	do
		list(r, &page);
	while (page.n == 0 && page.next[0] != '\0');
	ck_assert_uint_eq(page.n, 0);
	backend_close(r);
	stage_close(&w);
}
END_TEST

START_TEST(a_list_is_asked_for_again_when_the_server_has_forgotten_the_script)
{
	struct page page = {.n = 0};
	struct backend *r;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	end(r, "1", "failed");
	end(r, "2", "failed");
	list(r, &page);
	redis_server_run(w.server, "SCRIPT FLUSH");
	list(r, &page); /* with its cursor */
	ck_assert_ptr_nonnull(strstr(page.first, "\"1\""));
	backend_close(r);
	stage_close(&w);
}
END_TEST

static void
on_refused(const struct slice *records, size_t n, struct slice next,
	   const struct err *err, void *arg)
{
	ck_assert_ptr_nonnull(err);
	*(struct err *)arg = *err;
}

START_TEST(what_is_no_cursor_is_refused)
{
	static const char *const cursors[] = {
	    "x", "1", ":1", "-1:a", "1x:a", "99999999999999999999:a"};
	struct backend *r;
	struct err err;
	size_t i;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	for (i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++) {
		err.code = ERR_NONE;
		results_list(r->results, false, slice_of(cursors[i]), 10,
			     on_refused, &err);
		ck_assert_int_eq(err.code, ERR_NONE); /* from the loop */
		UNTIL(&w, err.code != ERR_NONE);
		ck_assert_int_eq(err.code, ERR_DATA);
	}
	backend_close(r);
	stage_close(&w);
}
END_TEST

static void
close_when_told(struct slice record, const struct err *err, void *arg)
{
	struct backend **r = arg;

	ck_assert_ptr_nonnull(err);
	ck_assert_ptr_nonnull(*r);
	backend_close(*r);
	*r = NULL;
}

START_TEST(who_is_told_that_the_server_is_gone_may_close_the_backend)
{
	struct backend *r;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	redis_server_kill(w.server);
	UNTIL(&w, !results_is_up(r->results));
	results_get(r->results, SLICE("1"), close_when_told, &r);
	results_get(r->results, SLICE("2"), close_when_told, &r);
	UNTIL(&w, r == NULL);
	stage_linger(&w, 50);
	stage_close(&w);
}
END_TEST

START_TEST(a_full_server_lists_and_counts_what_ends)
{
	struct backend *r;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	end(r, "before", "success");
	redis_server_run(w.server, "CONFIG SET maxmemory 1");
	end(r, "1", "success");
	end(r, "2", "failed");
	UNTIL(&w, has("LINDEX flowrra:completed 0", "1"));
	UNTIL(&w, has("LINDEX flowrra:failed 0", "2"));
	UNTIL(&w, has("HGET flowrra:stats failed", "1"));
	/* What was refused before it was known to be full was sent twice. */
	ck_assert(has("HGET flowrra:stats succeeded", "2") ||
		  has("HGET flowrra:stats succeeded", "3"));
	backend_close(r);
	stage_close(&w);
}
END_TEST

/* Somebody may have taken LPUSH from our user: no result hangs on it. */
START_TEST(a_note_that_is_refused_keeps_no_record_back)
{
	struct backend *r;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	redis_server_run(w.server, "ACL SETUSER default -lpush");
	end(r, "1", "failed");
	ck_assert_ptr_nonnull(backend_get(&w, r, "1"));
	redis_server_run(w.server, "ACL SETUSER default +@all");
	end(r, "2", "failed");
	UNTIL(&w, integer("LLEN flowrra:failed") == 1);
	backend_close(r);
	stage_close(&w);
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
	ck_assert_int_eq(results_listen(r->results, on_event, &l, NULL), 0);
	UNTIL(&w, integer("PUBLISH flowrra:events {}") == 1);
	UNTIL(&w, l.heard == 1);
	ck_assert_uint_eq(l.missed, 0);
	redis_server_run(w.server, "CLIENT KILL TYPE pubsub");
	UNTIL(&w, l.missed == 1);
	UNTIL(&w, integer("PUBLISH flowrra:events {}") == 1);
	UNTIL(&w, l.heard == 2);
	ck_assert_uint_eq(l.missed, 1);
	backend_close(r);
	stage_close(&w);
}
END_TEST

static void
close_when_missed(struct slice event, const struct err *err, void *arg)
{
	struct backend **r = arg;

	if (err == NULL)
		return;
	backend_close(*r);
	*r = NULL;
}

START_TEST(who_is_told_of_missed_events_may_close_the_backend)
{
	struct backend *r;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	ck_assert_int_eq(
	    results_listen(r->results, close_when_missed, &r, NULL), 0);
	UNTIL(&w, integer("PUBLISH flowrra:events {}") == 1);
	stage_linger(&w, 20);
	redis_server_run(w.server, "CLIENT KILL TYPE pubsub");
	UNTIL(&w, r == NULL);
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
	ck_assert_int_eq(results_listen(r->results, on_event, &l, NULL), 0);
	UNTIL(&w, integer("PUBLISH flowrra:events {}") == 1);
	results_event(r->results, (struct slice){large, size});
	UNTIL(&w, l.longest == size);
	ck_assert_uint_eq(l.missed, 0);
	free(large);
	backend_close(r);
	stage_close(&w);
}
END_TEST

SUITE("results-redis-only")
{
	TEST(a_listener_is_told_when_events_may_have_been_missed);
	TEST(an_event_may_be_large);
	TEST(what_ends_in_one_turn_of_the_loop_is_noted_at_once);
	TEST(who_subscribes_too_late_hears_of_the_end_all_the_same);
	TEST(many_ends_are_asked_about_together);
	TEST(where_many_wait_each_end_is_asked_about);
	TEST(who_may_not_list_channels_asks_about_each);
	TEST_LOOP(final_records_of_a_turn_go_together_and_replace_no_final_one,
		  0, 2);
	TEST(many_large_records_of_other_programs_hold_no_server_for_long);
	TEST(final_records_outlive_a_server_that_forgets_restarts_or_is_full);
	TEST(a_record_is_stored_for_a_user_who_may_not_publish);
	TEST(a_final_record_that_is_refused_holds_no_other_back);
	TEST(the_list_of_what_has_ended_does_not_grow_for_ever);
	TEST(a_list_goes_on_however_much_it_has_grown);
	TEST(
	    a_list_is_asked_for_again_when_the_server_has_forgotten_the_script);
	TEST(what_is_no_cursor_is_refused);
	TEST(who_is_told_that_the_server_is_gone_may_close_the_backend);
	TEST(who_is_told_of_missed_events_may_close_the_backend);
	TEST(a_full_server_lists_and_counts_what_ends);
	TEST(a_note_that_is_refused_keeps_no_record_back);
}
