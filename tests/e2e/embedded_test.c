/* SPDX-License-Identifier: MIT */
/* What can become of the embedded database's file while programs use it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/worker.h"
#include "e2e/world.h"

static struct run *
start_worker(struct world *w)
{
	struct run *worker = run_start(w, WORLD_COMMAND);

	WAIT_UNTIL(ctl(w, "tasks info echo")->status == 0);
	return worker;
}

START_TEST(a_worker_whose_database_is_deleted_says_so_and_ends)
{
	const struct world_options options = {.embedded = true,
					      .no_worker = true};
	struct world *w = world_start(&options);
	struct run *worker = start_worker(w);

	ck_run(ctl(w, "submit echo 1 --wait"), 0,
	       "{\"args\":[1],\"kwargs\":{}}\n");
	ck_run(run(w, "rm flowrra.db flowrra.db-wal flowrra.db-shm"), 0, "");
	ck_complains(run_end(w, worker), 69, "was deleted or replaced");
	/* The next one begins with an empty one. */
	worker = start_worker(w);
	ck_run(ctl(w, "submit echo 2 --wait"), 0,
	       "{\"args\":[2],\"kwargs\":{}}\n");
	ck_assert_int_eq(kill(worker->pid, SIGTERM), 0);
	ck_assert_int_eq(run_end(w, worker)->status, 0);
	world_stop(w);
}
END_TEST

START_TEST(a_lock_that_is_not_given_back_is_told_with_its_holder)
{
	const struct world_options options = {.embedded = true};
	struct world *w = world_start(&options);
	struct run *holder, *r;
	const char *who;

	holder = run_start(w, "exec python3 -c 'import sqlite3, time\n"
			      "db = sqlite3.connect(\"flowrra.db\")\n"
			      "db.execute(\"BEGIN IMMEDIATE\")\n"
			      "open(\"held\", \"w\").write(\"x\")\n"
			      "time.sleep(600)'");
	WAIT_UNTIL(world_read(w, "held")[0] == 'x');
	who = world_text(w, "process %d (python3", (int)holder->pid);
	r = ctl(w, "-o broker.socket_timeout=1 health");
	ck_assert_int_eq(r->status, 69);
	ck_assert_ptr_nonnull(strstr(r->out, "broker\tunhealthy"));
	ck_assert_ptr_nonnull(strstr(r->out, who));
	ck_assert_ptr_nonnull(strstr(r->out, "workers\tunhealthy\tunknown"));
	r = ctl(w, "-o broker.socket_timeout=1 doctor");
	ck_assert_int_eq(r->status, 69);
	ck_assert_ptr_nonnull(strstr(r->out, who));
	ck_assert_ptr_nonnull(strstr(r->out, "Put that right"));
	ck_complains(ctl(w, "-o broker.socket_timeout=1 submit echo 1"), 69,
		     who);
	ck_assert_int_eq(kill(holder->pid, SIGKILL), 0);
	run_end(w, holder);
	WAIT_UNTIL(strstr(ctl(w, "health")->out, "broker\thealthy") != NULL);
	world_stop(w);
}
END_TEST

/* In a mount namespace of its own, which goes with it; only root has them. */
START_TEST(a_full_disk_is_not_healthy)
{
	static const char script[] =
	    "mkdir disk && mount -t tmpfs -o size=2m,mode=755 none disk || "
	    "exit 99\n"
	    "C=\"flowrractl -o broker.url=sqlite://$PWD/disk/f.db\"\n"
	    "$C submit x --force --queue io --id x || exit 1\n"
	    "cat /dev/zero >disk/fill 2>/dev/null\n"
	    "$C health | grep \"^broker\"\n"
	    "rm disk/fill\n"
	    "$C health | grep -o \"^broker.healthy\"\n";
	const struct world_options options = {.embedded = true,
					      .no_worker = true};
	struct world *w = world_start(&options);
	struct run *r = run(w, "exec unshare -m sh -c '%s'", script);

	if (geteuid() == 0 && r->status != 99 &&
	    strstr(r->err, "unshare") == NULL) {
		ck_assert_msg(strstr(r->out, "broker\tunhealthy") != NULL &&
				  strstr(r->out, "the disk is full") != NULL &&
				  strstr(r->out, "broker\thealthy") != NULL,
			      "%d: %s%s", r->status, r->out, r->err);
	}
	world_stop(w);
}
END_TEST

/* Root may write everywhere, but not there. */
START_TEST(a_scheduler_does_not_call_a_store_reachable_that_it_cannot_make)
{
	const struct world_options options = {.embedded = true,
					      .no_worker = true};
	struct world *w = world_start(&options);
	struct run *beat;

	beat = run_start(w,
			 "exec flowrra-beat --config flowrra.conf "
			 "-o broker.url=sqlite:///sys/flowrra.db "
			 "-o scheduler.database_url=sqlite://%s/s.db "
			 "2>log",
			 world_dir(w));
	WAIT_UNTIL(strstr(world_read(w, "log"),
			  "broker: cannot create /sys/flowrra.db") != NULL);
	ck_assert_ptr_nonnull(strstr(world_read(w, "log"), "; retrying"));
	ck_assert_ptr_null(strstr(world_read(w, "log"), "broker sqlite"));
	ck_assert_ptr_null(strstr(world_read(w, "log"), "is ready"));
	ck_assert_int_eq(kill(beat->pid, SIGTERM), 0);
	ck_assert_int_eq(run_end(w, beat)->status, 0);
	world_stop(w);
}
END_TEST

START_TEST(what_becomes_of_tasks_is_heard)
{
	const struct world_options options = {.embedded = true};
	struct world *w = world_start(&options);
	struct run *events = run_start(w, "exec flowrractl -c flowrra.conf "
					  "events --follow >events");
	const char *id;
	int i;

	/* It tells what comes after it has begun: so until it does. */
	for (i = 0; world_read(w, "events")[0] == '\0'; i++) {
		ck_assert_int_lt(i, 200);
		id = submit(w, "echo %d", i);
		ctl_ok(w, "wait %s", id);
	}
	id = submit(w, "echo last");
	WAIT_UNTIL(strstr(world_read(w, "events"), id) != NULL);
	ck_assert_int_eq(kill(events->pid, SIGINT), 0);
	run_end(w, events);
	world_stop(w);
}
END_TEST

/* A user other than root, without an environment. */
#define AS_USER(variables)                                                     \
	"exec env -i PATH=\"$PATH\" " variables                                \
	" setpriv --reuid=4712 --regid=4712 --clear-groups "

/* What lies in /tmp may be somebody else's, who was there first. */
START_TEST(no_store_is_found_in_a_directory_of_others)
{
	const struct world_options o = {.no_worker = true, .embedded = true};
	struct world *w;
	struct run *r;

	if (geteuid() != 0)
		return;
	umask(022);
	w = world_start(&o);
	ck_run(run(w, "chmod 755 . && mkdir -m 1777 tmp &&"
		      "mkdir -p tmp/.local/state/flowrra other &&"
		      "chown -R 4711 tmp/.local && chmod -R 777 tmp/.local"),
	       0, "");
	r = run(w, AS_USER("HOME=$PWD/tmp") "flowrractl submit x --force "
					    "--queue io -c /dev/null");
	ck_complains(r, 77, "tmp/.local/state/flowrra belongs to another user");
	r = run(w, AS_USER("HOME=$PWD/tmp") "flowrrad -c /dev/null");
	ck_complains(r, 77, "belongs to another user");
	r = run(
	    w,
	    AS_USER("") "flowrractl submit x --force --queue io -c /dev/null");
	ck_complains(r, 78, "user 4712 has no home");
	r = run(w, AS_USER("HOME=relative") "flowrra-beat -c /dev/null");
	ck_complains(r, 78, "user 4712 has no home");
	r = run(w, "ls tmp/.local/state/flowrra");
	ck_run(r, 0, "");
	world_stop(w);
}
END_TEST

START_TEST(a_frozen_worker_keeps_no_submission)
{
	const struct world_options options = {.embedded = true};
	struct world *w = world_start(&options);
	struct run *r;

	WAIT_UNTIL(ctl(w, "tasks info echo")->status == 0);
	worker_signal(worker_of(w), SIGSTOP);
	run_end(w, run_start(w, "for i in 1 2 3; do flowrractl -c flowrra.conf "
				"submit echo $i || exit 1; done >ids"));
	worker_signal(worker_of(w), SIGCONT);
	r = run(w, "flowrractl -c flowrra.conf wait --all $(cat ids)");
	ck_assert_msg(r->status == 0, "%s", r->err);
	/* What it was asked meanwhile, it does not do now. */
	ck_run(run(w, "flowrractl -c flowrra.conf tasks completed --json | "
		      "grep -o '\"task_id\"' | wc -l"),
	       0, "3\n");
	world_stop(w);
}
END_TEST

START_TEST(no_submission_fails_since_its_worker_is_killed)
{
	const struct world_options options = {.embedded = true};
	struct world *w = world_start(&options);
	struct worker *worker = worker_of(w);
	struct run *submits, *r;
	int i;

	WAIT_UNTIL(ctl(w, "tasks info echo")->status == 0);
	submits = run_start(w, "for i in $(seq 100); do flowrractl -c "
			       "flowrra.conf submit echo $i || exit 1; done "
			       ">ids");
	for (i = 1; i <= 3; i++) {
		WAIT_UNTIL(strlen(world_read(w, "ids")) >= (size_t)i * 37 * 25);
		worker_kill(worker);
		worker_restart(worker);
	}
	run_end(w, submits);
	ck_assert_msg(submits->status == 0, "%s", submits->err);
	r = run(w, "test $(sort -u ids | wc -l) = 100 && flowrractl -c "
		   "flowrra.conf wait --all $(cat ids) >/dev/null");
	ck_assert_msg(r->status == 0, "%s", r->err);
	world_stop(w);
}
END_TEST

SUITE("embedded")
{
	SUITE_TIMEOUT(60);
	TEST(a_worker_whose_database_is_deleted_says_so_and_ends);
	TEST(a_lock_that_is_not_given_back_is_told_with_its_holder);
	TEST(a_full_disk_is_not_healthy);
	TEST(a_scheduler_does_not_call_a_store_reachable_that_it_cannot_make);
	TEST(what_becomes_of_tasks_is_heard);
	TEST(no_store_is_found_in_a_directory_of_others);
	TEST(a_frozen_worker_keeps_no_submission);
	TEST(no_submission_fails_since_its_worker_is_killed);
}
