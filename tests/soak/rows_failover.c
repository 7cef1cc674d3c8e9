/* SPDX-License-Identifier: MIT */
/*
 * A group of Redis servers fails over, under load: no submission that a replica
 * has confirmed is lost, no task runs twice at the same time, and tasks are taken
 * again soon after there is a master.
 */
#include <signal.h>
#include <stdlib.h>

#include <flowrra/client.h>

#include "redis_group.h"
#include "soak/rows.h"

static const struct scene_options on_group = {
    .workers = 2,
    .group = true,
    .config = "[broker]\nreplicas = 1\nsocket_timeout = 2\n"};

enum way { WAY_KILL, WAY_STOP, WAY_ASK, WAY_COUNT };

/* Tasks that are claimed while the replica lags, and still run when it is the
 * master. It has them as delayed. A Sentinel may end connections late, and what
 * is refused then may be queued all the same. */
static void
submit_long_ones(struct scene *s)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	char id[FLOWRRA_ID_SIZE];
	unsigned int i;

	request.name = "ledger";
	request.args =
	    world_text(s->world, "[\"%s\",3500]", ledger_path(s->ledger));
	request.queue = "io";
	request.force = true;
	for (i = 0; i < 3; i++) {
		request.delay_s = (double)rng_between(&s->rng, 30, 250) / 1000;
		if (flowrra_submit(s->client, &request, id, NULL) == 0)
			ledger_submitted(s->ledger, id, true, 0, 0);
	}
}

/* The link to the replica is cut, so that the end of what the master does is
 * lost. (A replica that is only stopped has it in its kernel.) */
static void
lag(struct scene *s, struct redis_server *master)
{
	redis_server_run(master, "ACL SETUSER default -psync -sync");
	redis_server_run(master, "CLIENT KILL TYPE replica");
	scene_sleep_between(s, 50, 500);
}

static void
break_master(struct scene *s, enum way way, int master)
{
	struct redis_server *m = redis_group_server(s->group, (size_t)master);

	s->tally->faults++;
	if (way == WAY_ASK) {
		redis_group_failover(s->group);
		return;
	}
	submit_long_ones(s);
	lag(s, m);
	if (way == WAY_KILL)
		redis_server_kill(m);
	else
		redis_server_pause(m);
}

/* As its file would have it, had it one: it follows the new master. */
static void
mend_master(struct scene *s, enum way way, int old, int master)
{
	struct redis_server *r = redis_group_server(s->group, (size_t)old);

	if (way == WAY_KILL)
		redis_server_restart(r);
	else if (way == WAY_STOP)
		redis_server_continue(r);
	redis_server_reconnect(r);
	redis_server_run(r, "ACL SETUSER default +psync +sync");
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
