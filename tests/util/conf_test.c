/* SPDX-License-Identifier: MIT */
/* Tests of the configuration: sources, values, and every kind of error. */
#include "util/conf.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/conf_key.h"
#include "util/err.h"

#include "suite.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

static char dir[64];
static struct conf *conf;
static struct err err;

static void
setup(void)
{
	static const char prefix[] = "FLOWRRA_";
	const char *tmp = getenv("TMPDIR");
	char name[64];
	char **p;

	snprintf(dir, sizeof(dir), "%.40s/flowrra-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	/* unsetenv() moves what follows to the front. */
	for (p = environ; *p != NULL;) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*p, "="), *p);
		if (strncmp(*p, prefix, sizeof(prefix) - 1) != 0 ||
		    unsetenv(name) != 0)
			p++;
	}
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void
teardown(void)
{
	struct dirent *entry;
	DIR *d = opendir(dir);

	while (d != NULL && (entry = readdir(d)) != NULL)
		unlinkat(dirfd(d), entry->d_name, 0);
	if (d != NULL)
		closedir(d);
	rmdir(dir);
	conf_free(conf);
}

/* Writes a file in the test's directory; returns its path. */
static const char *
file_of(const char *name, const void *text, size_t len)
{
	static char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
	return path;
}

static void
load(const char *text)
{
	const char *path = file_of("conf", text, strlen(text));

	ck_assert_msg(conf_load(path, NULL, &conf, &err) == 0, "%s", err.msg);
}

static void
assert_refused(const char *path, const char *const *settings,
	       const char *message)
{
	ck_assert_int_eq(conf_load(path, settings, &conf, &err), -1);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_str_eq(err.msg, message);
	ck_assert_ptr_null(conf);
}

static char *
dump(const struct conf *of)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	conf_dump(of, false, out);
	fclose(out);
	return text;
}

START_TEST(without_any_source_the_defaults_hold)
{
	load("");
	ck_assert_str_eq(conf->broker.url, "");
	ck_assert_str_eq(conf->broker.queue_key, "flowrra:queue");
	ck_assert_int_eq(conf->broker.socket_timeout, 5000000);
	ck_assert_int_eq(conf->backend.ttl, INT64_C(86400000000));
	ck_assert(conf->backend.retry_on_timeout);
	ck_assert_int_eq(conf->executor.io_workers, 4);
	ck_assert_int_eq(conf->executor.max_retries, 3);
	ck_assert_int_eq(conf->executor.retry_delay, 1000000);
	ck_assert_int_eq(conf->executor.max_result_size, 1 << 20);
	ck_assert(conf->scheduler.enabled);
	ck_assert_str_eq(conf->worker.queues, "io cpu");
	ck_assert_int_eq(conf->worker.log_level, LOG_LEVEL_notice);
}
END_TEST

START_TEST(a_file_sets_values_of_every_kind)
{
	load("\xef\xbb\xbf# comment\n"
	     "; another\r\n"
	     "[broker]\n"
	     "url=redis://u:p%40ss@h:1/2?x=#y ; not this\n"
	     "socket_timeout : 1m30s\n"
	     "retry_on_timeout = OFF\r\n"
	     "\n"
	     "[worker] ; the worker\n"
	     "\tqueues = a,b ,c\n"
	     "\tid = host:1\n"
	     "max_task_size = 2M\n"
	     "log_level = debug\n"
	     "[broker]\n"
	     "max_connections = 7");
	ck_assert_str_eq(conf->broker.url, "redis://u:p%40ss@h:1/2?x=#y");
	ck_assert_int_eq(conf->broker.socket_timeout, 90 * 1000000);
	ck_assert(!conf->broker.retry_on_timeout);
	ck_assert_int_eq(conf->broker.max_connections, 7);
	ck_assert_str_eq(conf->worker.queues, "a,b ,c");
	ck_assert_str_eq(conf->worker.id, "host:1");
	ck_assert_int_eq(conf->worker.max_task_size, 2 << 20);
	ck_assert_int_eq(conf->worker.log_level, LOG_LEVEL_debug);
}
END_TEST

START_TEST(the_stronger_source_wins)
{
	static const char *const flag[] = {"executor.io_workers=5",
					   "executor.io_workers= 6", NULL};
	static const char text[] =
	    "[executor]\nio_workers = 7\n"
	    "cpu_workers = 8\n[broker]\nurl = unix:///f\n"
	    "[backend]\nurl = unix:///f\n"
	    "[scheduler]\ndatabase_url = file\n";
	char path[128];

	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	file_of("broker.url", "unix:///c\n", 10);
	file_of("backend.url", "unix:///c\n", 10);
	file_of("executor.cpu_workers", "9", 1); /* not a secret: unread */
	setenv("FLOWRRA_EXECUTOR_IO_WORKERS", "1", 1);
	setenv("FLOWRRA_BACKEND_URL", "unix:///e", 1);
	setenv("FLOWRRA_NO_SUCH_KEY", "1", 1);
	strcpy(path, file_of("conf", text, strlen(text)));
	ck_assert_msg(conf_load(path, flag, &conf, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(conf->executor.io_workers, 6);
	ck_assert_int_eq(conf->executor.cpu_workers, 8);
	ck_assert_str_eq(conf->broker.url, "unix:///c");
	ck_assert_str_eq(conf->backend.url, "unix:///e");
	ck_assert_str_eq(conf->scheduler.database_url, "file");
}
END_TEST

START_TEST(a_long_value_is_not_cut)
{
	struct buf text = BUF_INIT;

	buf_adds(&text, "[worker]\nmodules = ");
	while (text.len < 65000)
		buf_adds(&text, "/usr/lib/module.so ");
	buf_adds(&text, "end\nid = after\n");
	load(text.data);
	ck_assert_uint_gt(strlen(conf->worker.modules), 64900);
	ck_assert_str_eq(strrchr(conf->worker.modules, ' '), " end");
	ck_assert_str_eq(conf->worker.id, "after");
	buf_done(&text);
}
END_TEST

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
	const char *path = file_of("conf", text, strlen(text));
	char message[ERR_MSG_MAX];

	snprintf(message, sizeof(message), "%s%s", path, bad_files[_i].message);
	assert_refused(path, NULL, message);
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
	path = file_of("conf", text.data, text.len);
	snprintf(message, sizeof(message),
		 "%s:3: the line has 69990 bytes; at most 65997 are allowed",
		 path);
	assert_refused(path, NULL, message);
	buf_done(&text);
}
END_TEST

START_TEST(what_is_no_text_file_is_refused)
{
	static char huge[(1 << 20) + 2];
	const char *path;
	char message[256];

	path = file_of("conf", "[broker]\nurl = a\0b\n", 19);
	snprintf(message, sizeof(message),
		 "%s:2: NUL byte; a configuration file must be text", path);
	assert_refused(path, NULL, message);
	memset(huge, '\n', sizeof(huge));
	path = file_of("conf", huge, sizeof(huge));
	snprintf(message, sizeof(message),
		 "%s is larger than 1 MiB, the limit for a configuration file",
		 path);
	assert_refused(path, NULL, message);
	snprintf(message, sizeof(message), "%s is a directory; name a file",
		 dir);
	assert_refused(dir, NULL, message);
}
END_TEST

/* As the shell's <(command) gives one; it is read to its end. */
START_TEST(a_pipe_is_read_and_one_that_nobody_writes_to_is_not_waited_for)
{
	char path[128], message[256];
	int fd;

	snprintf(path, sizeof(path), "%s/pipe", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	snprintf(message, sizeof(message),
		 "%s has not ended within 5 s; name a file, or a pipe "
		 "that is written to and closed",
		 path);
	assert_refused(path, NULL, message);
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
	assert_refused("/no/such/file", NULL, "no such file: /no/such/file");
}
END_TEST

START_TEST(an_unreadable_file_is_refused)
{
	const char *path = file_of("conf", "", 0);
	char message[256];

	chmod(dir, 0755);
	chmod(path, 0);
	/* Root reads everything. */
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	snprintf(message, sizeof(message), "cannot open %s: Permission denied",
		 path);
	assert_refused(path, NULL, message);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(a_user_has_a_file_of_his_own)
{
	const char text[] = "[worker]\nid = mine\n";

	file_of("flowrra.conf", text, strlen(text));
	setenv("XDG_CONFIG_HOME", dir, 1);
	chmod(dir, 0755);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_msg(conf_load(NULL, NULL, &conf, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(conf->worker.id, "mine");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(an_error_in_the_environment_names_the_variable)
{
	const char *path = file_of("conf", "", 0);

	setenv("FLOWRRA_EXECUTOR_IO_WORKERS", "x", 1);
	assert_refused(path, NULL,
		       "variable FLOWRRA_EXECUTOR_IO_WORKERS = \"x\": not a "
		       "number; allowed: 1 to 1024");
	unsetenv("FLOWRRA_EXECUTOR_IO_WORKERS");
	setenv("FLOWRRA_BROKER_URL", "redis://:secret@h ;", 1);
	assert_refused(path, NULL,
		       "variable FLOWRRA_BROKER_URL: contains a semicolon "
		       "after a space, which would begin a comment");
}
END_TEST

START_TEST(an_error_in_a_credential_names_its_file)
{
	const char *path = file_of("broker.url", "redis://:se\ncret@h", 18);
	char message[256];

	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	snprintf(message, sizeof(message),
		 "credential %s: contains a control character", path);
	assert_refused("/dev/null", NULL, message);
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

	assert_refused("/dev/null", settings, bad_settings[_i].message);
}
END_TEST

START_TEST(a_secret_without_a_password_may_be_a_flag)
{
	static const char *const settings[] = {"broker.url=redis://h:6379/0",
					       "backend.url=", NULL};

	ck_assert_msg(conf_load("/dev/null", settings, &conf, &err) == 0, "%s",
		      err.msg);
	ck_assert_str_eq(conf->broker.url, "redis://h:6379/0");
}
END_TEST

static const char *const secrets[][2] = {
    {"", ""},
    {"redis://h:6379/0", "redis://h:6379/0"},
    {"redis://u@h:6379/0", "redis://***@h:6379/0"},
    {"unix://u@/run/s", "unix://***@/run/s"},
    {"postgresql://u@h/d", "postgresql://u@h/d"},
    {"postgresql://p@w@h/d", "postgresql://***@h/d"},
    {"postgresql://u:p@w@h/d", "postgresql://u:***@h/d"},
    {"mysql://u:p@w/x@h/d", "mysql://u:***@h/d"},
    {"redis://:pw@h:6379", "redis://:***@h:6379"},
    {"redis://u:pw@h", "redis://u:***@h"},
    {"redis://u:p@w/x:y@h", "redis://u:***@h"},
    {"u:pw@h", "u:***@h"},
    {"unix://:pw@/run/s?db=1", "unix://:***@/run/s?db=1"},
    {"postgresql://h/d?password=pw&x=1", "postgresql://h/d?password=***&x=1"},
    {"postgresql://u:pw@h/d?sslpassword=qw",
     "postgresql://u:***@h/d?sslpassword=***"},
    {"host=h PASSWORD=pw dbname=d", "host=h PASSWORD=*** dbname=d"},
    {"host=h password = pw x=1", "host=h password = *** x=1"},
    {"passwords password=pw", "passwords password=***"},
    {"host=h password='p w' x=1", "host=h password=***"},
    {"passwd=a password=b", "passwd=*** password=***"},
};

START_TEST(no_password_survives_masking)
{
	struct buf masked = BUF_INIT;

	conf_key_mask(secrets[_i][0], &masked);
	ck_assert_str_eq(masked.data ? masked.data : "", secrets[_i][1]);
	buf_done(&masked);
}
END_TEST

START_TEST(a_dump_is_a_file_that_gives_the_same_values)
{
	char *first, *second;

	load("[broker]\nurl = redis://u:sesame@h\nsocket_timeout = 1.000001\n"
	     "[backend]\nttl = 36h30s\n"
	     "[executor]\nretry_delay = 0\nmax_result_size = 1000\n"
	     "[scheduler]\nenabled = no\n[worker]\nlog_level = debug\n");
	first = dump(conf);
	ck_assert_ptr_null(strstr(first, "sesame"));
	ck_assert_ptr_nonnull(strstr(first, "url = redis://u:***@h\n"));
	ck_assert_ptr_nonnull(strstr(first, "socket_timeout = 1.000001\n"));
	ck_assert_ptr_nonnull(strstr(first, "ttl = 1d12h30s\n"));
	ck_assert_ptr_nonnull(strstr(first, "max_result_size = 1000\n"));
	ck_assert_ptr_nonnull(strstr(first, "max_task_size = 1m\n"));
	conf_free(conf);
	load(first);
	second = dump(conf);
	ck_assert_str_eq(first, second);
	free(first);
	free(second);
}
END_TEST

/* One of each kind that a test can have; the stronger ones last. */
START_TEST(each_value_says_where_it_comes_from)
{
	static const char *const settings[] = {"worker.queues=a", NULL};
	const char text[] = "[broker]\nurl = redis://h\nsocket_timeout = 4\n"
			    "[backend]\nttl = 2d\n[worker]\nqueues = b\n";
	const char *file = file_of("conf", text, sizeof(text) - 1);
	char *dumped = NULL, want[512];
	size_t len;
	FILE *out = open_memstream(&dumped, &len);

	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	setenv("FLOWRRA_BACKEND_TTL", "3d", 1);
	file_of("broker.url", "redis://u:p@other", 17);
	ck_assert_msg(conf_load(file_of("conf", text, sizeof(text) - 1),
				settings, &conf, &err) == 0,
		      "%s", err.msg);
	conf_dump(conf, true, out);
	fclose(out);
	snprintf(want, sizeof(want),
		 "[broker]\n# credential %s/broker.url\n"
		 "url = redis://u:***@other\nmax_connections = 50\n"
		 "# %s:3\nsocket_timeout = 4s\n",
		 dir, file);
	ck_assert_msg(strncmp(dumped, want, strlen(want)) == 0, "%s", dumped);
	ck_assert_ptr_nonnull(strstr(dumped, "\n# variable FLOWRRA_BACKEND_TTL"
					     "\nttl = 3d\n"));
	ck_assert_ptr_nonnull(
	    strstr(dumped, "\n# option -o worker.queues\nqueues = a\n"));
	free(dumped);
}
END_TEST

START_TEST(changes_that_need_a_restart_are_named)
{
	struct conf *old;
	char *names;

	load("");
	old = conf;
	load("[executor]\nio_workers = 9\n");
	ck_assert_ptr_null(conf_frozen_changes(old, conf));
	conf_free(conf);
	load("[executor]\nio_workers = 9\n[broker]\nurl = redis://h\n"
	     "[worker]\nid = w\n");
	names = conf_frozen_changes(old, conf);
	ck_assert_str_eq(names, "broker.url, worker.id");
	free(names);
	conf_free(old);
}
END_TEST

START_TEST(a_list_is_cut_at_blanks_and_commas)
{
	char **list = conf_list(" a,,bb ,\tc ");

	ck_assert_str_eq(list[0], "a");
	ck_assert_str_eq(list[1], "bb");
	ck_assert_str_eq(list[2], "c");
	ck_assert_ptr_null(list[3]);
	conf_list_free(list);
	list = conf_list(" , ");
	ck_assert_ptr_null(list[0]);
	conf_list_free(list);
	conf_list_free(NULL);
}
END_TEST

SUITE("conf")
{
	tcase_add_checked_fixture(suite_case_, setup, teardown);
	TEST(without_any_source_the_defaults_hold);
	TEST(a_file_sets_values_of_every_kind);
	TEST(the_stronger_source_wins);
	TEST(a_long_value_is_not_cut);
	TEST_LOOP(an_error_in_a_file_names_line_key_and_what_is_allowed, 0,
		  N(bad_files));
	TEST(a_line_that_is_too_long_is_refused_not_cut);
	TEST(what_is_no_text_file_is_refused);
	TEST(a_pipe_is_read_and_one_that_nobody_writes_to_is_not_waited_for);
	TEST(a_file_that_is_named_must_exist);
	TEST(an_unreadable_file_is_refused);
	TEST(a_user_has_a_file_of_his_own);
	TEST(an_error_in_the_environment_names_the_variable);
	TEST(an_error_in_a_credential_names_its_file);
	TEST_LOOP(an_error_in_a_flag_names_the_flag, 0, N(bad_settings));
	TEST(a_secret_without_a_password_may_be_a_flag);
	TEST_LOOP(no_password_survives_masking, 0, N(secrets));
	TEST(a_dump_is_a_file_that_gives_the_same_values);
	TEST(each_value_says_where_it_comes_from);
	TEST(changes_that_need_a_restart_are_named);
	TEST(a_list_is_cut_at_blanks_and_commas);
}
