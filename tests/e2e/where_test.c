/* SPDX-License-Identifier: MIT */
/* Which stores commands use, and which ones daemons: told, compared, and kept from
 * drifting apart. */
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/world.h"

/* A machine whose default store is one of the test's own. */
static struct world *
start(void)
{
	const struct world_options options = {.no_worker = true,
					      .embedded = true};
	struct world *w = world_start(&options);

	setenv("STATE_DIRECTORY", world_text(w, "%s/own", world_dir(w)), 1);
	return w;
}

static struct run *
daemon_start(struct world *w, const char *command)
{
	struct run *daemon = run_start(w, "exec %s", command);

	WAIT_UNTIL(run(w, "ls flowrra/where/*.%d", (int)daemon->pid)->status ==
		   0);
	return daemon;
}

/* As a unit may start one: with a variable that no command has. */
static struct run *
other_worker(struct world *w)
{
	struct run *worker =
	    run_start(w, "FLOWRRA_BROKER_URL=sqlite://$PWD/other.db exec "
			 "flowrrad");

	WAIT_UNTIL(run(w, "ls flowrra/where/*.%d", (int)worker->pid)->status ==
		   0);
	return worker;
}

static void
stop(struct world *w, struct run *daemon)
{
	kill(daemon->pid, SIGTERM);
	ck_assert_int_eq(run_end(w, daemon)->status, 0);
}

/* A member of what where --json prints with these words and options. */
static const char *
member(struct world *w, const char *words, const char *path)
{
	const struct run *r = run(w, "exec flowrractl %s where --json", words);
	json_t *all = json_loads(r->out, 0, NULL), *at;
	char *copy = world_text(w, "%s", path), *part;
	const char *text;

	ck_assert_msg(all != NULL, "%s%s", r->out, r->err);
	for (at = all, part = strtok(copy, "/"); part != NULL;
	     part = strtok(NULL, "/"))
		at = json_is_array(at) ? json_array_get(at, (size_t)atoi(part))
				       : json_object_get(at, part);
	text =
	    at == NULL ? "absent"
	    : json_is_string(at)
		? world_text(w, "%s", json_string_value(at))
		: world_keep(w, json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT));
	json_decref(all);
	return text;
}

START_TEST(commands_and_daemons_are_compared)
{
	struct world *w = start();
	struct run *worker = other_worker(w), *beat, *web;
	const char *same =
	    world_text(w, "-c flowrra.conf -o broker.url=sqlite://%s/other.db",
		       world_dir(w));

	ck_assert_str_eq(member(w, same, "running/0/same"), "true");
	ck_assert_str_eq(member(w, same, "warnings"), "[]");
	ck_assert_str_eq(member(w, same, "stores/0/source"),
			 "option -o broker.url");
	/* Another one on purpose is told, and done. */
	ck_complains(run(w, "exec flowrractl -o broker.url=redis://h/3 where"),
		     0, "in redis://h:6379/3");
	ck_assert_str_eq(
	    member(w, "-o broker.url=redis://h/3", "running/0/same"), "false");
	/* Of each daemon, what it has. */
	beat = daemon_start(w, "flowrra-beat -c flowrra.conf");
	web = daemon_start(w, "flowrra-web -c flowrra.conf -o "
			      "web.listen=unix:$PWD/web.sock");
	ck_assert_str_eq(member(w, "-c flowrra.conf", "running/3"), "absent");
	ck_run(run(w, "flowrractl -c flowrra.conf where 2>/dev/null | "
		      "grep -c '^flowrra.*other.db\t-$'"),
	       0, "1\n");
	stop(w, beat);
	stop(w, web);
	stop(w, worker);
	ck_assert_str_eq(member(w, same, "running"), "[]");
	world_stop(w);
}
END_TEST

START_TEST(where_names_the_source_of_each_store)
{
	struct world *w = start();

	ck_assert_str_eq(member(w, "", "stores/0/source"), "default");
	ck_assert_str_eq(
	    member(w, "", "stores/0/name"),
	    world_text(w, "sqlite://%s/own/flowrra.db", world_dir(w)));
	ck_assert_str_eq(member(w, "--user", "mode"), "personal");
	run(w, "printf '[broker]\\n\\nurl = redis://u:sesame@h/1\\n' >my.conf");
	ck_run(run(w, "flowrractl -c my.conf where"), 0,
	       world_text(w,
			  "mode           services\n"
			  "user           %s\n"
			  "configuration  my.conf\n"
			  "tasks          redis://h:6379/1 (broker.url: "
			  "my.conf:3)\n"
			  "results        redis://h:6379/1 (backend.url: "
			  "where the tasks are)\n"
			  "schedules      sqlite://%s/own/flowrra.db "
			  "(scheduler.database_url: default)\n"
			  "running        no daemon of this machine tells of "
			  "itself\n",
			  strtok(run(w, "id -un")->out, "\n"), world_dir(w)));
	/* A URL that is wrong keeps the rest from nobody. */
	ck_complains(run(w, "exec flowrractl -o broker.url=nosuch:x where"), 78,
		     "unknown kind of broker");
	world_stop(w);
}
END_TEST

/* Each way into the store that nobody named. */
START_TEST(a_default_that_no_worker_uses_is_refused)
{
	static const char *const verbs[] = {"submit echo 1 --force --queue io",
					    "queues", "result x", "where",
					    "tasks failed"};
	struct world *w = start();
	struct run *worker = other_worker(w);
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		ck_complains(run(w, "exec flowrractl %s", verbs[i]), 78,
			     "other.db");
	ck_assert_int_ne(run(w, "ls own/*.db")->status, 0);
	/* Who names one has it; and so has everyone when one uses the default. */
	ck_run(run(w,
		   "FLOWRRA_BROKER_URL=sqlite://$PWD/mine.db exec flowrractl "
		   "-q submit echo 1 --id a --force --queue io"),
	       0, "a\n");
	daemon_start(w, "flowrrad -o worker.id=h:2");
	ck_run(run(w, "exec flowrractl -q submit echo 1 --id b --force --queue "
		      "io"),
	       0, "b\n");
	stop(w, worker);
	world_stop(w);
}
END_TEST

/* A trial beside it is no reason to refuse the rest of the machine. */
START_TEST(a_worker_with_a_configuration_of_its_own_refuses_nothing)
{
	struct world *w = start();
	struct run *worker = daemon_start(
	    w, "flowrrad -c flowrra.conf -o broker.url=sqlite://$PWD/other.db");

	ck_run(run(w, "exec flowrractl -q submit echo 1 --id a --force --queue "
		      "io"),
	       0, "a\n");
	ck_assert_str_eq(member(w, "", "running/0/mode"), "own");
	ck_assert_str_eq(member(w, "", "running/0/same"), "false");
	ck_assert_str_eq(member(w, "", "warnings"), "[]");
	stop(w, worker);
	world_stop(w);
}
END_TEST

START_TEST(a_worker_that_was_killed_refuses_nothing)
{
	struct world *w = start();
	struct run *worker = other_worker(w);

	ck_complains(run(w, "exec flowrractl queues"), 78, "other.db");
	kill(worker->pid, SIGKILL);
	run_end(w, worker);
	ck_run(run(w, "exec flowrractl -q submit echo 1 --id a --force --queue "
		      "io"),
	       0, "a\n");
	world_stop(w);
}
END_TEST

START_TEST(schedules_follow_the_schedulers)
{
	struct world *w = start();
	struct run *beat = run_start(
	    w, "FLOWRRA_BROKER_URL=sqlite://$PWD/other.db "
	       "FLOWRRA_SCHEDULER_DATABASE_URL=sqlite://$PWD/other.db exec "
	       "flowrra-beat");

	WAIT_UNTIL(run(w, "ls flowrra/where/*.%d", (int)beat->pid)->status ==
		   0);
	ck_complains(run(w, "exec flowrractl schedule list"), 78,
		     "FLOWRRA_SCHEDULER_DATABASE_URL");
	stop(w, beat);
	world_stop(w);
}
END_TEST

SUITE("where")
{
	SUITE_TIMEOUT(120);
	TEST(commands_and_daemons_are_compared);
	TEST(where_names_the_source_of_each_store);
	TEST(a_default_that_no_worker_uses_is_refused);
	TEST(a_worker_with_a_configuration_of_its_own_refuses_nothing);
	TEST(a_worker_that_was_killed_refuses_nothing);
	TEST(schedules_follow_the_schedulers);
}
