/* SPDX-License-Identifier: MIT */
/*
 * A group of Redis servers fails over, under load: no submission that a replica
 * has confirmed is lost, no task runs twice at the same time, and tasks are taken
 * again soon after there is a master.
 */
#include "redis_group.h"
#include "soak/replicas.h"
#include "soak/rows.h"

static const struct scene_options on_group = {
    .workers = 2,
    .group = true,
    .config = "[broker]\nreplicas = 1\nsocket_timeout = 2\n"};

static void
break_master(struct scene *s, enum way way, int master)
{
	s->tally->faults++;
	if (way == WAY_ASK) {
		redis_group_failover(s->group);
		return;
	}
	replicas_break(s, redis_group_server(s->group, (size_t)master), way);
}

/* As its file would have it, had it one: it follows the new master. */
static void
mend_master(struct scene *s, enum way way, int old, int master)
{
	struct redis_server *r = redis_group_server(s->group, (size_t)old);

	replicas_mend(r, way);
	redis_server_run(
	    r, "REPLICAOF 127.0.0.1 %d",
	    redis_server_port(redis_group_server(s->group, (size_t)master)));
	redis_group_settle(s->group);
}

static void
fail_over(struct scene *s, enum way way)
{
	const int old = redis_group_await_master(s->group, -1);
	int64_t begin;
	int master;

	break_master(s, way, old);
	master = redis_group_await_master(s->group, old);
	begin = now_ms();
	world_follow(s->world, (size_t)master);
	scene_await_start(s, begin);
	mend_master(s, way, old, master);
}

static void
failovers(struct scene *s)
{
	static const struct load load = {.max_ms = 300, .delays = true};
	const int64_t since_us = now_ms() * 1000;
	unsigned int i;

	scene_start(s, &on_group);
	load_start(s, &load);
	for (i = 0; i < times(s, 3, 34); i++) {
		scene_sleep_between(s, 100, 600);
		fail_over(s, (s->run + i) % WAY_COUNT);
	}
	/* Sentinels that get no time fail over by themselves, too. */
	ledger_fault_since(s->ledger, 0, CAUSE_FAILOVER, since_us);
	scene_end(s);
}

const struct row row_failover = {
    .name = "failover",
    .fault = "kill -9, SIGSTOP, SENTINEL FAILOVER of a lagging pair",
    .brokers = ON_REDIS,
    .runs = {1, 3},
    .limit_ms = 3000,
    .run = failovers};
