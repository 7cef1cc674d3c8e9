/* SPDX-License-Identifier: MIT */
/*
 * flowrractl run, while clients, the worker, its executor and its spawner are killed:
 * no command that was queued is lost, and none runs twice at the same time. RUN_KILLS
 * in the environment is how many there are.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "e2e/run_scene.h"

#define KILLS 16
/* Commands have ended long before. */
#define WAIT_S 60

/* As the command runs: a lock of its own shows another one at the same time, and
 * the journal that it ran to its end. */
#define COMMAND                                                                \
	"sh -c 'exec 9>>lock; flock -n 9 || echo both >>bad; "                 \
	"sleep 0.0$(($FLOWRRA_TASK_ID %% 5)); echo $FLOWRRA_TASK_ID >>done'"

static unsigned int seed;

static void
sleep_some_us(unsigned int max)
{
	const unsigned int us = (unsigned int)rand_r(&seed) % max;
	const struct timespec t = {.tv_nsec = (long)us * 1000};

	nanosleep(&t, NULL);
}

/* The child of a process whose name ends so; 0: none. */
static pid_t
child_named(pid_t parent, const char *name)
{
	pid_t children[CHILDREN_MAX];
	size_t n = children_of(parent, children), i;
	char path[64], comm[64] = "";
	FILE *file;

	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/proc/%d/comm", (int)children[i]);
		if ((file = fopen(path, "re")) == NULL)
			continue;
		if (fgets(comm, sizeof(comm), file) == NULL)
			comm[0] = '\0';
		fclose(file);
		if (strncmp(comm, name, strlen(name)) == 0)
			return children[i];
	}
	return 0;
}

/* 0: the worker, 1: an executor, 2: the spawner. */
static void
kill_one(struct world *w, unsigned int which)
{
	pid_t pid = own_worker(w);

	if (pid > 0 && which > 0)
		pid = child_named(pid, "flowrra-executo");
	if (pid > 0 && which > 1)
		pid = child_named(pid, "flowrra-spawner");
	if (pid > 0)
		kill(pid, SIGKILL);
}

static bool
is_done(const char *journal, long id)
{
	char line[32];

	snprintf(line, sizeof(line), "\n%ld\n", id);
	return strstr(journal, line) != NULL;
}

static void
expect_all(struct world *w, const bool *queued, size_t n)
{
	const int64_t deadline = now_ms() + WAIT_S * 1000;
	char *journal = NULL;
	unsigned int turn = 0;
	size_t i = 1;

	while (i < n) {
		journal = world_text(w, "\n%s", world_read(w, "done"));
		for (i = 1; i < n && (!queued[i] || is_done(journal, (long)i));)
			i++;
		/* A worker that was killed is replaced by the next call. */
		if (i < n && turn % 20 == 0)
			own(w, "run true");
		if (i < n && !wait_a_moment(deadline, &turn))
			ck_abort_msg("command %zu was lost; done:%s", i,
				     journal);
	}
}

START_TEST(no_kill_loses_a_command_or_runs_it_twice_at_once)
{
	const char *given = getenv("RUN_KILLS");
	const int kills = given != NULL ? atoi(given) : KILLS;
	struct world *w = own_world();
	bool queued[4096] = {false};
	struct run *clients[3];
	size_t n = 1;
	int turn, i;
	long id;

	seed = 4711;
	run(w, "mkdir config; printf '[executor]\\nmax_crashes = 1000\\n' "
	       ">config/flowrra.conf");
	for (turn = 0; turn < kills; turn++) {
		for (i = 0; i < 3; i++)
			clients[i] =
			    run_start(w, OWN "exec flowrractl run -- " COMMAND);
		sleep_some_us(30000);
		if (turn % 4 == 3)
			kill(clients[0]->pid, SIGKILL);
		else
			kill_one(w, (unsigned int)turn % 4);
		for (i = 0; i < 3; i++) {
			run_end(w, clients[i]);
			if ((id = atol(clients[i]->out)) <= 0)
				continue;
			ck_assert_int_lt(id, 4096);
			ck_assert(!queued[id]);
			queued[id] = true;
			n = (size_t)id >= n ? (size_t)id + 1 : n;
		}
	}
	ck_assert_uint_gt(n, (size_t)kills);
	own(w, "run true");
	expect_all(w, queued, n);
	ck_assert_str_eq(world_read(w, "bad"), "");
	own_stop(w);
}
END_TEST

SUITE("run-kill")
{
	SUITE_TIMEOUT(1200);
	TEST(no_kill_loses_a_command_or_runs_it_twice_at_once);
}
