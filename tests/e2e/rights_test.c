/* SPDX-License-Identifier: MIT */
/* What a Redis user may do, and what becomes of it if it may not. */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/load.h"
#include "e2e/look.h"
#include "e2e/worker.h"

/* The rule in the manual that is for `who`, for this user. */
static const char *
manual_rule_of(struct world *w, const char *who, const char *name)
{
	char *page = world_read(w, world_source(w, "conf/flowrra.conf.5"));
	const char *begin = world_text(w, "ACL SETUSER %s on >PASSWORD", who);
	char *rule = strstr(page, begin), *end, *p;

	ck_assert_ptr_nonnull(rule);
	end = strstr(rule, "\n.Ed");
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	for (p = rule; *p != '\0'; p++)
		if (*p == '\n')
			*p = ' ';
	return world_text(w, "ACL SETUSER %s on >geheim%s", name,
			  rule + strlen(begin));
}

static const char *
manual_rule(struct world *w, const char *name)
{
	return manual_rule_of(w, "NAME", name);
}

static const char *
user_url(struct world *w, const char *name)
{
	return world_text(w, "redis://%s:geheim@127.0.0.1:%d", name,
			  redis_server_port(world_redis(w)));
}

/* A world without a worker, whose programs all are this user, with the rule of
 * the manual and `changes` to it. */
static struct world *
begin_as_user(const char *modules, const char *changes)
{
	const struct world_options o = {.no_worker = true, .modules = modules};
	struct world *w = world_start(&o);

	redis_server_run(world_redis(w), manual_rule(w, "flow"));
	if (changes != NULL)
		redis_server_run(world_redis(w),
				 world_text(w, "ACL SETUSER flow %s", changes));
	/* This test is a process of its own. */
	setenv("FLOWRRA_BROKER_URL", user_url(w, "flow"), 1);
	return w;
}

/* What the server has refused, as the words in question. */
static const char *
refused(struct world *w)
{
	redisReply *log = redis_server_command(world_redis(w), "ACL LOG 128");
	const char *text = "";
	size_t i;

	for (i = 0; i < log->elements; i++)
		text = world_text(w, "%s %s", text,
				  log->element[i]->element[7]->str);
	freeReplyObject(log);
	return text;
}

/* --- a campaign ------------------------------------------------------------ */

static void
run_tasks(struct world *w)
{
	ck_assert_str_eq(submit(w, "add 2 3 --wait"), "5");
	ck_assert_str_eq(submit(w, "add 2 4 --priority -5 --wait"), "6");
	ck_assert_str_eq(submit(w, "add 2 5 --delay 0.2 --wait"), "7");
	ck_assert_str_eq(submit(w, "add 2 6 --delay 0.2 --priority 7 --wait"),
			 "8");
	ck_assert_str_eq(submit(w, "add 1 1 --unique k"),
			 submit(w, "add 1 1 --unique k"));
	submit(w, "add 1 1 --id chosen --wait");
	ck_complains(ctl(w, "submit add 1 1 --id chosen"), 77, "chosen");
	submit(w, "flaky 1 --retry-delay 0.1 --wait");
	submit_many(w, 1000, "noop", "[]");
}

static void
bury_tasks(struct world *w)
{
	submit(w, "fail x --max-retries 0 --id dead1");
	submit(w, "fail x --max-retries 0 --id dead2 --priority 4");
	push(w, "{\"id\": \"bro");
	WAIT_UNTIL(dead(w, "io") == 3);
	ctl_ok(w, "tasks dead");
	ctl_ok(w, "tasks show dead1");
	ck_run(ctl(w, "tasks retry dead1 dead2"), 0, "2 retried\n");
	WAIT_UNTIL(dead(w, "io") == 3);
	ck_run(ctl(w, "tasks delete --all"), 0, "3 deleted\n");
}

static void
pause_and_purge(struct world *w)
{
	ctl_ok(w, "queue pause io");
	submit(w, "add 1 1 --id w1 --priority 3");
	submit(w, "add 1 1 --id w2");
	submit(w, "add 1 1 --id w3 --delay 1h");
	ctl_ok(w, "tasks pending");
	ctl_ok(w, "cancel w2");
	ck_run(ctl(w, "queue purge io"), 0, "2\n");
	ctl_ok(w, "queue resume io");
	ck_assert_str_eq(submit(w, "add 2 3 --wait"), "5");
}

static void
look_around(struct world *w)
{
	struct run *events =
	    run_start(w, "flowrractl --config flowrra.conf events --count 1");
	const int64_t deadline = now_ms() + PATIENCE_MS;

	while (!is_gone(events->pid) && now_ms() < deadline)
		submit(w, "add 1 1 --wait");
	ck_assert_int_eq(run_end(w, events)->status, 0);
	submit(w, "sleep 60 --id long");
	wait_status(w, "long", "running");
	ctl_ok(w, "tasks running");
	ctl_ok(w, "cancel long");
	ctl_ok(w, "stats");
	ctl_ok(w, "queues");
	ctl_ok(w, "workers");
	ctl_ok(w, "tasks completed");
	ctl_ok(w, "tasks failed");
	ctl_ok(w, "tasks registered");
	ctl_ok(w, "tasks info add");
	ck_assert_ptr_null(strstr(ctl(w, "doctor")->out, "ACL SETUSER"));
	ctl_ok(w, "health");
}

static void
run_schedule(struct world *w)
{
	struct worker *beat;

	beat = worker_start(w, "exec flowrra-beat --config flowrra.conf");
	ctl_ok(w, "schedule interval mark 1s --args '[\"fires\"]'");
	WAIT_UNTIL(count_marks(w, "fires") >= 2);
	worker_stop(beat);
}

static void
take_over(struct world *w, struct worker *k)
{
	struct worker *b;

	submit(w, "mark moved 3600");
	WAIT_UNTIL(count_marks(w, "moved") == 1);
	b = worker_start(
	    w, "exec flowrrad --config flowrra.conf -o worker.id=test:2");
	worker_kill(k);
	/* Twice a heartbeat's life. */
	WAIT_UNTIL_WITHIN(120000, count_marks(w, "moved") == 2);
	worker_kill(b);
}

START_TEST(the_rights_in_the_manual_are_enough_for_all_that_there_is)
{
	struct world *w = begin_as_user("demo mark noop", NULL);
	struct worker *k;

	redis_server_run(world_redis(w), "ACL SETUSER default off");
	world_configure(w, "demo mark noop",
			world_text(w,
				   "[executor]\nmax_queue_size = 5000\n"
				   "[scheduler]\ncheck_interval = 1\n"
				   "database_url = sqlite://%s/schedules.db\n",
				   world_dir(w)));
	k = worker_start(w, NULL);
	run_tasks(w);
	bury_tasks(w);
	pause_and_purge(w);
	look_around(w);
	run_schedule(w);
	ck_assert_str_eq(refused(w), "");
	take_over(w, k);
	ck_assert_str_eq(refused(w), "");
	world_stop(w);
}
END_TEST

/* --- what is missing ------------------------------------------------------- */

START_TEST(a_worker_and_the_doctor_name_each_right_that_is_missing)
{
	struct world *w = begin_as_user(NULL, "-subscribe -lmove -pttl");
	struct worker *k = worker_start(w, NULL);
	struct run *r;

	WAIT_UNTIL(worker_logged(k, "user flow SUBSCRIBE on flowrra:control"));
	WAIT_UNTIL(
	    worker_logged(k, "ACL SETUSER flow ~{flowrra:queue:*}:* +lmove"));
	WAIT_UNTIL(worker_logged(k, "user flow PTTL"));
	r = ctl(w, "doctor");
	ck_assert_int_ne(r->status, 0);
	ck_assert_ptr_nonnull(
	    strstr(r->out, "ACL SETUSER flow &flowrra:* +subscribe"));
	ck_assert_ptr_nonnull(strstr(r->out, "+lmove"));
	ck_assert_ptr_null(strstr(r->out, "+lrem"));
	redis_server_run(world_redis(w), "ACL SETUSER flow +@all");
	ck_assert_ptr_null(strstr(ctl(w, "doctor")->out, "ACL SETUSER"));
	world_stop(w);
}
END_TEST

/* Of a backend that is another server, with a user of its own. */
START_TEST(the_rights_on_a_separate_backend_are_examined_too)
{
	const struct world_options o = {.no_worker = true,
					.separate_backend = true};
	struct world *w = world_start(&o);
	struct redis_server *backend = world_backend(w);
	struct worker *k;
	struct run *r;

	redis_server_run(backend, manual_rule(w, "flow"));
	redis_server_run(backend, "ACL SETUSER flow resetkeys ~flowrra:*");
	setenv("FLOWRRA_BACKEND_URL",
	       world_text(w, "redis://flow:geheim@127.0.0.1:%d",
			  redis_server_port(backend)),
	       1);
	k = worker_start(w, NULL);
	ck_assert_str_eq(submit(w, "add 1 1 --wait"), "2");
	/* Rights on queues are none of its business. */
	ck_assert(!worker_logged(k, "ACL SETUSER"));
	ck_assert_ptr_null(strstr(ctl(w, "doctor")->out, "ACL SETUSER"));
	worker_stop(k);
	redis_server_run(backend,
			 "ACL SETUSER flow -hincrby -subscribe resetchannels");
	k = worker_start(w, NULL);
	WAIT_UNTIL(worker_logged(k, "ACL SETUSER flow ~flowrra:* +hincrby"));
	WAIT_UNTIL(worker_logged(
	    k, "user flow PUBLISH on flowrra:complete:x: results are noticed"));
	/* Who waits for results subscribes, not the worker. */
	ck_assert(!worker_logged(k, "+subscribe"));
	r = ctl(w, "doctor");
	ck_assert_int_eq(r->status, 69);
	ck_assert_ptr_nonnull(strstr(r->out, "backend"));
	ck_assert_ptr_nonnull(
	    strstr(r->out, "ACL SETUSER flow &flowrra:* +subscribe"));
	redis_server_run(backend, "ACL SETUSER flow -evalsha");
	r = ctl(w, "doctor");
	ck_assert_int_eq(r->status, 69);
	ck_assert_ptr_nonnull(strstr(r->out, "+evalsha"));
	redis_server_run(backend, "ACL SETUSER flow +@all &*");
	ck_assert_ptr_null(strstr(ctl(w, "doctor")->out, "ACL SETUSER"));
	world_stop(w);
}
END_TEST

START_TEST(without_the_right_to_listen_delayed_tasks_run_all_the_same)
{
	struct world *w = begin_as_user(NULL, "resetchannels");
	struct worker *k = worker_start(w, NULL);

	WAIT_UNTIL(worker_logged(k, "user flow SUBSCRIBE"));
	submit(w, "add 1 1 --id now");
	submit(w, "add 1 1 --id later --delay 0.5");
	submit(w, "add 1 1 --id urgent --priority -1");
	wait_status(w, "now", "success");
	wait_status(w, "later", "success");
	wait_status(w, "urgent", "success");
	world_stop(w);
}
END_TEST

START_TEST(without_the_right_to_listen_results_are_waited_for_all_the_same)
{
	struct world *w = begin_as_user(NULL, "-subscribe");

	worker_start(w, NULL);
	ck_assert_str_eq(submit(w, "sleep 1.5 --wait"), "1.5");
	/* It goes on, for the right may come. */
	ck_complains(
	    run(w, "timeout 2 flowrractl --config flowrra.conf events"), 124,
	    "cannot subscribe: NOPERM");
	world_stop(w);
}
END_TEST

/* It cannot wake the workers. */
START_TEST(a_producer_without_channels_queues_delayed_tasks_once)
{
	struct world *w = begin_as_user(NULL, NULL);

	redis_server_run(world_redis(w), manual_rule(w, "mute"));
	redis_server_run(world_redis(w), "ACL SETUSER mute resetchannels");
	worker_start(w, NULL);
	setenv("FLOWRRA_BROKER_URL", user_url(w, "mute"), 1);
	ck_run(ctl(w, "submit add 1 1 --delay 0.3 --id later"), 0, "later\n");
	ck_run(ctl(w, "submit add 1 1 --priority 3 --id urgent"), 0,
	       "urgent\n");
	wait_status(w, "later", "success");
	wait_status(w, "urgent", "success");
	setenv("FLOWRRA_BROKER_URL", user_url(w, "flow"), 1);
	ck_run(ctl(w, "tasks completed | wc -l"), 0, "2\n");
	world_stop(w);
}
END_TEST

START_TEST(without_the_right_to_records_nothing_is_queued)
{
	struct world *w = begin_as_user(NULL, "-mset -set");

	ck_complains(ctl(w, "submit add 1 1 --force --queue io"), 77, "NOPERM");
	ck_assert_int_eq(waiting(w, "io"), 0);
	/* The second way. */
	redis_server_run(world_redis(w), "ACL SETUSER flow +set");
	ck_assert_str_eq(
	    submit(w, "add 1 1 --force --queue io --id x | head -1"), "x");
	ck_run(ctl(w, "submit add 1 1 --force --queue io | wc -l"), 0, "1\n");
	ck_assert_int_eq(waiting(w, "io"), 2);
	ck_run(ctl(w, "tasks pending | wc -l"), 0, "2\n");
	ck_assert_int_eq(count_records(w, "pending"), 2);
	world_stop(w);
}
END_TEST

/* --- orders ----------------------------------------------------------------- */

/* A command as this user, past all programs; what the server answers. */
static const char *
answer(struct world *w, const char *user, const char *command, const char *key,
       const char *value)
{
	redisContext *c =
	    redisConnect("127.0.0.1", redis_server_port(world_redis(w)));
	redisReply *reply;
	const char *text;

	ck_assert(c != NULL && c->err == 0);
	freeReplyObject(redisCommand(c, "AUTH %s geheim", user));
	reply = redisCommand(c, "%s %s %s", command, key, value);
	ck_assert_ptr_nonnull(reply);
	text = reply->type == REDIS_REPLY_INTEGER
		   ? world_text(w, "%lld", reply->integer)
		   : world_text(w, "%s", reply->str);
	freeReplyObject(reply);
	redisFree(c);
	return text;
}

#define STOP_ORDER "{\"order\":\"stop\",\"worker\":\"test:1\"}"

/* What the manual says of the rule for those who only submit. */
START_TEST(who_may_submit_gives_no_orders)
{
	static const char *const submits[] = {
	    "", "--priority 3", "--unique key", "--delay 0.1", "--id own"};
	struct world *w = world_start(NULL);
	size_t i;

	redis_server_run(world_redis(w),
			 manual_rule_of(w, "PRODUCER", "producer"));
	setenv("FLOWRRA_BROKER_URL", user_url(w, "producer"), 1);
	for (i = 0; i < sizeof(submits) / sizeof(submits[0]); i++)
		ck_run(run(w,
			   "exec flowrractl --config flowrra.conf -q submit "
			   "add 2 3 --force --queue io %s >/dev/null",
			   submits[i]),
		       0, "");
	ck_complains(ctl(w, "worker stop test:1"), 77, "permission");
	ck_assert_ptr_nonnull(strstr(
	    answer(w, "producer", "PUBLISH", "flowrra:control", STOP_ORDER),
	    "NOPERM"));
	/* The price of one that may queue tasks. */
	ck_assert_str_eq(
	    answer(w, "producer", "SET", "flowrra:queue:other", "x"), "OK");
	unsetenv("FLOWRRA_BROKER_URL");
	WAIT_UNTIL(count_records(w, "success") == 5);
	world_stop(w);
}
END_TEST

START_TEST(who_may_publish_stops_workers)
{
	struct world *w = world_start(NULL);
	struct worker *k = worker_of(w);

	redis_server_run(world_redis(w),
			 "ACL SETUSER herald on >geheim resetkeys "
			 "resetchannels &flowrra:control -@all +publish");
	ck_assert_str_eq(
	    answer(w, "herald", "PUBLISH", "flowrra:control", STOP_ORDER), "1");
	WAIT_UNTIL(worker_logged(k, "stop"));
	ck_assert_int_eq(worker_end(k), 0);
	world_stop(w);
}
END_TEST

/* --- another server -------------------------------------------------------- */

START_TEST(a_replica_is_refused_and_its_master_named)
{
	struct redis_server *master = redis_server_start(NULL);
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	const char *name = world_text(w, "its master, 127.0.0.1:%d",
				      redis_server_port(master));
	struct worker *k;

	redis_server_run(world_redis(w), "REPLICAOF 127.0.0.1 %d",
			 redis_server_port(master));
	ck_complains(ctl(w, "submit add 1 1 --force --queue io"), 69, name);
	ck_assert_ptr_nonnull(strstr(ctl(w, "doctor")->out, name));
	k = worker_spawn(w, NULL);
	WAIT_UNTIL(worker_logged(k, name));
	/* A failover makes it the master. */
	redis_server_run(world_redis(w), "REPLICAOF NO ONE");
	ck_assert_str_eq(submit(w, "add 1 1 --force --queue io --wait"), "2");
	world_stop(w);
	redis_server_stop(master);
}
END_TEST

START_TEST(a_server_that_comes_later_is_judged_like_the_first)
{
	static const char *args[] = {"--maxmemory", "100mb",
				     "--maxmemory-policy", "noeviction", NULL};
	const struct world_options o = {.redis = {.args = args}};
	struct world *w = world_start(&o);
	struct worker *k = worker_of(w);

	ck_assert_str_eq(submit(w, "add 1 1 --wait"), "2");
	args[3] = "allkeys-lru";
	redis_server_restart(world_redis(w));
	WAIT_UNTIL(worker_logged(k, "allkeys-lru"));
	ck_assert_int_eq(worker_end(k), 78);
	world_stop(w);
}
END_TEST

SUITE("rights")
{
	SUITE_TIMEOUT(120);
	TEST(the_rights_in_the_manual_are_enough_for_all_that_there_is);
	TEST(a_worker_and_the_doctor_name_each_right_that_is_missing);
	TEST(the_rights_on_a_separate_backend_are_examined_too);
	TEST(without_the_right_to_listen_delayed_tasks_run_all_the_same);
	TEST(without_the_right_to_listen_results_are_waited_for_all_the_same);
	TEST(a_producer_without_channels_queues_delayed_tasks_once);
	TEST(without_the_right_to_records_nothing_is_queued);
	TEST(who_may_submit_gives_no_orders);
	TEST(who_may_publish_stops_workers);
	TEST(a_replica_is_refused_and_its_master_named);
	TEST(a_server_that_comes_later_is_judged_like_the_first);
}
