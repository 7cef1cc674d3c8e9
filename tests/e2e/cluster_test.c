/* SPDX-License-Identifier: MIT */
/* Queues and records in a Redis Cluster, whose nodes fail and whose slots move. */
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/cluster_scene.h"
#include "e2e/look.h"
#include "e2e/manual_steps.h"
#include "e2e/worker.h"
#include "e2e/world.h"
#include "server.h"

#define N_NODES CLUSTER_NODES

START_TEST(queues_on_all_nodes_work)
{
	struct cluster_scene s = {.w = NULL};
	char *id;
	size_t i;

	cluster_begin(&s, NULL);
	for (i = 0; i < N_NODES; i++)
		cluster_adds_in(&s, s.queues[i]);
	ctl_ok(s.w, "queue pause %s", s.queues[1]);
	id = submit(s.w, "noop --queue %s", s.queues[1]);
	cluster_adds_in(&s, s.queues[2]);
	ck_assert_ptr_nonnull(strstr(ctl_ok(s.w, "tasks pending"), id));
	ctl_ok(s.w, "cancel %s", id);
	ck_assert_ptr_nonnull(
	    strstr(ctl(s.w, "result %s --json", id)->out, "cancelled"));
	ctl_ok(s.w, "queue resume %s", s.queues[1]);
	cluster_adds_in(&s, s.queues[1]);
	ck_assert_ptr_nonnull(strstr(ctl_ok(s.w, "workers"), "running"));
	ck_assert_ptr_nonnull(strstr(ctl_ok(s.w, "tasks completed"), "add"));
	ck_assert_ptr_nonnull(strstr(ctl_ok(s.w, "queues"), s.queues[0]));
	id = submit(s.w, "noop --delay 1h --queue %s", s.queues[2]);
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(s.w, "queue purge %s", s.queues[2]), "1"));
	cluster_end(&s);
}
END_TEST

START_TEST(what_a_killed_worker_had_goes_on_on_each_node)
{
	struct cluster_scene s = {.w = NULL};
	struct worker *k;
	char *ids[N_NODES];
	size_t i;

	cluster_begin(&s, NULL);
	k = worker_of(s.w);
	for (i = 0; i < N_NODES; i++)
		ids[i] = submit(s.w, "sleep 1 --queue %s", s.queues[i]);
	for (i = 0; i < N_NODES; i++)
		WAIT_UNTIL(strstr(ctl(s.w, "result %s --json", ids[i])->out,
				  "\"running\"") != NULL);
	worker_kill(k);
	if (_i == 0) {
		worker_restart(k);
	} else {
		/* Another one finds that it is dead. */
		worker_start(s.w, WORLD_COMMAND " -o worker.state_dir=other "
						"-o worker.id=other:1");
	}
	for (i = 0; i < N_NODES; i++)
		ctl_ok(s.w, "wait %s --timeout 60", ids[i]);
	cluster_end(&s);
}
END_TEST

/* It is dead, stands still, or wants a password that the others do not want. */
static void
node_fails(struct redis_server *node, int how)
{
	if (how == 0) {
		redis_server_kill(node);
	} else if (how == 1) {
		redis_server_pause(node);
	} else {
		redis_server_run(node, "CONFIG SET requirepass another");
		redis_server_run(node, "CLIENT KILL TYPE normal");
	}
}

static void
node_mends(struct redis_server *node, int how)
{
	if (how == 0)
		redis_server_restart(node);
	else if (how == 1)
		redis_server_continue(node);
	else
		redis_server_run(node, "CONFIG SET requirepass %s", "");
}

START_TEST(a_node_that_is_away_stalls_only_its_own_queues)
{
	const struct redis_cluster_options o = {.partial = true};
	struct cluster_scene s = {.w = NULL};
	char *id;

	cluster_begin(&s, &o);
	cluster_adds_in(&s, s.queues[0]);
	node_fails(redis_cluster_server(s.c, 0), _i);
	WAIT_UNTIL(worker_logged(worker_of(s.w), "127.0.0.1"));
	/* Records of any of these may be on the node that is away: they are told
	 * when it is back, but run at once. */
	ck_assert_int_ne(
	    ctl(s.w, "submit noop --queue %s", s.queues[0])->status, 0);
	WAIT_UNTIL(ctl(s.w, "submit add 1 1 --queue %s --wait --wait-timeout 5",
		       s.queues[1])
		       ->status == 0);
	WAIT_UNTIL(ctl(s.w, "submit add 1 1 --queue %s --wait --wait-timeout 5",
		       s.queues[2])
		       ->status == 0);
	node_mends(redis_cluster_server(s.c, 0), _i);
	redis_cluster_settle(s.c);
	cluster_adds_again_in(&s, s.queues[0]);
	id = submit(s.w, "noop --queue %s", s.queues[0]);
	ctl_ok(s.w, "wait %s --timeout 20", id);
	cluster_end(&s);
}
END_TEST

/* Only the queues are in a Cluster, or only the records. */
START_TEST(queues_and_records_may_be_apart)
{
	const struct redis_cluster_options partial = {.partial = true};
	struct redis_test_cluster *c = redis_cluster_start(&partial);
	const struct world_options o = {
	    .modules = "demo noop",
	    .config = "[broker]\n" CLUSTER_CONFIG,
	    .url = _i == 0 ? redis_cluster_url(c) : NULL,
	    .separate_backend = _i == 0,
	    .backend = _i == 0 ? NULL : redis_cluster_url(c)};
	struct cluster_scene s = {.w = world_start(&o), .c = c};
	static const char *const queues[] = {"io", "cpu", "q2", "q3"};
	struct redisReply *r;
	char *id;
	size_t i;

	for (i = 0; i < sizeof(queues) / sizeof(queues[0]); i++)
		cluster_adds_in(&s, queues[i]);
	id = submit(s.w, "noop --delay 1h");
	ctl_ok(s.w, "cancel %s", id);
	ck_assert_ptr_nonnull(
	    strstr(ctl(s.w, "result %s --json", id)->out, "cancelled"));
	ck_assert_ptr_nonnull(strstr(ctl_ok(s.w, "tasks completed"), "add"));
	/* None of one is at the other. */
	r = redis_server_command(
	    _i == 0 ? world_backend(s.w) : world_redis(s.w),
	    "KEYS flowrra:%s:*", _i == 0 ? "queue" : "task");
	ck_assert_uint_eq(r->elements, 0);
	freeReplyObject(r);
	redis_server_kill(redis_cluster_server(c, 0));
	redis_server_restart(redis_cluster_server(c, 0));
	redis_cluster_settle(c);
	for (i = 0; i < sizeof(queues) / sizeof(queues[0]); i++)
		cluster_adds_again_in(&s, queues[i]);
	cluster_end(&s);
}
END_TEST

/* Submits in the background until there is a file "stop": a line for each task that
 * counts as queued. */
static struct run *
submit_on(struct cluster_scene *s, const char *queue)
{
	struct run *r = run_start(
	    s->w,
	    "while [ ! -e stop ]; do for i in 1 2 3 4 5; do "
	    "echo '{\"name\": \"add\", \"args\": [1, 2], \"queue\": \"%s\"}'; "
	    "done | flowrractl --config flowrra.conf submit --stdin; done",
	    queue);

	WAIT_UNTIL(world_read(s->w, r->files[0])[0] != '\0');
	return r;
}

/* All that were queued have ended, and well. */
static void
ck_all_ended(struct cluster_scene *s, struct run *r)
{
	size_t n = 0;
	const char *p;

	world_write(s->w, "stop", "", 0);
	run_end(s->w, r);
	world_write(s->w, "ids", r->out, strlen(r->out));
	/* A line is empty if its task was refused. */
	r = run(s->w, "sed -i '/^$/d' ids && "
		      "flowrractl --config flowrra.conf wait --stdin --timeout "
		      "60 <ids >results");
	for (p = world_read(s->w, "ids"); *p != '\0'; p++)
		n += *p == '\n';
	ck_assert_uint_gt(n, 0);
	ck_assert_msg(r->status == 0, "of %zu tasks: exit status %d: %.900s", n,
		      r->status, r->err);
}

START_TEST(slots_that_move_under_load_lose_nothing)
{
	struct cluster_scene s = {.w = NULL};
	struct run *r;
	size_t i, k;

	cluster_begin(&s, NULL);
	r = submit_on(&s, s.queues[0]);
	for (k = 0; k < 2; k++)
		for (i = 1; i <= N_NODES; i++)
			redis_cluster_move(s.c, cluster_key(s.queues[0]),
					   i % N_NODES);
	ck_all_ended(&s, r);
	cluster_adds_in(&s, s.queues[0]);
	cluster_end(&s);
}
END_TEST

START_TEST(a_failover_under_load_loses_nothing)
{
	const struct redis_cluster_options o = {.replicas = true};
	struct cluster_scene s = {.w = NULL};
	struct run *r;

	cluster_begin(&s, &o);
	r = submit_on(&s, s.queues[0]);
	if (_i == 0)
		redis_cluster_failover(s.c, N_NODES);
	else
		redis_server_kill(redis_cluster_server(s.c, 0));
	redis_cluster_settle(s.c);
	ck_all_ended(&s, r);
	/* It is the replica that submissions wait for. */
	if (_i == 1)
		redis_server_restart(redis_cluster_server(s.c, 0));
	cluster_adds_again_in(&s, s.queues[0]);
	cluster_end(&s);
}
END_TEST

static const char *const ports[] = {"7101", "7102", "7103"};

/* The bus of a node is at its port and 10000. */
static int
port_of_node(void)
{
	int port;

	do
		port = server_free_port();
	while (port > 50000);
	return port;
}

START_TEST(the_cluster_of_the_manual_works)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	char *at = world_read(w, world_source(w, "conf/flowrra.conf.5"));
	char *commands, *config;
	int real[N_NODES];
	size_t i;
	pid_t pid;

	for (i = 0; i < N_NODES; i++)
		real[i] = port_of_node();
	at = strstr(at, "cluster_test.c runs these commands.");
	ck_assert_ptr_nonnull(at);
	commands = manual_block(w, &at);
	config = manual_block(w, &at);
	commands = manual_ports(w, commands, ports, real, N_NODES);
	pid = manual_start(w, manual_commands(w, commands));
	WAIT_UNTIL_WITHIN(
	    60000, access(world_text(w, "%s/ready", world_dir(w)), F_OK) == 0);
	config = world_text(w, "%s[worker]\nmodules = demo\n",
			    manual_ports(w, config, ports, real, N_NODES));
	world_write(w, "cluster.conf", config, strlen(config));
	worker_start(
	    w, "STATE_DIRECTORY=$PWD exec flowrrad --config cluster.conf");
	WAIT_UNTIL(strcmp(run(w, "exec flowrractl --config cluster.conf submit "
				 "add 2 3 --wait --timeout 5")
			      ->out,
			  "5\n") == 0);
	world_stop(w);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(tls_and_a_password_are_good_for_all_nodes)
{
	const struct redis_cluster_options o = {
	    .replicas = true, .tls = true, .password = "secret"};
	struct cluster_scene s = {.w = NULL};
	size_t i;

	cluster_begin(&s, &o);
	for (i = 0; i < N_NODES; i++)
		cluster_adds_in(&s, s.queues[i]);
	redis_cluster_move(s.c, cluster_key(s.queues[0]), 1);
	cluster_adds_in(&s, s.queues[0]);
	redis_server_kill(redis_cluster_server(s.c, 2));
	redis_cluster_settle(s.c);
	redis_server_restart(redis_cluster_server(s.c, 2));
	cluster_adds_again_in(&s, s.queues[2]);
	cluster_end(&s);
}
END_TEST

/* Whether it says all of these in one line. */
static bool
doctor_says(struct cluster_scene *s, const char *what, const char *where)
{
	char *out = ctl(s->w, "doctor")->out, *at = strstr(out, what), *end;

	ck_assert_msg(at != NULL, "%s", out);
	end = strchr(at, '\n');
	return memmem(at, end != NULL ? (size_t)(end - at) : strlen(at), where,
		      strlen(where)) != NULL;
}

START_TEST(the_doctor_examines_each_node)
{
	struct cluster_scene s = {.w = NULL};
	struct redis_server *odd;

	cluster_begin(&s, NULL);
	odd = redis_cluster_server(s.c, 1);
	redis_server_run(odd, "CONFIG SET maxmemory 1gb");
	redis_server_run(odd, "CONFIG SET maxmemory-policy allkeys-lru");
	ck_assert(doctor_says(
	    &s, "evicts keys",
	    world_text(s.w, "(127.0.0.1:%d)", redis_server_port(odd))));
	ck_assert(doctor_says(&s, "on disk", "(each of 3 masters)"));
	ck_assert(doctor_says(&s, "has 0 replicas", "(each of 3 masters)"));
	cluster_end(&s);
}
END_TEST

START_TEST(the_doctor_knows_clusters)
{
	const struct redis_cluster_options o = {.partial = true};
	struct cluster_scene s = {.w = NULL};
	struct run *r;
	size_t i;

	cluster_begin(&s, &o);
	r = ctl(s.w, "doctor");
	ck_assert_msg(strstr(r->out, "out of reach") == NULL, "%s", r->out);
	r = run(s.w,
		"exec flowrractl --config flowrra.conf -o broker.url=redis://"
		"127.0.0.1:%d doctor",
		redis_server_port(redis_cluster_server(s.c, 0)));
	ck_assert_msg(strstr(r->out, "redis+cluster://") != NULL, "%s%s",
		      r->out, r->err);
	redis_server_kill(redis_cluster_server(s.c, 2));
	WAIT_UNTIL(strstr(ctl(s.w, "doctor")->out,
			  "has a master out of reach") != NULL);
	ck_assert(doctor_says(
	    &s, "has a master out of reach",
	    world_text(s.w, "(127.0.0.1:%d)",
		       redis_server_port(redis_cluster_server(s.c, 2)))));
	redis_server_restart(redis_cluster_server(s.c, 2));
	redis_cluster_settle(s.c);
	for (i = 0; i < N_NODES; i++)
		redis_server_run(redis_cluster_server(s.c, i),
				 "CLUSTER DELSLOTSRANGE 0 10");
	WAIT_UNTIL(strstr(ctl(s.w, "doctor")->out,
			  "has no master for 11 of 16384 slots") != NULL);
	redis_server_run(redis_cluster_server(s.c, 0),
			 "CLUSTER ADDSLOTSRANGE 0 10");
	redis_cluster_settle(s.c);
	cluster_end(&s);
}
END_TEST

SUITE("cluster")
{
	SUITE_TIMEOUT(180);
	TEST(queues_on_all_nodes_work);
	TEST_LOOP(what_a_killed_worker_had_goes_on_on_each_node, 0, 2);
	TEST_LOOP(a_node_that_is_away_stalls_only_its_own_queues, 0, 3);
	TEST_LOOP(queues_and_records_may_be_apart, 0, 2);
	TEST(slots_that_move_under_load_lose_nothing);
	TEST_LOOP(a_failover_under_load_loses_nothing, 0, 2);
	TEST(the_cluster_of_the_manual_works);
	TEST(tls_and_a_password_are_good_for_all_nodes);
	TEST(the_doctor_examines_each_node);
	TEST(the_doctor_knows_clusters);
}
