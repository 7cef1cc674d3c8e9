/* SPDX-License-Identifier: MIT */
/*
 * Who can have a worker run a command that nobody has declared: the owner of a store
 * that nobody else can write to, by flowrractl run. Each other way in is tried here.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/run_scene.h"
#include "e2e/web_scene.h"

#define ADHOC "queues = io cpu run\n[exec]\nadhoc = owner\noutput_max = 1m\n"
/* A task as another program would push it. */
#define PUSHED                                                                 \
	"{\"id\":\"pushed\",\"name\":\"exec.run\",\"args\":[],\"kwargs\":{"    \
	"\"argv\":[\"touch\",\"ran\"]}}"

static bool
has_run(struct world *w)
{
	return access(world_text(w, "%s/ran", world_dir(w)), F_OK) == 0;
}

/* What lies in Redis is anybody's who can reach it. */
START_TEST(a_worker_of_redis_runs_no_command)
{
	const struct world_options o = {.modules = "", .config = ADHOC};
	struct world *w = world_start(&o);

	ck_assert(worker_logged(worker_of(w),
				"[broker] url does not name an embedded"));
	ck_assert_ptr_null(strstr(ctl(w, "tasks registered")->out, "exec.run"));
	push(w, PUSHED);
	/* The worker does not have it: the task waits for one that does. */
	WAIT_UNTIL(delayed(w, "io") == 1);
	ck_assert(!has_run(w));
	world_stop(w);
}
END_TEST

/* The default of services, even where the store is their own. */
START_TEST(a_worker_that_was_not_told_to_runs_no_command)
{
	const struct world_options o = {
	    .embedded = true, .modules = "", .config = "queues = io run\n"};
	struct world *w = world_start(&o);

	ck_assert_ptr_null(strstr(ctl(w, "tasks registered")->out, "exec.run"));
	world_stop(w);
}
END_TEST

START_TEST(nothing_but_flowrractl_run_submits_a_command)
{
	const struct world_options o = {
	    .embedded = true,
	    .modules = "submit_options",
	    .config = ADHOC
	    "[task inner]\ncommand = flowrractl submit exec.run --queue run "
	    "--force --kw argv=[\"touch\",\"ran\"]\nmax_retries = 0\n"};
	struct world *w = world_start(&o);
	const struct run *r;
	const char *id;

	ck_assert_ptr_nonnull(
	    strstr(ctl(w, "tasks registered")->out, "exec.run"));
	ck_complains(ctl(w, "submit exec.run --kw 'argv=[\"touch\",\"ran\"]'"),
		     77, "exec.run can only be submitted by flowrractl run");
	ck_complains(run(w, "echo '" PUSHED "' | exec flowrractl -c "
			    "flowrra.conf submit --stdin"),
		     77, "exec.run can only be submitted by flowrractl run");
	/* From within a command, by the socket of its task. */
	id = submit(w, "inner");
	ctl(w, "wait %s", id);
	r = ctl(w, "tasks show %s --json", id);
	ck_assert_ptr_nonnull(
	    strstr(json_field(w, r->out, "record.error"),
		   "exec.run can only be submitted by flowrractl run"));
	/* By a schedule. */
	ck_complains(ctl(w,
			 "schedule once exec.run 'in 1s' -o "
			 "scheduler.database_url=sqlite://$PWD/schedules.db"),
		     65, "exec.run");
	ck_assert(!has_run(w));
	world_stop(w);
}
END_TEST

START_TEST(flowrra_web_submits_no_command)
{
	struct world *w = site_world(true);
	struct site *s = site_start(w, "");

	ck_assert_int_eq(site_ask_in(s, "/api/v1/tasks",
				     SITE_JSON "-d '{\"name\":\"exec.run\","
					       "\"queue\":\"run\",\"force\":"
					       "true,\"kwargs\":{\"argv\":["
					       "\"touch\",\"ran\"]}}'"),
			 409);
	ck_assert_ptr_nonnull(strstr(
	    s->body, "exec.run can only be submitted by flowrractl run"));
	site_stop(s);
	world_stop(w);
}
END_TEST

/* Also while the worker runs: it looks before each command. */
START_TEST(a_store_that_others_can_write_to_starts_no_command)
{
	static const struct {
		const char *wrong, *right;
	} modes[] = {
	    {"g+w own/flowrra/flowrra.db", "600 own/flowrra/flowrra.db"},
	    {"777 own/flowrra/flowrra.db", "600 own/flowrra/flowrra.db"},
	    {"g+w own/flowrra", "700 own/flowrra"},
	    {"o+w own/flowrra/flowrra.db-wal",
	     "600 own/flowrra/flowrra.db-wal"},
	};
	struct world *w = own_world();
	size_t i;

	run(w, "chmod 755 .");
	ck_run(own(w, "run --wait true"), 0, "");
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		ck_run(run(w, "chmod %s", modes[i].wrong), 0, "");
		ck_complains(own(w, "run --wait touch ran"), 125,
			     " is writable by ");
		ck_assert(!has_run(w));
		ck_run(run(w, "chmod %s", modes[i].right), 0, "");
	}
	ck_run(own(w, "run --wait touch ran"), 0, "");
	ck_assert(has_run(w));
	own_stop(w);
}
END_TEST

/* A worker that finds it so when it starts does not take commands at all. */
START_TEST(a_worker_whose_store_others_can_write_to_does_not_take_commands)
{
	struct world *w = own_world();
	struct worker *k;

	run(w, "chmod 755 .");
	k = worker_start(w, OWN "exec flowrrad --user");
	worker_stop(k);
	run(w, "chmod g+w own/flowrra/flowrra.db");
	k = worker_start(w, OWN "exec flowrrad --user");
	ck_assert(worker_logged(k, "commands of flowrractl run are not run"));
	/* It is as any task that this worker does not have. */
	ck_run(own(w, "run -- touch ran"), 0, "1\n");
	WAIT_UNTIL(strstr(own(w, "tasks delayed")->out, "exec.run") != NULL);
	ck_assert(!has_run(w));
	worker_stop(k);
	own_stop(w);
}
END_TEST

/* --- places that are not ours ------------------------------------------------ */

#define AS_USER(variables)                                                     \
	"exec env -i PATH=\"$PATH\" " variables                                \
	" setpriv --reuid=4712 --regid=4712 --clear-groups "

START_TEST(without_a_place_of_its_own_a_command_is_refused)
{
	struct world *w;

	if (geteuid() != 0)
		return;
	umask(022);
	w = own_world();
	run(w, "chmod 755 .; mkdir -m 755 home foreign; chown 4712 home; "
	       "chown 4711 foreign");
	ck_complains(run(w, AS_USER("") "flowrractl run true"), 78,
		     "user 4712 has no home");
	ck_complains(run(w, AS_USER("") "flowrractl run --wait true"), 125,
		     "user 4712 has no home");
	ck_complains(run(w, AS_USER("HOME=$PWD/foreign") "flowrractl run true"),
		     77, "belongs to another user");
	run(w, "chmod 555 home");
	ck_complains(run(w, AS_USER("HOME=$PWD/home") "flowrractl run true"),
		     71, "cannot create the directory");
	run(w, "chmod 755 home; mkdir -p home/.local/state/flowrra; chown -R "
	       "4711 home/.local");
	ck_complains(run(w, AS_USER("HOME=$PWD/home") "flowrractl run true"),
		     77, "belongs to another user");
	world_stop(w);
}
END_TEST

/* What is queued before the disk is full runs; what cannot be queued is said. */
START_TEST(a_full_disk_loses_no_command)
{
	struct world *w;
	const struct run *r;

	if (geteuid() != 0)
		return;
	w = own_world();
	r = run(
	    w,
	    "exec unshare -m sh -c 'mkdir own && mount -t tmpfs -o "
	    "size=3m,mode=700 none own && " OWN "&& export XDG_STATE_HOME "
	    "XDG_CONFIG_HOME XDG_RUNTIME_DIR && flowrractl run --wait echo "
	    "first && flowrractl run --delay 1 -- echo second && dd "
	    "if=/dev/zero of=own/full bs=4k 2>/dev/null; flowrractl run echo "
	    "third; echo \"third: $?\"; rm own/full; flowrractl --user wait 2 "
	    "&& flowrractl run --wait echo fourth; flowrractl --user "
	    "worker stop $(hostname):user; sleep 1'");
	ck_assert_msg(strstr(r->out, "first\n2\n") == r->out, "%s%s", r->out,
		      r->err);
	ck_assert_msg(strstr(r->out, "fourth\n") != NULL, "%s%s", r->out,
		      r->err);
	/* Either it was queued, or its caller knows that it was not. */
	ck_assert_msg(strstr(r->out, "third: 0") != NULL ||
			  strstr(r->err, "full") != NULL,
		      "%s%s", r->out, r->err);
	world_stop(w);
}
END_TEST

SUITE("adhoc")
{
	SUITE_TIMEOUT(120);
	TEST(a_worker_of_redis_runs_no_command);
	TEST(a_worker_that_was_not_told_to_runs_no_command);
	TEST(nothing_but_flowrractl_run_submits_a_command);
	TEST(flowrra_web_submits_no_command);
	TEST(a_store_that_others_can_write_to_starts_no_command);
	TEST(a_worker_whose_store_others_can_write_to_does_not_take_commands);
	TEST(without_a_place_of_its_own_a_command_is_refused);
	TEST(a_full_disk_loses_no_command);
}
