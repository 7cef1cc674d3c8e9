/* SPDX-License-Identifier: MIT */
/* Final records on Redis: they are looked for first, and go together. */
#include <stdio.h>
#include <string.h>

#include "redis_server.h"
#include "store/redis_stage.h"
#include "store/stage.h"
#include "suite.h"

#define RECORD "{\"task_id\":\"%s\",\"status\":\"%s\"}"

static struct stage w;

static void
on_stored(struct results_put *put)
{
	++*(unsigned int *)put->arg;
}

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
	ck_assert_int_eq(stage_number(&w, "TTL flowrra:task:0"), 60);
	/* 32 in a call. */
	ck_assert_int_eq(stage_calls(&w, "evalsha"), 4);
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
	ck_assert_int_eq(stage_calls(&w, "evalsha"), 100);
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
	ck_assert_int_eq(stage_number(&w, "DBSIZE") >= N_FINALS, 1);
	redis_server_kill(w.server);
	UNTIL(&w, !results_is_up(r->results));
	backend_put_to(r, "lone", "", &stored);
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

/* Those who wait notice late, but neither this record is lost nor others. */
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
	backend_put_to(r, "late", "", &f.stored);
	UNTIL(&w, f.stored == N_FINALS);
	redis_server_run(w.server, "ACL SETUSER default allkeys");
	UNTIL(&w, f.stored == N_FINALS + 1);
	ck_assert_ptr_nonnull(strstr(backend_get(&w, r, "42"), "success"));
	backend_close(r);
	stage_close(&w);
}
END_TEST

SUITE("results-redis-finals")
{
	TEST_LOOP(final_records_of_a_turn_go_together_and_replace_no_final_one,
		  0, 2);
	TEST(many_large_records_of_other_programs_hold_no_server_for_long);
	TEST(final_records_outlive_a_server_that_forgets_restarts_or_is_full);
	TEST(a_record_is_stored_for_a_user_who_may_not_publish);
	TEST(a_final_record_that_is_refused_holds_no_other_back);
}
