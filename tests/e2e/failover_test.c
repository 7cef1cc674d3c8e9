/* SPDX-License-Identifier: MIT */
/*
 * A group of Redis servers as the manual sets it up: its commands are read from
 * flowrra.conf(5), with other ports.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/look.h"
#include "e2e/worker.h"
#include "e2e/world.h"
#include "server.h"

#define MARK "failover_test.c runs these commands."
#define BEGIN ".Bd -literal -offset indent\n"
#define END ".Ed\n"

static const char *const ports[] = {"27001", "27002", "27003",
				    "7001",  "7002",  "7003"};
#define N_PORTS (sizeof(ports) / sizeof(ports[0]))

/* The next block of what is shown as it is, behind `*at`, which moves on. */
static char *
next_block(struct world *w, char **at)
{
	char *begin = strstr(*at, BEGIN), *end;

	ck_assert_ptr_nonnull(begin);
	begin += strlen(BEGIN);
	end = strstr(begin, END);
	ck_assert_ptr_nonnull(end);
	*at = end;
	return world_text(w, "%.*s", (int)(end - begin), begin);
}

static char *
replace(struct world *w, char *text, const char *what, const char *by)
{
	char *at;

	while ((at = strstr(text, what)) != NULL)
		text = world_text(w, "%.*s%s%s", (int)(at - text), text, by,
				  at + strlen(what));
	return text;
}

/* Free ports in the place of those of the manual. The marks between are no digits,
 * so that no port is taken for another one. */
static char *
with_ports(struct world *w, char *text, int real[N_PORTS])
{
	size_t i;

	for (i = 0; i < N_PORTS; i++) {
		char mark[] = {'<', (char)('A' + i), '>', '\0'};

		text = replace(w, text, ports[i], mark);
	}
	for (i = 0; i < N_PORTS; i++) {
		char mark[] = {'<', (char)('A' + i), '>', '\0'};

		text = replace(w, text, mark, world_text(w, "%d", real[i]));
	}
	return text;
}

/* As a shell reads it: without prompts, and without what mdoc needs. */
static char *
as_shell(struct world *w, char *text)
{
	text = replace(w, world_text(w, "\n%s", text), "\n$ ", "\n");
	return replace(w, replace(w, text, "\n> ", "\n"), "\\e", "\\");
}

/* They end with the shell, and that with the test. */
static pid_t
start_servers(struct world *w, const char *commands)
{
	pid_t pid;

	commands = world_text(w,
			      "trap 'kill -9 $(jobs -p); exit' TERM\n"
			      "cd '%s' || exit\n%s\n>ready\nwait\n",
			      world_dir(w), commands);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (freopen("/dev/null", "w", stdout) == NULL)
			_exit(1);
		execlp("bash", "bash", "-c", commands, (char *)NULL);
		_exit(127);
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}

static void
ck_adds(struct world *w)
{
	WAIT_UNTIL_WITHIN(20000,
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
	commands = next_block(w, &at);
	config = next_block(w, &at);
	by_hand = next_block(w, &at);
	pid = start_servers(w, as_shell(w, with_ports(w, commands, real)));
	WAIT_UNTIL_WITHIN(
	    30000, access(world_text(w, "%s/ready", world_dir(w)), F_OK) == 0);
	config = world_text(w, "%s[worker]\nmodules = demo\n",
			    with_ports(w, config, real));
	world_write(w, "group.conf", config, strlen(config));
	worker_start(w, "exec flowrrad --config group.conf");
	ck_adds(w);
	/* Its Sentinels say where the master is. */
	run(w,
	    "redis-cli -p $(redis-cli -p %d sentinel get-master-addr-by-name "
	    "mymaster | tail -n 1) shutdown nosave",
	    real[0]);
	ck_adds(w);
	/* By hand, when the other replica follows the new one. */
	by_hand = as_shell(w, with_ports(w, by_hand, real));
	WAIT_UNTIL_WITHIN(20000,
			  strcmp(run(w, "%s", by_hand)->out, "OK\n") == 0);
	ck_adds(w);
	world_stop(w);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}
END_TEST

SUITE("failover")
{
	/* A Sentinel asks for replicas every ten seconds. */
	SUITE_TIMEOUT(90);
	TEST(the_group_of_the_manual_fails_over);
}
