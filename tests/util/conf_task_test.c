/* SPDX-License-Identifier: MIT */
/* Tasks that the configuration declares: sections [task NAME]. */
#include "util/conf_task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "suite.h"
#include "util/conf.h"
#include "util/conf_file.h"
#include "util/conf_key.h"
#include "util/err.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

static struct conf *
load(const char *text)
{
	struct err err = ERR_INIT;
	struct conf *conf = NULL;
	char path[64];
	int fd = memfd_create("conf", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ck_assert_msg(conf_load(path, NULL, &conf, &err) == 0, "%s", err.msg);
	close(fd);
	return conf;
}

START_TEST(a_section_declares_a_task)
{
	struct conf *conf = load("[task backup]\n"
				 "command = /bin/backup --to {0} {path}\n"
				 "environment = A=1\n"
				 "timeout = 1h30m\n"
				 "arguments = text\n"
				 "environment = B=\"2 3\" C={0}\n"
				 "max_retries = 7\n"
				 "cpu_bound = yes\n"
				 "concurrency = 3\n"
				 "rate = 100/1m\n"
				 "burst = 5\n"
				 "group = kwargs.host\n"
				 "final_exit_codes = 1, 255\n"
				 "[worker]\n"
				 "id = a:b\n"
				 "[task \t next] ; comment\n"
				 "command = true\n");
	const struct conf_task *t;
	bool codes[CONF_N_CODES];

	ck_assert_uint_eq(conf->n_tasks, 2);
	t = conf->tasks[0];
	ck_assert_str_eq(t->name, "backup");
	ck_assert_str_eq(t->command, "/bin/backup --to {0} {path}");
	ck_assert_str_eq(t->environment, "A=1 B=\"2 3\" C={0}");
	ck_assert_int_eq(t->timeout, INT64_C(5400000000));
	ck_assert_int_eq(t->max_retries, 7);
	ck_assert(t->cpu_bound);
	ck_assert_int_eq(t->concurrency, 3);
	ck_assert_str_eq(t->rate, "100/1m");
	ck_assert_int_eq(t->burst, 5);
	ck_assert_str_eq(t->group, "kwargs.host");
	ck_assert(conf_task_has_limit(t));
	ck_assert_str_eq(t->arguments, "text");
	ck_assert_int_eq(conf_task_codes(t->final_exit_codes, codes, NULL), 0);
	ck_assert(codes[1] && codes[255] && !codes[64]);
	ck_assert_str_eq(conf->worker.id, "a:b");
	t = conf->tasks[1];
	ck_assert_str_eq(t->name, "next");
	ck_assert_str_eq(t->directory, "");
	ck_assert_str_eq(t->arguments, "json");
	ck_assert_str_eq(t->user, "");
	ck_assert_str_eq(t->queue, "");
	ck_assert_int_eq(t->timeout, 0);
	ck_assert_int_eq(t->max_retries, -1);
	ck_assert_int_eq(t->retry_delay, -1);
	ck_assert_int_eq(t->retry_backoff, 1);
	ck_assert_str_eq(t->final_exit_codes, "64 65");
	ck_assert(!t->cpu_bound);
	ck_assert(!conf_task_has_limit(t));
	conf_free(conf);
}
END_TEST

START_TEST(a_long_name_is_not_cut)
{
	struct conf *conf;
	char text[300], name[201];

	memset(name, 'n', 200);
	name[200] = '\0';
	snprintf(text, sizeof(text), "[task %s]\ncommand = true\n", name);
	conf = load(text);
	ck_assert_str_eq(conf->tasks[0]->name, name);
	conf_free(conf);
}
END_TEST

static char *
dump(const struct conf *conf)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	conf_dump(conf, false, out);
	fclose(out);
	return text;
}

START_TEST(a_dump_declares_the_same_tasks)
{
	struct conf *conf = load("[task b]\ncommand = sh -c 'a; b' \"{0}\"\n"
				 "environment = A=1\nenvironment = B=2\n"
				 "retry_delay = 1.5\nuser = nobody\n"
				 "[task a]\ncommand = true\n");
	char *once = dump(conf), *twice;

	ck_assert_ptr_nonnull(strstr(once, "[task b]\ncommand = sh -c"));
	ck_assert_ptr_nonnull(strstr(once, "environment = A=1 B=2\n"));
	ck_assert_ptr_nonnull(strstr(once, "retry_delay = 1s500ms\n"));
	ck_assert_ptr_nonnull(strstr(once, "max_retries = \n"));
	conf_free(conf);
	conf = load(once);
	twice = dump(conf);
	ck_assert_str_eq(once, twice);
	free(once);
	free(twice);
	conf_free(conf);
}
END_TEST

#define IN_TASK(line) "[task t]\ncommand = true\n" line

/* What is wrong in a file, and what the message says behind the file's name. */
static const struct {
	const char *text;
	const char *message;
} bad_files[] = {
    {"[task]\ncommand = true",
     ":1: unknown section [task]; declare a task in the configuration file"},
    {"[tasks a]\ncommand = true",
     ":1: unknown section [tasks a]; declare a task in the configuration"},
    {"[task ]\ncommand = true", ":1: \"\" is not a valid task name"},
    {"[task a b]\ncommand = true", ":1: \"a b\" is not a valid task name"},
    {"[task exec.run]\ncommand = true",
     ":1: the name exec.run is taken by the task of flowrractl run"},
    {"[task a/b]\ncommand = true", ":1: \"a/b\" is not a valid task name"},
    {"[task a]\n[worker]\n",
     ":2: [task a] in line 1 lacks a command; add command = "},
    {"[task a]\n\ntimeout = 1\n\n", ":4: [task a] in line 1 lacks a command"},
    {"[task a]\ncommand = true\n[task b]\ncommand = true\n[task a]\n",
     ":5: section [task a] is given twice; the first is at f:1"},
    {IN_TASK("comand = x"),
     ":3: [task t]: unknown key \"comand\"; did you mean \"command\"?"},
    {IN_TASK("nonsense_entirely = x"),
     ":3: [task t]: unknown key \"nonsense_entirely\"; flowrra.conf(5) lists"},
    {IN_TASK("command = x"),
     ":3: [task t] command is given twice; the first is in line 2"},
    {IN_TASK("timeout = soon"),
     ":3: [task t] timeout = \"soon\": not a duration such as 90 or 1h30m"},
    {IN_TASK("timeout ="), ":3: [task t] timeout = \"\": not a duration"},
    {IN_TASK("max_retries = -1"),
     ":3: [task t] max_retries = \"-1\": not a number; allowed: 0 to 1000000"},
    {IN_TASK("cpu_bound = maybe"), ":3: [task t] cpu_bound = \"maybe\": "},
    {IN_TASK("concurrency = many"),
     ":3: [task t] concurrency = \"many\": not a number; allowed: 0 to "
     "1000000"},
    {IN_TASK("rate = 100"),
     ":3: [task t] rate = \"100\": not a rate such as 100/1m; allowed: 1 to "
     "1000000 in up to 31 days"},
    {IN_TASK("rate = 0/1s"), ":3: [task t] rate = \"0/1s\": not a rate"},
    {IN_TASK("rate = 1/32d"), ":3: [task t] rate = \"1/32d\": not a rate"},
    {IN_TASK("group = host"),
     ":3: [task t] group = \"host\": not kwargs.NAME or args.NUMBER"},
    {IN_TASK("group = kwargs.a..b"),
     ":3: [task t] group = \"kwargs.a..b\": not kwargs.NAME"},
    {IN_TASK("directory = here"),
     ":3: [task t] directory = \"here\": the directory must begin with \"/\""},
    {IN_TASK("user = a b"),
     ":3: [task t] user = \"a b\": not a valid user name"},
    {IN_TASK("queue = a b"),
     ":3: [task t] queue = \"a b\": \"a b\" is not a valid queue name"},
    {IN_TASK("arguments = yes"),
     ":3: [task t] arguments = \"yes\": \"yes\" is not json or text"},
    {IN_TASK("final_exit_codes = 0"),
     ":3: [task t] final_exit_codes = \"0\": \"0\" is not the exit code of a "
     "failure"},
    {IN_TASK("final_exit_codes = 64 256"),
     ":3: [task t] final_exit_codes = \"64 256\": \"256\" is not the exit "
     "code"},
    {IN_TASK("final_exit_codes = 66-64"),
     ":3: [task t] final_exit_codes = \"66-64\": \"66-64\" is not the exit "
     "code"},
    {IN_TASK("final_exit_codes = 64-256"),
     ":3: [task t] final_exit_codes = \"64-256\": \"64-256\" is not the exit "
     "code"},
    {IN_TASK("retry_exit_codes = 1-"),
     ":3: [task t] retry_exit_codes = \"1-\": \"1-\" is not the exit code"},
    {IN_TASK("success_exit_codes = 0 -5"),
     ":3: [task t] success_exit_codes = \"0 -5\": \"-5\" is not the exit code "
     "of a command"},
    {IN_TASK("output = xml"), ":3: [task t] output = \"xml\": \"xml\" is not "
			      "auto, text, json or none"},
    {IN_TASK("description = \xff"), ":3: [task t] description = \"\xff\": is "
				    "not UTF-8"},
    {IN_TASK("environment = A B=1"),
     ":3: [task t] environment = \"A B=1\": word 1 is not NAME=VALUE"},
    {IN_TASK("environment = A=1 2B=1"),
     ":3: [task t] environment = \"A=1 2B=1\": word 2 is not NAME=VALUE"},
    {IN_TASK("environment = {0}=1"), ":3: [task t] environment = \"{0}=1\": "
				     "word 1 is not NAME=VALUE"},
    {IN_TASK("environment = A=1\nenvironment = B=2 A=3"),
     ":4: [task t] environment = \"B=2 A=3\": A is given twice"},
    {"[task t]\ncommand =", ":2: [task t] command = \"\": "},
    {"[task t]\ncommand = ''",
     ":2: [task t] command = \"''\": must name a program"},
    {"[task t]\ncommand = {0} x",
     ":2: [task t] command = \"{0} x\": the first word, the program, must not "
     "contain an argument"},
    {"[task t]\ncommand = /bin/{0}", ":2: [task t] command = \"/bin/{0}\": the "
				     "first word, the program, must not"},
    {"[task t]\ncommand = a | b", ":2: [task t] command = \"a | b\": column 3: "
				  "\"|\" has no special meaning"},
    {"[task t]\ncommand = sh -c 'a ; b'",
     ":2: [task t] command = \"sh -c 'a\": column 7: missing closing ' (in a "
     "configuration file, \" ;\" begins a comment"},
    {"[task t]\ncommand = sh -c \"rm {0}\"",
     ":2: [task t] command = \"sh -c \"rm {0}\"\": an argument inside a script "
     "would run as part of it; pass it after"},
    {"[task t]\ncommand = sh -c -e \"rm {0}\"",
     ":2: [task t] command = \"sh -c -e \"rm {0}\"\": an argument inside a "
     "script"},
    {"[task t]\ncommand = sh -c - {0}",
     ":2: [task t] command = \"sh -c - {0}\": an argument inside a script"},
    {"[task t]\ncommand = sh -c -o nounset -- {0}",
     ":2: [task t] command = \"sh -c -o nounset -- {0}\": an argument inside a "
     "script"},
    {"[task t]\ncommand = /usr/bin/env /bin/bash -ec {script}",
     ":2: [task t] command = \"/usr/bin/env /bin/bash -ec {script}\": an "
     "argument inside a script"},
};

START_TEST(an_error_in_a_section_names_line_key_and_remedy)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	struct err err = ERR_INIT;

	ck_assert_int_eq(conf_file_parse("f", bad_files[_i].text, conf, &err),
			 -1);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_msg(err.msg[0] == 'f' &&
			  strncmp(err.msg + 1, bad_files[_i].message,
				  strlen(bad_files[_i].message)) == 0,
		      "%s", err.msg);
	conf_free(conf);
}
END_TEST

static const char *const good_commands[] = {
    "sh -c 'zcat \"$1\"' sh {0}",
    "sh {0} -c",
    "bash script {0}",
    "env sh -x /script {0}",
    "python3 -c 'x' {0}",
    "sh -c -eo nounset -- 'rm \"$1\"' sh {0}",
};

START_TEST(an_argument_behind_a_script_is_fine)
{
	char text[200];

	snprintf(text, sizeof(text), "[task t]\ncommand = %s\n",
		 good_commands[_i]);
	conf_free(load(text));
}
END_TEST

START_TEST(the_environment_for_others_has_no_urls)
{
	char **list;
	size_t i;

	setenv("FLOWRRA_BROKER_URL", "redis://:geheim@h", 1);
	setenv("FLOWRRA_BACKEND_URL", "redis://:geheim@h", 1);
	setenv("FLOWRRA_SCHEDULER_DATABASE_URL", "postgresql://u:geheim@h", 1);
	setenv("CREDENTIALS_DIRECTORY", "/run/geheim", 1);
	setenv("FLOWRRA_BACKEND_TTL", "5", 1);
	setenv("MY_URL", "1", 1);
	list = conf_public_environment();
	for (i = 0; list[i] != NULL; i++)
		ck_assert_msg(strstr(list[i], "geheim") == NULL, "%s", list[i]);
	for (i = 0; strcmp(list[i], "MY_URL=1") != 0; i++)
		ck_assert_ptr_nonnull(list[i]);
	for (i = 0; strcmp(list[i], "FLOWRRA_BACKEND_TTL=5") != 0; i++)
		ck_assert_ptr_nonnull(list[i]);
	free(list);
}
END_TEST

SUITE("conf_task")
{
	TEST(a_section_declares_a_task);
	TEST(a_long_name_is_not_cut);
	TEST(a_dump_declares_the_same_tasks);
	TEST_LOOP(an_error_in_a_section_names_line_key_and_remedy, 0,
		  N(bad_files));
	TEST_LOOP(an_argument_behind_a_script_is_fine, 0, N(good_commands));
	TEST(the_environment_for_others_has_no_urls);
}
