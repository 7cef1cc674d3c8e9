/* SPDX-License-Identifier: MIT */
/* Kinds of Redis servers: with TLS, users, two of them, full, unfit. */
#include <string.h>

#include "e2e/load.h"
#include "e2e/look.h"
#include "e2e/worker.h"

START_TEST(tls_protects_the_whole_way)
{
	const struct world_options o = {.redis = {.tls = true}};
	struct world *w = world_start(&o);
	int port = redis_server_port(world_redis(w));

	ck_assert_str_eq(submit(w, "add 2 3 --wait"), "5");
	/* A certificate of another authority is no certificate. */
	ck_complains(ctl(w,
			 "-o 'broker.url=rediss://127.0.0.1:%d?cafile="
			 "%s/other-ca.crt' submit add 2 3",
			 port, redis_server_dir(world_redis(w))),
		     69, "certificate is not accepted");
	world_stop(w);
}
END_TEST

START_TEST(a_user_with_a_password_is_let_in)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	struct worker *k;
	const char *env;

	redis_server_run(world_redis(w), "ACL SETUSER flow on >geheim ~* &* "
					 "+@all");
	redis_server_run(world_redis(w), "ACL SETUSER default off");
	env = world_text(w,
			 "FLOWRRA_BROKER_URL=redis://flow:geheim@127.0.0.1:"
			 "%d",
			 redis_server_port(world_redis(w)));
	k = worker_start(w, world_text(w, "%s %s", env, WORLD_COMMAND));
	ck_run(run(w,
		   "%s flowrractl --config flowrra.conf submit add 2 3 --wait",
		   env),
	       0, "5\n");
	ck_assert(!worker_logged(k, "geheim"));
	ck_complains(ctl(w, "submit add 2 3"), 77, "requires a password");
	ck_complains(run(w, "timeout 20 flowrrad -c flowrra.conf -o "
			    "worker.id=b"),
		     77, "requires a password");
	world_stop(w);
}
END_TEST

START_TEST(queues_and_results_may_live_apart)
{
	const struct world_options o = {.separate_backend = true,
					.modules = "demo noop"};
	struct world *w = world_start(&o);
	struct redis_server *queues = world_redis(w),
			    *results = world_backend(w);
	const char *id = submit(w, "fanout 3");

	wait_status(w, id, "success");
	ck_complains(ctl(w, "submit add 1 2 --id %s", id), 77, id);
	submit_many(w, 500, "noop", "[]");
	wait_all_done(w, 504);
	ck_assert_int_eq(redis_integer(queues, "EVAL %s 0",
				       "return #redis.call('KEYS', "
				       "'flowrra:task:*')"),
			 0);
	ck_assert_int_eq(redis_integer(results, "EVAL %s 0",
				       "return #redis.call('KEYS', "
				       "'*queue*')"),
			 0);
	world_stop(w);
}
END_TEST

START_TEST(a_server_that_may_evict_tasks_is_refused)
{
	static const char *const evicting[] = {
	    "--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb", NULL};
	const struct world_options o = {.no_worker = true,
					.redis = {.args = evicting}};
	struct world *w = world_start(&o);
	struct run *r = run(w, "timeout 20 flowrrad -c flowrra.conf");

	ck_complains(r, 78, "allkeys-lru");
	ck_complains(r, 78, "noeviction");
	world_stop(w);
}
END_TEST

START_TEST(a_full_server_refuses_tasks_and_can_be_drained)
{
	const struct world_options o = {.no_worker = true,
					.modules = "demo mark"};
	struct world *w = world_start(&o);
	struct redis_server *s = world_redis(w);
	struct run *r;

	submit_many(w, 300, "mark", "[\"marks\"]");
	submit(w, "mark marks --force --queue io --priority 2");
	submit(w, "mark marks --force --queue io --delay 1ms");
	redis_server_run(s, "CONFIG SET maxmemory 1000000");
	r = ctl(w, "submit add 1 2 --force --queue io");
	ck_complains(r, 69, "memory");
	ck_assert_int_eq(waiting(w, "io"), 300);
	worker_start(w, NULL);
	WAIT_UNTIL(count_marks(w, "marks") == 302);
	wait_all_done(w, 302);
	redis_server_run(s, "CONFIG SET maxmemory 0");
	ck_assert_str_eq(submit(w, "add 1 2 --force --queue io --wait "
				   "--wait-timeout 20"),
			 "3");
	world_stop(w);
}
END_TEST

SUITE("servers")
{
	SUITE_TIMEOUT(120);
	TEST(tls_protects_the_whole_way);
	TEST(a_user_with_a_password_is_let_in);
	TEST(queues_and_results_may_live_apart);
	TEST(a_server_that_may_evict_tasks_is_refused);
	TEST(a_full_server_refuses_tasks_and_can_be_drained);
}
