/* SPDX-License-Identifier: MIT */
/*
 * A group of Redis servers as the manual sets it up: its commands are read from
 * flowrra.conf(5), with other ports.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/look.h"
#include "e2e/manual_steps.h"
#include "e2e/worker.h"
#include "e2e/world.h"
#include "redis_group.h"
#include "server.h"

#define MARK "failover_test.c runs these commands."

static const char *const ports[] = {"27001", "27002", "27003",
				    "7001",  "7002",  "7003"};
#define N_PORTS (sizeof(ports) / sizeof(ports[0]))

static void
ck_adds(struct world *w)
{
	WAIT_UNTIL_WITHIN(40000,
			  strcmp(run(w, "exec flowrractl --config group.conf "
					"submit add 2 3 --wait --timeout 5")
				     ->out,
				 "5\n") == 0);
}

START_TEST(the_group_of_the_manual_fails_over)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	char *at = world_read(w, world_source(w, "conf/flowrra.conf.5"));
	char *commands, *config, *by_hand;
	int real[N_PORTS];
	size_t i;
	pid_t pid;

	for (i = 0; i < N_PORTS; i++)
		real[i] = server_free_port();
	at = strstr(at, MARK);
	ck_assert_ptr_nonnull(at);
	commands = manual_block(w, &at);
	config = manual_block(w, &at);
	by_hand = manual_block(w, &at);
	pid =
	    manual_start(w, manual_commands(w, manual_ports(w, commands, ports,
							    real, N_PORTS)));
	WAIT_UNTIL_WITHIN(
	    30000, access(world_text(w, "%s/ready", world_dir(w)), F_OK) == 0);
	config = world_text(w, "%s[worker]\nmodules = demo\n",
			    manual_ports(w, config, ports, real, N_PORTS));
	world_write(w, "group.conf", config, strlen(config));
	worker_start(w,
		     "STATE_DIRECTORY=$PWD exec flowrrad --config group.conf");
	ck_adds(w);
	/* Its Sentinels say where the master is. */
	run(w,
	    "redis-cli -p $(redis-cli -p %d sentinel get-master-addr-by-name "
	    "mymaster | tail -n 1) shutdown nosave",
	    real[0]);
	ck_adds(w);
	/* By hand, when the other replica follows the new one. */
	by_hand =
	    manual_commands(w, manual_ports(w, by_hand, ports, real, N_PORTS));
	WAIT_UNTIL_WITHIN(40000,
			  strcmp(run(w, "%s", by_hand)->out, "OK\n") == 0);
	ck_adds(w);
	world_stop(w);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(the_doctor_asks_the_sentinels)
{
	const struct world_options o = {.group = true};
	struct world *w = world_start(&o);
	const char *out = ctl(w, "doctor")->out;

	ck_assert_msg(strstr(out, "Sentinel") == NULL, "%s", out);
	redis_group_signal_sentinel(world_group(w), 1, SIGKILL);
	redis_group_signal_sentinel(world_group(w), 2, SIGKILL);
	/* The one that is left has to notice. */
	WAIT_UNTIL(strstr(out = ctl(w, "doctor")->out, "cannot fail over") !=
		   NULL);
	ck_assert_msg(strstr(out, "NOQUORUM") != NULL, "%s", out);
	ck_assert_msg(strstr(out, world_text(w, "(127.0.0.1:%d)",
					     redis_group_sentinel_port(
						 world_group(w), 0))) != NULL,
		      "%s", out);
	ck_assert_msg(strstr(out, "has a Sentinel that is out of reach") !=
			  NULL,
		      "%s", out);
	world_stop(w);
}
END_TEST

SUITE("failover")
{
	/* A Sentinel asks for replicas every ten seconds. */
	SUITE_TIMEOUT(90);
	TEST(the_group_of_the_manual_fails_over);
	TEST(the_doctor_asks_the_sentinels);
}
