/* SPDX-License-Identifier: MIT */
/* Tests of the configuration: every kind of error, and what it says. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "util/buf.h"
#include "util/conf_scene.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* What is wrong in a file, and the message behind the file's name. */
static const struct {
	const char *text;
	const char *message;
} bad_files[] = {
    {"[executor]\n\nio_workers = many",
     ":3: [executor] io_workers = \"many\": not a number; allowed: 1 to 1024"},
    {"[executor]\nio_workers = -1",
     ":2: [executor] io_workers = \"-1\": not a number; allowed: 1 to 1024"},
    {"[executor]\nio_workers = 0",
     ":2: [executor] io_workers = \"0\": out of range; allowed: 1 to 1024"},
    {"[executor]\nasync_tasks = 0",
     ":2: [executor] async_tasks = \"0\": out of range; allowed: 1 to 1000000"},
    {"[executor]\nio_workers = 1025",
     ":2: [executor] io_workers = \"1025\": out of range; allowed: 1 to 1024"},
    {"[executor]\nio_workers = 99999999999999999999999",
     ":2: [executor] io_workers = \"99999999999999999999999\": out of range; "
     "allowed: 1 to 1024"},
    {"[executor]\nio_workers =",
     ":2: [executor] io_workers = \"\": not a number; allowed: 1 to 1024"},
    {"[executor]\nmax_result_size = 1t",
     ":2: [executor] max_result_size = \"1t\": not a size such as 4096, 512k "
     "or 1m; allowed: 64 to 32m"},
    {"[executor]\nmax_result_size = 99999999999g",
     ":2: [executor] max_result_size = \"99999999999g\": out of range; "
     "allowed: 64 to 32m"},
    {"[executor]\nmemory_limit = 18014398509481984k",
     ":2: [executor] memory_limit = \"18014398509481984k\": out of range; "
     "allowed: 0 to 1024g"},
    {"[broker]\nsocket_timeout = soon",
     ":2: [broker] socket_timeout = \"soon\": not a duration such as 90 or "
     "1h30m; allowed: 100ms to 1h"},
    {"[broker]\nsocket_timeout = 99ms",
     ":2: [broker] socket_timeout = \"99ms\": out of range; allowed: 100ms to "
     "1h"},
    {"[broker]\nsocket_timeout = never",
     ":2: [broker] socket_timeout = \"never\": not a duration such as 90 or "
     "1h30m; allowed: 100ms to 1h"},
    {"[backend]\nttl = 0",
     ":2: [backend] ttl = \"0\": out of range; allowed: 1s to 3650d, or "
     "never"},
    {"[worker]\nforeign_times = local",
     ":2: [worker] foreign_times = \"local\": not a form of times; allowed: "
     "utc, naive"},
    {"[broker]\nretry_on_timeout = maybe",
     ":2: [broker] retry_on_timeout = \"maybe\": not yes or no; allowed: "
     "yes, true, on, 1, no, false, off, 0"},
    {"[worker]\nlog_level = loud",
     ":2: [worker] log_level = \"loud\": not a level; allowed: error, warning, "
     "notice, info, debug"},
    {"[worker]\nqueues = io a/b",
     ":2: [worker] queues = \"io a/b\": \"a/b\" is not a valid "
     "queue name; allowed: 1 to 128 of the characters A-Z a-z 0-9 _ . -"},
    {"[worker]\nqueues = io cpu,io",
     ":2: [worker] queues = \"io cpu,io\": names the queue io twice"},
    {"[worker]\nqueues = ,",
     ":2: [worker] queues = \",\": must name at least one queue"},
    {"[worker]\nqueues =",
     ":2: [worker] queues = \"\": 0 characters; allowed: 1 to 65536"},
    {"[worker]\nid = my host",
     ":2: [worker] id = \"my host\": not a valid worker ID; allowed: up to 128 "
     "letters, digits and _ . : -"},
    {"[broker]\nurl = redis://u:secret@h\x01",
     ":2: [broker] url: contains a control character"},
    {"[broker]\nurl = a\nmax_connections = 9\nurl = b",
     ":4: [broker] url is given twice; the first is in line 2"},
    {"[broker]\nulr = redis://u:secret@h",
     ":2: unknown key \"ulr\" in [broker]; did you mean url in [broker]?"},
    {"[broker]\nio_workers = 1",
     ":2: unknown key \"io_workers\" in [broker]; did you mean io_workers in "
     "[executor]?"},
    {"[broker]\nnonsense_entirely = 1",
     ":2: unknown key \"nonsense_entirely\" in [broker]; flowrra.conf(5) lists "
     "the "
     "keys"},
    {"[wroker]\n", ":1: unknown section [wroker]; did you mean [worker]?"},
    {"[workr]\n", ":1: unknown section [workr]; did you mean [worker]?"},
    {"[borker]\n", ":1: unknown section [borker]; did you mean [broker]?"},
    {"[zzzzzzzzzzzz]\nx = 1",
     ":1: unknown section [zzzzzzzzzzzz]; known: broker, backend, executor, "
     "scheduler, worker, task NAME"},
    {"[broker] url = x",
     ":1: unexpected text after \"]\"; put it on a new line"},
    {"url = x\n[broker]\n",
     ":1: the key \"url\" is before the first [section]"},
    {"[broker\nurl = x", ":1: expected [section] or key = value"},
    {"[broker]\nurl\n", ":2: expected [section] or key = value"},
    {"[broker]\nurl\nmax_connections = x",
     ":2: expected [section] or key = value"},
    {"[broker]\nmax_connections = x\nurl\n",
     ":2: [broker] max_connections = \"x\": not a number; allowed: 4 to "
     "10000"},
};

START_TEST(an_error_in_a_file_names_line_key_and_what_is_allowed)
{
	const char *text = bad_files[_i].text;
	const char *path = conf_file_of("conf", text, strlen(text));
	char message[ERR_MSG_MAX];

	snprintf(message, sizeof(message), "%s%s", path, bad_files[_i].message);
	ck_conf_refused(path, NULL, message);
	ck_assert_ptr_null(strstr(err.msg, "secret"));
}
END_TEST

START_TEST(a_line_that_is_too_long_is_refused_not_cut)
{
	struct buf text = BUF_INIT;
	const char *path;
	char message[256];

	buf_adds(&text, "[worker]\n\n# ");
	while (text.len < 70000)
		buf_addc(&text, 'x');
	path = conf_file_of("conf", text.data, text.len);
	snprintf(message, sizeof(message),
		 "%s:3: the line has 69990 bytes; at most 65997 are allowed",
		 path);
	ck_conf_refused(path, NULL, message);
	buf_done(&text);
}
END_TEST

START_TEST(what_is_no_text_file_is_refused)
{
	static char huge[(1 << 20) + 2];
	const char *path;
	char message[256];

	path = conf_file_of("conf", "[broker]\nurl = a\0b\n", 19);
	snprintf(message, sizeof(message),
		 "%s:2: NUL byte; a configuration file must be text", path);
	ck_conf_refused(path, NULL, message);
	memset(huge, '\n', sizeof(huge));
	path = conf_file_of("conf", huge, sizeof(huge));
	snprintf(message, sizeof(message),
		 "%s is larger than 1 MiB, the limit for a configuration file",
		 path);
	ck_conf_refused(path, NULL, message);
	snprintf(message, sizeof(message), "%s is a directory; name a file",
		 conf_dir);
	ck_conf_refused(conf_dir, NULL, message);
}
END_TEST

/* As the shell's <(command) gives one; it is read to its end. */
START_TEST(a_pipe_is_read_and_one_that_nobody_writes_to_is_not_waited_for)
{
	char path[128], message[256];
	int fd;

	snprintf(path, sizeof(path), "%s/pipe", conf_dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	snprintf(message, sizeof(message),
		 "%s has not ended within 5 s; name a file, or a pipe "
		 "that is written to and closed",
		 path);
	ck_conf_refused(path, NULL, message);
	if (fork() == 0) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		dprintf(fd, "[broker]\n");
		usleep(1000); /* the reader comes first, or has to wait */
		dprintf(fd, "url = unix:///piped\n");
		_exit(0);
	}
	ck_assert_msg(conf_load(path, NULL, &conf, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(conf->broker.url, "unix:///piped");
	wait(NULL);
}
END_TEST

START_TEST(a_file_that_is_named_must_exist)
{
	ck_conf_refused("/no/such/file", NULL, "no such file: /no/such/file");
}
END_TEST

START_TEST(an_unreadable_file_is_refused)
{
	const char *path = conf_file_of("conf", "", 0);
	char message[256];

	chmod(conf_dir, 0755);
	chmod(path, 0);
	/* Root reads everything. */
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	snprintf(message, sizeof(message), "cannot open %s: Permission denied",
		 path);
	ck_conf_refused(path, NULL, message);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(an_error_in_the_environment_names_the_variable)
{
	const char *path = conf_file_of("conf", "", 0);

	setenv("FLOWRRA_EXECUTOR_IO_WORKERS", "x", 1);
	ck_conf_refused(path, NULL,
			"variable FLOWRRA_EXECUTOR_IO_WORKERS = \"x\": not a "
			"number; allowed: 1 to 1024");
	unsetenv("FLOWRRA_EXECUTOR_IO_WORKERS");
	setenv("FLOWRRA_BROKER_URL", "redis://:secret@h ;", 1);
	ck_conf_refused(path, NULL,
			"variable FLOWRRA_BROKER_URL: contains a semicolon "
			"after a space, which would begin a comment");
}
END_TEST

START_TEST(an_error_in_a_credential_names_its_file)
{
	const char *path =
	    conf_file_of("broker.url", "redis://:se\ncret@h", 18);
	char message[256];

	setenv("CREDENTIALS_DIRECTORY", conf_dir, 1);
	snprintf(message, sizeof(message),
		 "credential %s: contains a control character", path);
	ck_conf_refused("/dev/null", NULL, message);
}
END_TEST

static const struct {
	const char *setting;
	const char *message;
} bad_settings[] = {
    {"executor", "-o executor: write it as -o section.key=value"},
    {"executor=1", "-o executor: write it as -o section.key=value"},
    {"executor.io_worker=1", "-o executor.io_worker: unknown key \"io_worker\" "
			     "in [executor]; did you mean "
			     "io_workers in [executor]?"},
    {"executr.io_workers=1",
     "-o executr.io_workers: unknown section [executr]; "
     "did you mean [executor]?"},
    {"executor.io_workers=x", "-o executor.io_workers=x: not a number; "
			      "allowed: 1 to 1024"},
    {"broker.url=redis://:secret@h/0",
     "-o broker.url: every user of this host can read a password in an "
     "argument; use the variable FLOWRRA_BROKER_URL or the configuration file"},
    {"scheduler.database_url=host=db user=u password=secret",
     "-o scheduler.database_url: every user of this host can read a password "
     "in an argument; use the variable FLOWRRA_SCHEDULER_DATABASE_URL or the "
     "configuration file"},
};

START_TEST(an_error_in_a_flag_names_the_flag)
{
	const char *const settings[] = {bad_settings[_i].setting, NULL};

	ck_conf_refused("/dev/null", settings, bad_settings[_i].message);
}
END_TEST

SUITE("conf-refused")
{
	tcase_add_checked_fixture(suite_case_, conf_scene_open,
				  conf_scene_close);
	TEST_LOOP(an_error_in_a_file_names_line_key_and_what_is_allowed, 0,
		  N(bad_files));
	TEST(a_line_that_is_too_long_is_refused_not_cut);
	TEST(what_is_no_text_file_is_refused);
	TEST(a_pipe_is_read_and_one_that_nobody_writes_to_is_not_waited_for);
	TEST(a_file_that_is_named_must_exist);
	TEST(an_unreadable_file_is_refused);
	TEST(an_error_in_the_environment_names_the_variable);
	TEST(an_error_in_a_credential_names_its_file);
	TEST_LOOP(an_error_in_a_flag_names_the_flag, 0, N(bad_settings));
}
