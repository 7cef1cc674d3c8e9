/* SPDX-License-Identifier: MIT */
/* Submissions to several nodes of a Cluster that replicas of each have to confirm. */
#include <event2/event.h>
#include <string.h>

#include "redis_cluster.h"
#include "redis_server.h"
#include "store/redis_stage.h"
#include "store/stage.h"
#include "suite.h"

static struct stage w;

static void
on_both(struct broker_submit *tasks, size_t n, void *arg)
{
	*(bool *)arg = true;
}

/* One for each of two nodes, together. */
static void
submit_to_two(struct party *p, struct broker_submit tasks[2])
{
	static const char *const queues[] = {"io", "cpu"};
	bool done = false;
	size_t i;

	for (i = 0; i < 2; i++)
		tasks[i] = (struct broker_submit){.queue = queues[i],
						  .id = slice_of(queues[i]),
						  .bytes = SLICE("[1]")};
	broker_submit(p->broker, tasks, 2, on_both, &done);
	UNTIL(&w, done);
}

/* The master of the queue, and its replica. */
static void
find_nodes(const char *key, struct redis_server *ret[2])
{
	const int owner = redis_cluster_await_owner(w.cluster, key, -1);
	size_t i;

	for (i = 0; i < redis_cluster_size(w.cluster); i++) {
		struct redis_server *s = redis_cluster_server(w.cluster, i);

		if ((int)i == owner)
			ret[0] = s;
		else if (redis_cluster_master_port(w.cluster, i) ==
			 redis_server_port(
			     redis_cluster_server(w.cluster, (size_t)owner)))
			ret[1] = s;
	}
}

START_TEST(each_queue_is_confirmed_by_replicas_of_its_node)
{
	struct redis_server *cpu[2] = {NULL, NULL};
	struct broker_submit tasks[2];
	struct party *p;

	stage_open(&w, KIND_REDIS);
	w.options.replicas = 1;
	find_nodes("flowrra:queue:cpu", cpu);
	p = party_open(&w, NULL);
	submit_to_two(p, tasks);
	ck_assert_int_eq(tasks[0].err.code, ERR_NONE);
	ck_assert_int_eq(tasks[1].err.code, ERR_NONE);
	redis_server_pause(cpu[1]);
	submit_to_two(p, tasks);
	ck_assert_int_eq(tasks[0].err.code, ERR_NONE);
	ck_assert_int_eq(tasks[1].err.code, ERR_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(tasks[1].err.msg, "only 0 of 1 replicas"));
	redis_server_continue(cpu[1]);
	party_close(p);
	stage_close(&w);
}
END_TEST

START_TEST(on_disk_each_node_is_asked)
{
	struct redis_server *cpu[2] = {NULL, NULL};
	struct broker_submit tasks[2];
	struct party *p;
	size_t i;

	stage_open(&w, KIND_REDIS);
	w.options.replicas = 1;
	w.options.replicas_on_disk = true;
	find_nodes("flowrra:queue:cpu", cpu);
	p = party_open(&w, NULL);
	submit_to_two(p, tasks);
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(tasks[i].err.code, ERR_UNAVAILABLE);
	/* One of them has what it takes. */
	if (stage_has(&w, "COMMAND INFO waitaof", "waitaof")) {
		for (i = 0; i < 2; i++)
			redis_server_run(cpu[i], "CONFIG SET appendonly yes");
		submit_to_two(p, tasks);
		ck_assert_int_eq(tasks[0].err.code, ERR_UNAVAILABLE);
		ck_assert_int_eq(tasks[1].err.code, ERR_NONE);
	}
	party_close(p);
	stage_close(&w);
}
END_TEST

SUITE("redis-confirm-cluster")
{
	SUITE_TIMEOUT(60);
	tcase_add_checked_fixture(suite_case_, stage_use_replicated, NULL);
	TEST(each_queue_is_confirmed_by_replicas_of_its_node);
	TEST(on_disk_each_node_is_asked);
}
