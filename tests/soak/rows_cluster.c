/* SPDX-License-Identifier: MIT */
/*
 * A Redis Cluster, under load: its masters fail, and slots of queues move to other
 * ones. No submission that a replica has confirmed is lost, no task runs twice at
 * the same time, and while slots move, none runs a second time at all.
 */
#include <stdio.h>

#include "redis_cluster.h"
#include "soak/replicas.h"
#include "soak/rows.h"

#define N_MASTERS REDIS_CLUSTER_MASTERS

/* --- masters fail -------------------------------------------------------- */

static const struct redis_cluster_options replicated = {.replicas = true};
static const struct scene_options on_replicated = {
    .workers = 2,
    .cluster = &replicated,
    .config = "[broker]\nreplicas = 1\nsocket_timeout = 2\n"};

/* A replica of that master, or -1. */
static int
replica_of(struct scene *s, int master)
{
	const int port =
	    redis_server_port(redis_cluster_server(s->cluster, (size_t)master));
	size_t i;

	for (i = 0; i < redis_cluster_size(s->cluster); i++)
		if (redis_cluster_master_port(s->cluster, i) == port)
			return (int)i;
	return -1;
}

static void
break_master(struct scene *s, enum way way, int master)
{
	s->tally->faults++;
	if (way == WAY_ASK)
		redis_cluster_failover(s->cluster,
				       (size_t)replica_of(s, master));
	else
		replicas_break(
		    s, redis_cluster_server(s->cluster, (size_t)master), way);
}

/* All of the load is in one queue, so that what begins is of the new master. */
static void
fail_over(struct scene *s, enum way way)
{
	static const char key[] = "flowrra:queue:io";
	const int old = redis_cluster_await_owner(s->cluster, key, -1);
	int64_t begin;

	break_master(s, way, old);
	redis_cluster_await_owner(s->cluster, key, old);
	begin = now_ms();
	scene_await_start(s, begin);
	if (way != WAY_ASK)
		replicas_mend(redis_cluster_server(s->cluster, (size_t)old),
			      way);
	redis_cluster_settle(s->cluster);
}

static void
cluster_failovers(struct scene *s)
{
	static const struct load load = {
	    .max_ms = 300, .delays = true, .queue = "io"};
	const int64_t since_us = now_ms() * 1000;
	unsigned int i;

	scene_start(s, &on_replicated);
	load_start(s, &load);
	for (i = 0; i < times(s, 3, 34); i++) {
		scene_sleep_between(s, 100, 600);
		fail_over(s, (s->run + i) % WAY_COUNT);
	}
	/* Nodes that get no time fail over by themselves, too. */
	ledger_fault_since(s->ledger, 0, CAUSE_FAILOVER, since_us);
	scene_end(s);
}

const struct row row_cluster_failover = {
    .name = "cluster-failover",
    .group = "cluster",
    .fault = "kill -9, SIGSTOP, CLUSTER FAILOVER of a master",
    .brokers = ON_REDIS,
    .runs = {1, 3},
    .limit_ms = 3000,
    .run = cluster_failovers};

/* --- slots move ---------------------------------------------------------- */

static const struct redis_cluster_options masters_only = {.partial = true};

/* A worker dies while the slot is at two nodes. */
static void
kill_meanwhile(struct scene *s)
{
	pid_t executors[CHILDREN_MAX];
	struct worker *k = s->workers[rng_between(&s->rng, 0, 1)];

	scene_kill_worker(s, k, executors);
	worker_restart(k);
}

/* To another master; whichever, and all of its keys. */
static void
move_slot(struct scene *s, const char *key, bool kill)
{
	const int from = redis_cluster_await_owner(s->cluster, key, -1);
	const size_t to =
	    (size_t)(from + rng_between(&s->rng, 1, N_MASTERS - 1)) % N_MASTERS;

	s->tally->faults++;
	redis_cluster_begin_move(s->cluster, key, to);
	scene_sleep_between(s, 0, 300);
	if (kill)
		kill_meanwhile(s);
	redis_cluster_end_move(s->cluster, key, to);
}

static void
cluster_moves(struct scene *s)
{
	static const char *const queues[] = {"io", "cpu"};
	char key[40];
	unsigned int i;
	int64_t begin;

	scene_start(
	    s, &(struct scene_options){.workers = 2, .cluster = &masters_only});
	load_start(s, &(struct load){.delays = true, .no_priorities = true});
	for (i = 0; i < times(s, 9, 90); i++) {
		snprintf(key, sizeof(key), "flowrra:queue:%s", queues[i % 2]);
		scene_sleep_between(s, 50, 300);
		move_slot(s, key, i % 3 == 2);
		begin = now_ms();
		scene_await_start(s, begin);
	}
	scene_end(s);
}

const struct row row_cluster_move = {.name = "cluster-move",
				     .group = "cluster",
				     .fault = "slots of queues move, kill -9 "
					      "flowrrad",
				     .brokers = ON_REDIS,
				     .runs = {1, 5},
				     .limit_ms = 5000,
				     .run = cluster_moves};
