/* SPDX-License-Identifier: MIT */
/* Tasks that the configuration declares, on the embedded default. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "e2e/look.h"
#include "e2e/worker.h"

static struct world *
start(const char *config)
{
	const struct world_options o = {
	    .embedded = true, .modules = "", .config = config};

	return world_start(&o);
}

/* What `result --json` says of a task that has ended or still runs. */
static const char *
told(struct world *w, const char *id, const char *name)
{
	return json_field(w, ctl(w, "result %s --json", id)->out, name);
}

static bool
is(struct world *w, const char *id, const char *name, const char *value)
{
	return strcmp(told(w, id, name), value) == 0;
}

static const char *
end_of(struct world *w, const char *id)
{
	ctl(w, "wait %s --timeout 30", id);
	return id;
}

#define ck_told(w, id, name, value)                                            \
	ck_assert_str_eq(told((w), (id), (name)), (value))
#define ck_told_part(w, id, name, part)                                        \
	do {                                                                   \
		const char *told_ = told((w), (id), (name));                   \
		ck_assert_msg(strstr(told_, (part)) != NULL,                   \
			      "no \"%s\" in: %s", (part), told_);              \
	} while (0)

/* --- results ------------------------------------------------------------- */

static const char of_results[] =
    "[executor]\nmax_result_size = 64k\n"
    "[task json]\ncommand = echo '{ \"a\": [1, 0.1] }'\n"
    "[task number]\ncommand = printf 42\n"
    "[task two]\ncommand = echo '1 2'\n"
    "[task text]\ncommand = printf 'one\\n\\ntwo\\n\\n'\n"
    "[task nothing]\ncommand = true\n"
    "[task binary]\ncommand = printf 'a\\000\\377\\303\\251'\n"
    "[task deep]\ncommand = sh -c 'for i in $(seq 600); do printf [; done; "
    "for i in $(seq 600); do printf ]; done'\n"
    "[task largest]\ncommand = sh -c 'head -c 65534 /dev/zero | tr \"\\0\" x'\n"
    "[task huge]\ncommand = sh -c 'head -c 9000000 /dev/zero; echo >&2 done'\n"
    "max_retries = 5\n"
    "[task escaped]\ncommand = sh -c 'head -c 40000 /dev/zero | tr \"\\0\" "
    "\"\\001\"'\n"
    "max_retries = 5\n";

START_TEST(standard_output_is_the_result)
{
	struct world *w = start(of_results);
	const char *id;

	ck_assert_str_eq(submit(w, "json --wait"), "{\"a\":[1,0.1]}");
	ck_assert_str_eq(submit(w, "number --wait"), "42");
	ck_assert_str_eq(submit(w, "two --wait"), "\"1 2\"");
	ck_assert_str_eq(submit(w, "text --wait"), "\"one\\n\\ntwo\\n\"");
	ck_assert_str_eq(submit(w, "nothing --wait"), "null");
	ck_assert_str_eq(submit(w, "binary --wait"),
			 "\"a\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9\"");
	ck_assert_uint_eq(strlen(submit(w, "deep --wait")), 1202);
	ck_assert_uint_eq(strlen(submit(w, "largest --wait")), 65536);
	id = end_of(w, submit(w, "huge"));
	ck_told(w, id, "status", "failed");
	ck_told(w, id, "attempts", "1");
	ck_told_part(w, id, "error",
		     "more to standard output than 65536 bytes");
	/* It was left to do its work. */
	ck_assert(worker_logged(worker_of(w), "(huge): done"));
	id = end_of(w, submit(w, "escaped"));
	ck_told_part(w, id, "error", "max_result_size");
	ck_told(w, id, "attempts", "1");
	world_stop(w);
}
END_TEST

/* --- failures ------------------------------------------------------------ */

static const char of_failures[] =
    "[executor]\nmax_retries = 1\nretry_delay = 0\n"
    "[task bad]\ncommand = sh -c 'seq 50 >&2; printf last >&2; exit 3'\n"
    "[task nul]\ncommand = sh -c 'printf \"a\\000b\" >&2; exit 3'\n"
    "[task usage]\ncommand = sh -c 'exit 64'\n"
    "[task own]\ncommand = sh -c 'exit 9'\nfinal_exit_codes = 9\n"
    "[task killed]\ncommand = sh -c 'kill -SEGV $$'\n"
    "[task missing]\ncommand = /nonexistent/program\n"
    "[task no_place]\ncommand = true\ndirectory = /nonexistent\n"
    "[task wants]\ncommand = echo {0} {path}\n"
    "[task flaky]\ncommand = sh -c 'test $FLOWRRA_TASK_ATTEMPT = 2'\n";

static void
ck_failed(struct world *w, const char *command, const char *attempts,
	  const char *error)
{
	const char *id = end_of(w, submit(w, "%s", command));

	ck_told(w, id, "status", "failed");
	ck_told(w, id, "attempts", attempts);
	ck_told_part(w, id, "error", error);
}

START_TEST(a_failure_tells_code_and_last_lines)
{
	struct world *w = start(of_failures);

	ck_failed(w, "bad", "2",
		  "exit code 3: 42\n43\n44\n45\n46\n47\n48\n49\n50\nlast");
	ck_assert(worker_logged(worker_of(w), "(bad): 17"));
	ck_failed(w, "nul", "2",
		  "exit code 3: a\xef\xbf\xbd"
		  "b");
	ck_failed(w, "usage", "1", "exit code 64");
	ck_failed(w, "own", "1", "exit code 9");
	ck_failed(w, "killed", "2", "killed by SIGSEGV");
	ck_failed(w, "missing", "2",
		  "cannot start /nonexistent/program: could not execute it: No "
		  "such file or directory");
	ck_failed(w, "no_place", "2", "could not enter its working directory");
	ck_failed(w, "wants", "1", "no argument {0}");
	ck_failed(w, "wants 1", "1", "no keyword argument \"path\"");
	ck_complains(
	    ctl(w, "submit wants --args '[\"a\\u0000b\"]' --kw path=x --wait"),
	    1, "args cannot be read");
	ck_assert_str_eq(submit(w, "wants null --kw path=[1,2.5] --wait"),
			 "\"null [1,2.5]\"");
	ck_assert_str_eq(submit(w, "flaky --wait"), "null");
	world_stop(w);
}
END_TEST

/* --- arguments ----------------------------------------------------------- */

static const char of_arguments[] =
    "[task args]\ncommand = sh -c 'printf \"%s|\" $# \"$@\"' sh {0} "
    "--x={name}\n"
    "environment = FROM=\"a {0}\"\n"
    "[task env]\ncommand = sh -c 'printf \"%s|\" \"$A\" \"$B\" \"$FROM\" "
    "\"$FLOWRRA_TASK_NAME\" \"$FLOWRRA_TASK_ATTEMPT\" \"$PWD\"'\n"
    "environment = A=1 \"B=2 3\"\nenvironment = FROM={0}\ndirectory = /usr\n"
    "[task input]\ncommand = cat\n"
    "[task largest]\ncommand = sh -c 'wc -c' sh\n"
    "[task long]\ncommand = echo {0}\nmax_retries = 5\n";

static const struct {
	const char *name;
	const char *json; /* the argument */
	const char *shown;
} hostile[] = {
    {"a semicolon", "\"; touch pwned\"", "; touch pwned"},
    {"a substitution", "\"$(touch pwned)\"", "$(touch pwned)"},
    {"backquotes", "\"`touch pwned`\"", "`touch pwned`"},
    {"a line break", "\"a\\ntouch pwned\"", "a\\ntouch pwned"},
    {"a dash", "\"-rf\"", "-rf"},
    {"quotes", "\"' \\\" \\\\\"", "' \\\" \\\\"},
    {"a place", "\"{name} {{\"", "{name} {{"},
    {"nothing", "\"\"", ""},
    {"blanks", "\"  a  b \"", "  a  b "},
    {"a pipe", "\"| cat & > pwned\"", "| cat & > pwned"},
};

START_TEST(an_argument_is_one_word_whatever_it_holds)
{
	struct world *w = start(of_arguments);
	size_t i;

	for (i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		const char *task =
		    world_text(w,
			       "{\"name\":\"args\",\"args\":[%s],"
			       "\"kwargs\":{\"name\":%s}}\n",
			       hostile[i].json, hostile[i].json);
		const char *id, *want;

		world_write(w, "task", task, strlen(task));
		id = ctl_ok(w, "submit --stdin < task");
		want = world_text(w, "\"2|%s|--x=%s|\"", hostile[i].shown,
				  hostile[i].shown);
		ck_assert_msg(strcmp(ctl_ok(w, "wait %s", id), want) == 0,
			      "%s: %s", hostile[i].name,
			      ctl_ok(w, "wait %s", id));
	}
	ck_assert_int_ne(access(world_text(w, "%s/pwned", world_dir(w)), F_OK),
			 0);
	world_stop(w);
}
END_TEST

START_TEST(a_command_finds_environment_directory_and_input)
{
	struct world *w = start(of_arguments);
	const char *id, *line;

	ck_assert_str_eq(submit(w, "env 'x;y' --wait"),
			 "\"1|2 3|x;y|env|1|/usr|\"");
	id =
	    submit(w, "input 1 two --kw k=[0.1] --timeout 100 --max-retries 2");
	line = ctl_ok(w, "wait %s", id);
	ck_assert_str_eq(json_field(w, line, "id"), id);
	ck_assert_str_eq(json_field(w, line, "name"), "input");
	ck_assert_str_eq(json_field(w, line, "args"), "[1,\"two\"]");
	ck_assert_str_eq(json_field(w, line, "kwargs"), "{\"k\":[0.1]}");
	ck_assert_str_eq(json_field(w, line, "attempt"), "1");
	ck_assert_str_eq(json_field(w, line, "max_attempts"), "3");
	ck_assert_double_gt(atof(json_field(w, line, "time_left")), 90);
	/* Much more than a pipe would take. */
	run(w, "printf '{\"name\":\"largest\",\"args\":[\"%%0900000d\"]}' 1 "
	       ">task");
	id = ctl_ok(w, "submit --stdin < task");
	ck_assert_int_gt(atoi(ctl_ok(w, "wait %s", id)), 900000);
	run(w, "sed -i s/largest/long/ task");
	id = end_of(w, ctl_ok(w, "submit --stdin < task"));
	ck_told_part(w, id, "error", "Argument list too long");
	ck_told(w, id, "attempts", "1");
	world_stop(w);
}
END_TEST

START_TEST(urls_with_passwords_do_not_reach_commands)
{
	const struct world_options o = {.embedded = true,
					.modules = "",
					.no_worker = true,
					.config =
					    "[task env]\ncommand = env\n"
					    "[task up]\ncommand = sh -c 'tr "
					    "\"\\0\" \"\\n\" "
					    "</proc/$PPID/environ'\n"};
	struct world *w = world_start(&o);

	worker_start(w, world_text(w,
				   "FLOWRRA_BROKER_URL=%s "
				   "FLOWRRA_SCHEDULER_DATABASE_URL=sqlite:///"
				   "geheim CREDENTIALS_DIRECTORY=/geheim "
				   "MINE=1 " WORLD_COMMAND,
				   world_url(w)));
	ck_assert_ptr_nonnull(strstr(submit(w, "env --wait"), "MINE=1"));
	ck_assert_ptr_null(strstr(submit(w, "env --wait"), "BROKER_URL"));
	ck_assert_ptr_null(strstr(submit(w, "env --wait"), "geheim"));
	/* Nor those who start them. */
	ck_assert_ptr_nonnull(strstr(submit(w, "up --wait"), "MINE=1"));
	ck_assert_ptr_null(strstr(submit(w, "up --wait"), "geheim"));
	world_stop(w);
}
END_TEST

/* --- ends ---------------------------------------------------------------- */

/* A command that leaves its pids in the file "pids" and ignores SIGTERM, as its
 * child does; and one that obeys. */
static const char of_ends[] =
    "[executor]\nkill_grace = 2s\n"
    "[task deaf]\n"
    "command = sh -c 'trap \"\" TERM; sleep 1000 & echo $$ $! >pids; wait'\n"
    "max_retries = 0\n"
    "[task obedient]\n"
    "command = sh -c 'sleep 1000 & echo $$ $! >pids; wait'\n"
    "max_retries = 0\n"
    "[task graceful]\n"
    "command = sh -c 'trap \"echo 7; exit 0\" TERM; echo $$ $$ >pids; while :; "
    "do sleep 0.02; done'\n"
    "[task parent]\n"
    "command = sh -c 'sleep 1000 & echo $! $! >pids; echo started >&2'\n"
    "[task stray]\n"
    "command = sh -c 'setsid sleep 1000 & echo $! $! >pids; sleep 1000'\n"
    "[task cpu]\n"
    "command = sh -c 'trap \"\" TERM; sleep 1000 & echo $$ $! >pids; wait'\n"
    "cpu_bound = yes\nmax_retries = 0\n"
    "[task noisy]\n"
    "command = sh -c 'echo first >&2; sleep 1000'\n"
    "[task ok]\ncommand = echo fine\n"
    "[task cpu_ok]\ncommand = sh -c 'cat; echo >&2 quiet'\ncpu_bound = yes\n";

struct pids {
	pid_t leader, other;
};

static bool
read_pids(struct world *w, struct pids *ret)
{
	return sscanf(world_read(w, "pids"), "%d %d", &ret->leader,
		      &ret->other) == 2;
}

static struct pids
pids_of(struct world *w)
{
	struct pids p = {0, 0};

	WAIT_UNTIL(read_pids(w, &p));
	return p;
}

static void
ck_all_gone(struct pids p)
{
	WAIT_UNTIL(is_gone(p.leader));
	WAIT_UNTIL(is_gone(p.other));
}

START_TEST(a_timeout_ends_the_whole_process_group)
{
	static const char *const names[] = {"deaf", "obedient", "cpu"};
	struct world *w = start(of_ends);
	struct pids p;
	const char *id;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		run(w, "rm -f pids");
		id = submit(w, "%s --timeout 300ms", names[i]);
		p = pids_of(w);
		end_of(w, id);
		ck_told(w, id, "status", "failed");
		ck_told(w, id, "reason", "timeout");
		ck_told_part(w, id, "error",
			     i == 1 ? "killed by SIGTERM, after it was told to "
				      "end"
				    : "killed by SIGKILL, after it was told to "
				      "end");
		ck_all_gone(p);
	}
	/* Their executors lived through it. */
	ck_assert(!worker_logged(worker_of(w), "does not end by itself"));
	ck_assert_str_eq(submit(w, "ok --wait"), "\"fine\"");
	world_stop(w);
}
END_TEST

START_TEST(a_cancelled_command_ends)
{
	static const char *const names[] = {"obedient", "deaf", "cpu"};
	struct world *w = start(of_ends);
	struct pids p;
	const char *id;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		run(w, "rm -f pids");
		id = submit(w, "%s", names[i]);
		p = pids_of(w);
		ctl_ok(w, "cancel %s", id);
		WAIT_UNTIL(is(w, id, "status", "failed"));
		ck_told(w, id, "reason", "cancelled");
		ck_all_gone(p);
	}
	run(w, "rm -f pids");
	id = submit(w, "graceful");
	pids_of(w);
	ctl_ok(w, "cancel %s", id);
	ck_assert_str_eq(ctl_ok(w, "wait %s", id), "7");
	world_stop(w);
}
END_TEST

START_TEST(a_task_ends_with_its_first_process)
{
	struct world *w = start(of_ends);

	ck_assert_str_eq(submit(w, "parent --wait"), "null");
	ck_all_gone(pids_of(w));
	world_stop(w);
}
END_TEST

/* The io executor: it has a child, the spawner. */
static pid_t
executor_of(struct world *w)
{
	pid_t children[CHILDREN_MAX], its[CHILDREN_MAX];
	size_t n = children_of(worker_pid(worker_of(w)), children), i;

	for (i = 0; i < n; i++)
		if (children_of(children[i], its) > 0)
			return children[i];
	ck_abort_msg("no executor has a spawner");
	return 0;
}

static void
reload(struct world *w, const char *config)
{
	struct worker *k = worker_of(w);

	world_configure(w, "", config);
	worker_signal(k, SIGHUP);
	worker_notified(k, "RELOADING=1");
	worker_notified(k, "READY=1");
}

START_TEST(no_command_outlives_its_executor)
{
	static const char *const names[] = {"deaf", "stray"};
	struct world *w = start(of_ends);
	struct pids p;
	const char *id;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		run(w, "rm -f pids");
		id = submit(w, "%s --max-retries 3", names[i]);
		p = pids_of(w);
		run(w, "rm -f pids");
		kill(executor_of(w), SIGKILL);
		ck_all_gone(p);
		/* It is tried again. */
		p = pids_of(w);
		ctl_ok(w, "cancel %s", id);
		WAIT_UNTIL(is(w, id, "status", "failed"));
		/* Who has left the group goes with the executor only. */
		WAIT_UNTIL(is_gone(p.other) || i == 1);
		ck_assert(!is_gone(p.other) || i == 0);
		reload(w, of_ends);
		ck_all_gone(p);
	}
	ck_assert_str_eq(submit(w, "ok --wait"), "\"fine\"");
	world_stop(w);
}
END_TEST

START_TEST(no_command_outlives_its_worker)
{
	struct world *w = start(of_ends);
	struct worker *k = worker_of(w);
	struct pids p;
	const char *id = submit(w, "deaf");

	p = pids_of(w);
	run(w, "rm -f pids");
	worker_kill(k);
	ck_all_gone(p);
	worker_restart(k);
	p = pids_of(w);
	ctl_ok(w, "cancel %s", id);
	ck_all_gone(p);
	world_stop(w);
}
END_TEST

START_TEST(no_command_outlives_the_spawner)
{
	struct world *w = start(of_ends);
	pid_t spawner[CHILDREN_MAX];
	struct pids p;
	const char *id = submit(w, "deaf");

	p = pids_of(w);
	ck_assert_uint_eq(children_of(executor_of(w), spawner), 1);
	kill(spawner[0], SIGKILL);
	end_of(w, id);
	ck_told_part(w, id, "error", "has died");
	ck_all_gone(p);
	ck_assert_str_eq(submit(w, "ok --wait"), "\"fine\"");
	world_stop(w);
}
END_TEST

START_TEST(standard_error_is_logged_as_it_comes)
{
	struct world *w = start(of_ends);
	const char *id = submit(w, "noisy");

	WAIT_UNTIL(worker_logged(worker_of(w),
				 world_text(w, "task %s (noisy): first", id)));
	WAIT_UNTIL(is(w, id, "status", "running"));
	ctl_ok(w, "cancel %s", id);
	world_stop(w);
}
END_TEST

START_TEST(a_cpu_bound_command_is_like_another)
{
	struct world *w = start(of_ends);
	const char *id = submit(w, "cpu_ok 1"), *line;

	line = ctl_ok(w, "wait %s", id);
	ck_assert_str_eq(json_field(w, line, "args"), "[1]");
	ck_told(w, id, "queue", "cpu");
	ck_assert(worker_logged(worker_of(w), "(cpu_ok): quiet"));
	world_stop(w);
}
END_TEST

/* --- declarations -------------------------------------------------------- */

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
	ck_assert_ptr_nonnull(
	    strstr(run(w, "flowrrad -c flowrra.conf --dump-config")->out,
		   "[task greet]\ncommand = echo one {0}\n"));
	ck_assert_str_eq(submit(w, "greet x --wait"), "\"one x\"");
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
	    {"[task greet]\ncommand = echo {\n", "between braces"},
	    {"[task greet]\ncomand = echo\n", "did you mean \"command\"?"},
	    {"[task greet]\nuser = no-such-user\ncommand = echo\n",
	     "there is no such user"},
	};
	struct world *w = start(one);
	size_t i;

	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		reload(w, broken[i].config);
		ck_assert(worker_logged(worker_of(w),
					"reload failed, all stays as it was"));
		ck_assert_msg(worker_logged(worker_of(w), broken[i].why),
			      "no \"%s\"", broken[i].why);
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
		     "flowrra.conf:10: [task a] command = \"a | b\": column 3");
	world_configure(w, "", "[task a]\nuser = no-such-user\ncommand = a\n");
	ck_complains(run(w, "flowrrad -c flowrra.conf"), 78,
		     "flowrra.conf:9: [task a] user = no-such-user: there is "
		     "no such user");
	/* Named by hand, without tasks, the module says what it wants. */
	world_configure(w, "", "");
	worker_start(w, WORLD_COMMAND " -o worker.modules=exec");
	ck_assert(worker_logged(worker_of(w), "write a section [task NAME]"));
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
			     78, "only a flowrrad that root runs");
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
				"[executor]\nkill_grace = 400ms\n"
				"[task deaf]\ncommand = sh -c 'trap \"\" TERM; "
				"sleep 600'\n"
				"user = nobody\ntimeout = 300ms\n"
				"max_retries = 0\n");
		ck_complains(run(w, AS_SERVICE("+setuid,+setgid")), 78,
			     "handlers.conf");
		run(w, "chown 1 flowrra.db*");
		worker_start(w, AS_SERVICE("+setuid,+setgid,+kill"));
		id = end_of(w, submit(w, "deaf"));
		ck_told(w, id, "error",
			"killed by SIGKILL, after it was told to end");
	}
	world_stop(w);
}
END_TEST

/* --- many ---------------------------------------------------------------- */

#define MANY 1000

START_TEST(a_thousand_commands_wait_at_the_same_time)
{
	struct world *w = start("[executor]\nio_workers = 4\n"
				"[task sleep]\ncommand = sleep 1\n");
	int64_t begin = now_ms(), took;

	run(w,
	    "yes '{\"name\":\"sleep\"}' | head -n %d | flowrractl -c "
	    "flowrra.conf submit --stdin >ids",
	    MANY);
	ck_run(run(w,
		   "xargs flowrractl -c flowrra.conf wait --timeout 60 <ids | "
		   "grep -c null"),
	       0, world_text(w, "%d\n", MANY));
	took = now_ms() - begin;
	/* One after the other in four threads, they would take 250 s. */
	ck_assert_int_lt(took, 50000);
	world_stop(w);
}
END_TEST

SUITE("exec")
{
	SUITE_TIMEOUT(120);
	TEST(standard_output_is_the_result);
	TEST(a_failure_tells_code_and_last_lines);
	TEST(an_argument_is_one_word_whatever_it_holds);
	TEST(a_command_finds_environment_directory_and_input);
	TEST(urls_with_passwords_do_not_reach_commands);
	TEST(a_timeout_ends_the_whole_process_group);
	TEST(a_cancelled_command_ends);
	TEST(a_task_ends_with_its_first_process);
	TEST(no_command_outlives_its_executor);
	TEST(no_command_outlives_its_worker);
	TEST(no_command_outlives_the_spawner);
	TEST(standard_error_is_logged_as_it_comes);
	TEST(a_cpu_bound_command_is_like_another);
	TEST(declared_tasks_are_registered_like_others);
	TEST(the_module_may_be_named_all_the_same);
	TEST(a_reload_brings_a_changed_file_into_force);
	TEST(a_broken_file_keeps_what_is_there);
	TEST(bad_declarations_are_refused_at_the_start);
	TEST(only_root_can_give_a_command_another_user);
	TEST(who_gives_a_command_another_user_can_kill_it);
	TEST(a_thousand_commands_wait_at_the_same_time);
}
