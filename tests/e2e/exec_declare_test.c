/* SPDX-License-Identifier: MIT */
/* What is declared: registered, changed by a reload, refused. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "e2e/exec_scene.h"

static const char one[] = "[task greet]\ncommand = echo one {0}\n"
			  "description = Says hello\nmax_retries = 7\n"
			  "retry_delay = 90s\ntimeout = 2m\nqueue = cpu\n";

START_TEST(declared_tasks_are_registered_like_others)
{
	struct world *w = start(one);
	struct run *r;

	ck_assert_ptr_nonnull(strstr(ctl_ok(w, "tasks registered"), "greet"));
	r = ctl(w, "tasks info greet --json");
	ck_assert_str_eq(json_field(w, r->out, "description"), "Says hello");
	ck_assert_str_eq(json_field(w, r->out, "max_retries"), "7");
	ck_assert_str_eq(json_field(w, r->out, "queue"), "cpu");
	ck_assert_str_eq(json_field(w, r->out, "module"), "exec");
	ck_assert_str_eq(json_field(w, r->out, "params.required"), "[\"0\"]");
	ck_assert_ptr_nonnull(
	    strstr(run(w, "flowrrad -c flowrra.conf --dump-config")->out,
		   "[task greet]\ncommand = echo one {0}\n"));
	ck_assert_str_eq(submit(w, "greet x --wait"), "\"one x\"");
	world_stop(w);
}
END_TEST

/* Over several lines, as it is written. */
START_TEST(a_schema_of_the_configuration_is_registered)
{
	struct world *w = start("[task t]\ncommand = echo {0}\n"
				"params = {\"type\": \"object\",\n"
				"params = \"properties\": {\"0\": {}}}\n");

	ck_assert_str_eq(
	    json_field(w, ctl_ok(w, "tasks info t --json"), "params.type"),
	    "object");
	world_stop(w);
}
END_TEST

START_TEST(the_module_may_be_named_all_the_same)
{
	const struct world_options o = {.embedded = true,
					.config = one,
					.command = WORLD_COMMAND
					" -o 'worker.modules=demo exec'"};
	struct world *w = world_start(&o);

	ck_assert(!worker_logged(worker_of(w), "error"));
	ck_assert_str_eq(submit(w, "greet x --wait"), "\"one x\"");
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
	world_stop(w);
}
END_TEST

START_TEST(a_reload_brings_a_changed_file_into_force)
{
	struct world *w = start("[task old]\ncommand = sleep {0}\n"
				"[task greet]\ncommand = echo one\n");
	const char *running = submit(w, "old 2");

	ck_assert_str_eq(submit(w, "greet --wait"), "\"one\"");
	WAIT_UNTIL(is(w, running, "status", "running"));
	reload(w, "[task greet]\ncommand = echo two\n"
		  "[task new]\ncommand = echo new\n");
	ck_assert(!worker_logged(worker_of(w), "reload failed"));
	ck_assert_str_eq(submit(w, "greet --wait"), "\"two\"");
	WAIT_UNTIL(ctl(w, "tasks info new")->status == 0);
	ck_assert_str_eq(submit(w, "new --wait"), "\"new\"");
	/* What runs goes on. */
	ck_assert_str_eq(ctl_ok(w, "wait %s", running), "null");
	ck_told(w, running, "attempts", "1");
	world_stop(w);
}
END_TEST

START_TEST(a_broken_file_keeps_what_is_there)
{
	static const struct {
		const char *config, *why;
	} broken[] = {
	    {"[task greet]\ncommand = echo {\n", "braces must contain"},
	    {"[task greet]\ncomand = echo\n", "did you mean \"command\"?"},
	    {"[task greet]\nuser = no-such-user\ncommand = echo\n",
	     "no such user"},
	};
	struct world *w = start(one);
	size_t i;

	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		reload(w, broken[i].config);
		WAIT_UNTIL(worker_logged(worker_of(w), broken[i].why) &&
			   worker_logged(worker_of(w),
					 "reload failed, the old "
					 "configuration stays in use"));
		world_configure(w, "", one);
		ck_assert_str_eq(submit(w, "greet x --wait"), "\"one x\"");
	}
	world_stop(w);
}
END_TEST

START_TEST(bad_declarations_are_refused_at_the_start)
{
	const struct world_options o = {.no_worker = true, .embedded = true};
	struct world *w = world_start(&o);

	world_configure(w, "", "[task a]\ncommand = a | b\n");
	ck_complains(run(w, "flowrrad -c flowrra.conf"), 78,
		     "flowrra.conf:12: [task a] command = \"a | b\": column 3");
	world_configure(w, "", "[task a]\nuser = no-such-user\ncommand = a\n");
	ck_complains(
	    run(w, "flowrrad -c flowrra.conf"), 78,
	    "flowrra.conf:11: [task a] user = no-such-user: no such user");
	/* Named by hand, without tasks, the module says what it wants. */
	world_configure(w, "", "");
	worker_start(w, WORLD_COMMAND " -o worker.modules=exec");
	WAIT_UNTIL(worker_logged(worker_of(w), "add a section [task NAME]"));
	world_stop(w);
}
END_TEST

/* Its owner could have root run anything. */
START_TEST(root_runs_no_program_that_others_can_change)
{
	const struct world_options o = {.no_worker = true, .embedded = true};
	struct world *w = world_start(&o);

	run(w, "mkdir bin && cp /bin/true bin/ok && chmod 755 . bin bin/ok");
	world_configure(w, "", "[task t]\ncommand = bin/ok\n");
	ck_run(run(w, "flowrrad -c flowrra.conf --check"), 0,
	       "flowrrad: the configuration is good\n");
	run(w, "chmod 775 bin");
	ck_complains(run(w, "flowrrad -c flowrra.conf --check"), 78,
		     "cannot run bin/ok as root: its directory");
	run(w, "chmod 755 bin; chown 65534 bin/ok");
	ck_complains(run(w, "flowrrad -c flowrra.conf --check"), 78,
		     "belongs to user 65534");
	/* Who can change what says what root runs. */
	run(w, "chown 0 bin/ok; chmod 664 flowrra.conf");
	ck_complains(run(w, "flowrrad -c flowrra.conf --check"), 78,
		     "cannot run as root what flowrra.conf says: ");
	/* A pipe that its parent has made is not theirs. */
	ck_run(run(w, "cat flowrra.conf | flowrrad -c /dev/stdin --check"), 0,
	       "flowrrad: the configuration is good\n");
	run(w, "chmod 600 flowrra.conf; chown 65534 bin/ok");
	world_configure(w, "", "[task t]\nuser = root\ncommand = bin/ok\n");
	ck_complains(run(w, "flowrrad -c flowrra.conf --check"), 78,
		     "belongs to user 65534");
	/* Theirs is the risk. */
	world_configure(w, "", "[task t]\nuser = nobody\ncommand = bin/ok\n");
	ck_run(run(w, "flowrrad -c flowrra.conf --check"), 0,
	       "flowrrad: the configuration is good\n");
	world_stop(w);
}
END_TEST

START_TEST(only_root_can_give_a_command_another_user)
{
	struct world *w = start("[task who]\ncommand = sh -c 'id -un; echo "
				"$HOME; test -r flowrra.conf'\n"
				"user = nobody\nmax_retries = 0\n");
	const char *id;

	if (geteuid() == 0) {
		run(w, "chmod 600 flowrra.conf; chmod 755 .");
		id = end_of(w, submit(w, "who"));
		ck_told(w, id, "error", "exit code 1");
		world_configure(w, "",
				"[task who]\ncommand = sh -c 'id -un; echo "
				"$HOME $USER'\nuser = nobody\n");
		run(w, "chmod 644 flowrra.conf");
		worker_signal(worker_of(w), SIGHUP);
		worker_notified(worker_of(w), "READY=1");
		ck_assert_str_eq(submit(w, "who --wait"),
				 "\"nobody\\n/nonexistent nobody\"");
		ck_complains(run(w, "setpriv --reuid 1 --clear-groups "
				    "flowrrad -c flowrra.conf -o "
				    "worker.state_dir=/tmp"),
			     78, "only a flowrrad that runs as root");
	}
	world_stop(w);
}
END_TEST

/* As a service that has these rights beside those of its user, whose folder
 * the world's is not. */
#define AS_SERVICE(rights)                                                     \
	"exec setpriv --reuid 1 --regid 1 --clear-groups "                     \
	"--inh-caps +dac_override," rights                                     \
	" --ambient-caps +dac_override," rights                                \
	" flowrrad --config flowrra.conf"

START_TEST(who_gives_a_command_another_user_can_kill_it)
{
	struct world *w = start("[task deaf]\ncommand = true\n");
	const char *id;

	if (geteuid() == 0) {
		worker_stop(worker_of(w));
		world_configure(w, "",
				"[executor]\nkill_grace = 3s\n"
				"[task deaf]\ncommand = sh -c 'trap \"\" TERM; "
				"sleep 600'\n"
				"user = nobody\ntimeout = 300ms\n"
				"max_retries = 0\n");
		ck_complains(run(w, AS_SERVICE("+setuid,+setgid")), 78,
			     "handlers.conf");
		run(w, "chown 1 . flowrra.db*");
		worker_start(w, AS_SERVICE("+setuid,+setgid,+kill"));
		id = end_of(w, submit(w, "deaf"));
		ck_told(w, id, "error",
			"killed by SIGKILL, after it was told to end");
	}
	world_stop(w);
}
END_TEST

SUITE("exec-declare")
{
	SUITE_TIMEOUT(120);
	TEST(declared_tasks_are_registered_like_others);
	TEST(a_schema_of_the_configuration_is_registered);
	TEST(the_module_may_be_named_all_the_same);
	TEST(a_reload_brings_a_changed_file_into_force);
	TEST(a_broken_file_keeps_what_is_there);
	TEST(bad_declarations_are_refused_at_the_start);
	TEST(root_runs_no_program_that_others_can_change);
	TEST(only_root_can_give_a_command_another_user);
	TEST(who_gives_a_command_another_user_can_kill_it);
}
