/* SPDX-License-Identifier: MIT */
/* flowrra-executor --run and --list: modules tried by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "executor/driver.h"
#include "suite.h"

#define DEMO "$B/lib/flowrra/demo.so "
#define MODULES "$B/tests/modules/"

static char out[65536];

/* Runs a line of shell, whose output is then in `out`; its exit status, as the
 * shell tells it. $E is the executor, $B what was built. */
static int
by_hand(const char *line)
{
	static char whole[4096];
	size_t n;
	FILE *f;
	int status;

	setenv("E", driver_path("libexec/flowrra/flowrra-executor"), 1);
	setenv("B", getenv("BUILD_DIR"), 1);
	snprintf(whole, sizeof(whole), "(%s) 2>&1", line);
	ck_assert_ptr_nonnull(f = popen(whole, "re"));
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = '\0';
	status = pclose(f);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static const struct {
	const char *line;
	int status;
	const char
	    *text; /* a part of what is printed; all, if it ends a line */
} runs[] = {
    {"$E --run " DEMO "add '[2,3]' 2>&-", 0, "5\n"},
    {"$E --run " DEMO "echo --kwargs '{\"a\":1}' '[]' 2>&-", 0,
     "{\"args\":[],\"kwargs\":{\"a\":1}}\n"},
    {"$E --run " DEMO "timer '[0.01]' 2>&-", 0, "0.01\n"},
    {"$E --run " DEMO "resize '[{\"w\":2}]' 2>&-", 0,
     "{\"w\":2,\"h\":2,\"sum\":2}\n"},
    {"$E --run " DEMO "fail '[\"why not\"]' >&-", 1, "fail failed: why not"},
    {"$E --run " DEMO "flaky '[3]' --attempt=3 2>&-", 0, "3\n"},
    {"$E --run " DEMO "flaky '[9]' --attempt 2", 1,
     "attempt 2 of 4; a worker would try again in 1 s"},
    {"$E --run " DEMO "flaky '[9]' --attempt 4", 1,
     "a worker would not try again"},
    {"$E --run " DEMO "add '[]'", 1, "a worker would not try again"},
    {"$E --run " DEMO "progress '[2,0]'", 0, "progress: {\"step\":1,\"of\":2}"},
    {"$E --run " DEMO "fanout '[1]'", 0, "\"name\":\"add\",\"args\":[1,1]"},
    {"$E --run " DEMO "sleep '[60]' --cancel-after 10ms", 1,
     "the handler was told to end\n"},
    {"$E --run " DEMO "sleep '[60]' --cancel-after 10ms", 1,
     "a worker would not try again"},
    {"$E --run " DEMO "timer '[60]' --cancel-after 10ms", 1, "told to end"},
    {"$E --run " DEMO "sleep '[60]' --timeout 10ms", 1, "told to end"},
    {"$E --run " DEMO "nosuch", 2, "no task \"nosuch\""},
    {"$E --run " DEMO "add '[2'", 65, "args: not JSON"},
    {"$E --run " DEMO "add '{}'", 65, "not a JSON array"},
    {"$E --run " DEMO "add --kwargs '[]'", 65, "not a JSON object"},
    {"$E --run " DEMO, 64, "needs a module and the name of a task"},
    {"$E --run " DEMO "add 2 3", 64, "one argument too many"},
    {"$E --run " DEMO "add --pri 2", 64, "unknown option --pri"},
    {"$E --run " DEMO "add --attempt 0", 64, "not a number from 1"},
    {"$E --run " DEMO "add --timeout soon", 64, "--timeout: "},
    {"$E --run " MODULES "bad_init.so x", 78, "its init failed"},
    {"$E --run /nowhere.so x", 78, "/nowhere.so"},
    {"$E --run " MODULES "crash.so crash.exit '[0]'", 70,
     "a handler has called exit()"},
    {"$E --run " MODULES "crash.so crash._exit", 70, "called exit()"},
    {"$E --run " MODULES "crash.so crash.errx", 70, "called exit()"},
    {"$E --run " MODULES "crash.so crash.pthread_exit", 70, "called exit()"},
    {"sh -c '$E --run " MODULES "crash.so crash.segv'", 139, ""},
    {"c=$(mktemp) && echo '{\"word\":\"yes\"}' >$c && $E --run " MODULES
     "told.so told --config $c; r=$?; rm $c; exit $r",
     0, "{\"word\":\"yes\"}\n"},
    {"$E --run " MODULES "told.so told --config /nowhere", 78,
     "--config /nowhere: "},
    {"$E --run " MODULES "told.so told --config /etc/passwd", 78,
     "--config /etc/passwd: "},
    {"$E --run " MODULES "waits.so waiter '[\"x\",-1]'", 0, "waits for: x\n"},
    {"$E --list " DEMO, 0, "add\tAdds two numbers\n"},
    {"$E --list " MODULES "no_entry.so", 78, "does not export"},
    {"$E --help", 0, "--cancel-after DURATION"},
};

START_TEST(a_handler_runs_by_hand_with_all_it_says)
{
	/* ASan has a handler for a segmentation fault that exits. */
	if (SANITIZED && runs[_i].status == 139)
		return;
	ck_assert_msg(by_hand(runs[_i].line) == runs[_i].status, "%s:\n%s",
		      runs[_i].line, out);
	ck_assert_msg(strstr(out, runs[_i].text) != NULL, "%s:\n%s",
		      runs[_i].line, out);
}
END_TEST

START_TEST(no_server_and_no_other_process_is_there)
{
	/* What it does, by its system calls: none makes a process, or opens a
	 * connection. */
	if (SANITIZED || by_hand("strace -V") != 0)
		return;
	by_hand("strace -f -e trace=execve,fork,vfork,connect -o /dev/stdout "
		"$E --run " DEMO "fanout '[1]'");
	ck_assert_msg(strstr(out, "fork") == NULL &&
			  strstr(out, "connect(") == NULL,
		      "%s", out);
	ck_assert_ptr_null(strstr(strstr(out, "execve") + 1, "execve"));
}
END_TEST

START_TEST(a_debugger_stops_in_the_handler)
{
	if (SANITIZED || by_hand("gdb --version") != 0)
		return;
	by_hand("gdb -nx -q --batch -ex 'set breakpoint pending on' "
		"-ex 'break demo.c:fail' -ex run -ex bt -ex kill --args "
		"$E --run " DEMO "fail '[\"x\"]'");
	/* Where ptrace(2) is forbidden it says so. */
	ck_assert_msg(strstr(out, "run_handler") != NULL ||
			  strstr(out, "ptrace") != NULL,
		      "%s", out);
}
END_TEST

START_TEST(valgrind_finds_nothing_of_ours)
{
	static const char *const tasks[] = {"fanout '[2]'", "timer '[0.01]'",
					    "progress '[2,0]'"};

	if (SANITIZED || by_hand("valgrind --version") != 0)
		return;
	char line[512];

	snprintf(line, sizeof(line),
		 "valgrind -q --error-exitcode=99 --leak-check=full $E --run "
		 "%s%s 2>/dev/null",
		 DEMO, tasks[_i]);
	ck_assert_msg(by_hand(line) == 0, "%s", out);
}
END_TEST

SUITE("by_hand")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_handler_runs_by_hand_with_all_it_says, 0,
		  (int)(sizeof(runs) / sizeof(runs[0])));
	TEST(no_server_and_no_other_process_is_there);
	TEST(a_debugger_stops_in_the_handler);
	TEST_LOOP(valgrind_finds_nothing_of_ours, 0, 3);
}
