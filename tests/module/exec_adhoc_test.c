/* SPDX-License-Identifier: MIT */
/*
 * exec.run, in a real executor: a command that nobody has declared runs as it was
 * submitted, and only while nobody else can write to the store it comes from.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/capture_read.h"
#include "executor/driver.h"
#include "suite.h"
#include "util/buf.h"

static struct driver d;
static char dir[64];

static const char *
in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
put_file(const char *name, mode_t mode)
{
	FILE *file = fopen(in_dir(name), "w");

	ck_assert_ptr_nonnull(file);
	fclose(file);
	ck_assert_int_eq(chmod(in_dir(name), mode), 0);
}

/* An executor that runs the commands of a database, which is a file of ours. */
static void
begin(void)
{
	const struct ipc_init init = {IPC_VERSION, 1, 1, 65536};
	struct buf json = BUF_INIT;
	struct slice rest;

	strcpy(dir, "/tmp/flowrra-adhoc-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	put_file("s.db", 0600);
	buf_addf(&json,
		 "{\"modules\":[\"%s/lib/flowrra/exec.so\"],\"config\":{"
		 "\"exec\":{\"kill_grace\":4,\"max_result_size\":1000,"
		 "\"tasks\":{},\"adhoc\":\"%s/s.db\",\"captures\":{\"dir\":"
		 "\"%s/output\",\"max\":1000000,\"total\":1000000,"
		 "\"keep\":1000}}}}",
		 getenv("BUILD_DIR"), dir, dir);
	driver_spawn(&d);
	rest = (struct slice){json.data, json.len};
	ipc_put(&d.channel.out, IPC_INIT, 0, &init, &rest, 1);
	buf_done(&json);
	driver_flush(&d);
	driver_expect(&d, IPC_READY);
}

static void
end(void)
{
	char command[128];

	driver_stop(&d);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

/* The keyword arguments have ' for ". */
static struct driver_end
run(const char *kwargs)
{
	struct driver_task task = {.number = 1, .name = "exec.run"};
	char *json = strdup(kwargs), *p;
	struct driver_end ended;

	ck_assert_ptr_nonnull(json);
	for (p = json; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	task.kwargs = json;
	driver_put(&d, &task);
	driver_flush(&d);
	ended = driver_end(&d);
	free(json);
	return ended;
}

/* What it has printed, as it is kept. */
static const char *
printed(void)
{
	static char text[4096];
	struct capture_reader *reader = capture_reader_new(
	    in_dir("output"), "8fb37713-716f-438c-884e-c73492692d08", 1);
	struct capture_record r;
	size_t len = 0;

	ck_assert_ptr_nonnull(reader);
	while (capture_next(reader, &r, NULL) == 1)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s",
					(int)r.bytes.len, r.bytes.p);
	text[len] = '\0';
	capture_reader_free(reader);
	return text;
}

/* --- what runs ------------------------------------------------------------ */

static const struct {
	const char *kwargs;
	enum ipc_outcome outcome;
	const char *text; /* a part of it */
} commands[] = {
    {"{'argv':['echo','a b','{0}','$HOME','']}", IPC_SUCCESS,
     "a b {0} $HOME \n"},
    {"{'argv':['printf','%s',{'base64':'Yf9i'}]}", IPC_SUCCESS,
     "a\xff"
     "b"},
    {"{'argv':['pwd'],'cwd':'/usr'}", IPC_SUCCESS, "/usr\n"},
    {"{'argv':['/bin/sh','-c','umask'],'umask':'027'}", IPC_SUCCESS, "0027\n"},
    {"{'argv':['/bin/sh','-c','umask'],'umask':'0'}", IPC_SUCCESS, "0000\n"},
    {"{'argv':['sh','-c','echo $A,$B'],'env':{'A':'x y','B':''}}", IPC_SUCCESS,
     "x y,\n"},
    /* The submitter's environment, and nothing of the worker's. */
    {"{'argv':['/usr/bin/env'],'env':{'FLOWRRA_TASK_ID':'mine'}}", IPC_SUCCESS,
     "FLOWRRA_TASK_ID=8fb37713-716f-438c-884e-c73492692d08\nFLOWRRA_TASK_NAME="
     "exec.run\nFLOWRRA_TASK_ATTEMPT=1\n"},
    {"{'argv':['cat']}", IPC_SUCCESS, ""},
    {"{'argv':['cat'],'stdin':'two\\nlines'}", IPC_SUCCESS, "two\nlines"},
    {"{'argv':['head','-c','4'],'stdin_file':'/proc/self/stat'}", IPC_SUCCESS,
     ""},
    {"{'argv':['mine'],'env':{'PATH':'/nowhere'}}", IPC_FAILED, "mine"},
    {"{'argv':['false']}", IPC_FAILED, "exit code 1"},
    {"{'argv':['sh','-c','exit 64']}", IPC_FAILED, "exit code 64"},
    {"{'argv':['true'],'cwd':'/nowhere/at/all'}", IPC_FAILED,
     "could not enter its working directory"},
    /* What makes no command. */
    {"{}", IPC_FAILED_FINAL, "argv is not a list of words"},
    {"{'argv':[]}", IPC_FAILED_FINAL, "argv is not a list of words"},
    {"{'argv':'ls'}", IPC_FAILED_FINAL, "argv is not a list of words"},
    {"{'argv':['ls',5]}", IPC_FAILED_FINAL, "argv: a word is a string"},
    {"{'argv':['']}", IPC_FAILED_FINAL, "the program's name is empty"},
    {"{'argv':['echo',{'base64':'YQBi'}]}", IPC_FAILED_FINAL, "a NUL in it"},
    {"{'argv':['pwd'],'cwd':'usr'}", IPC_FAILED_FINAL,
     "cwd is not an absolute path"},
    {"{'argv':['pwd'],'cwd':[]}", IPC_FAILED_FINAL, "cwd: a word is a string"},
    {"{'argv':['pwd'],'umask':18}", IPC_FAILED_FINAL, "umask is not"},
    {"{'argv':['pwd'],'umask':'1000'}", IPC_FAILED_FINAL, "umask is not"},
    {"{'argv':['pwd'],'umask':'-1'}", IPC_FAILED_FINAL, "umask is not"},
    {"{'argv':['pwd'],'env':['A=b']}", IPC_FAILED_FINAL,
     "env is not an object"},
    {"{'argv':['pwd'],'env':{'A=B':'c'}}", IPC_FAILED_FINAL,
     "\"A=B\" is not the name of a variable"},
    {"{'argv':['pwd'],'env':{'A':{}}}", IPC_FAILED_FINAL,
     "A: a word is a string"},
    {"{'argv':['cat'],'lock':7}", IPC_FAILED_FINAL, "lock: a word is"},
    {"{'argv':['cat'],'stdin':7}", IPC_FAILED_FINAL, "stdin: a word is"},
    {"{'argv':['cat'],'stdin_file':'x'}", IPC_FAILED_FINAL,
     "stdin_file is not an absolute path"},
    {"{'argv':['cat'],'stdin_file':'/x','stdin':''}", IPC_FAILED_FINAL,
     "both stdin and stdin_file"},
    {"{'argv':['cat'],'stdin_file':'/nowhere/at/all'}", IPC_FAILED,
     "cannot open /nowhere/at/all for standard input"},
};

START_TEST(a_command_runs_as_it_was_submitted)
{
	struct driver_end ended;

	begin();
	ended = run(commands[_i].kwargs);
	ck_assert_msg(ended.done.outcome == commands[_i].outcome, "%s: %s",
		      commands[_i].kwargs, ended.text);
	if (ended.done.outcome == IPC_SUCCESS)
		ck_assert_msg(strstr(printed(), commands[_i].text) != NULL,
			      "%s: %s", commands[_i].kwargs, printed());
	else
		ck_assert_msg(strstr(ended.text, commands[_i].text) != NULL,
			      "%s: %s", commands[_i].kwargs, ended.text);
	end();
}
END_TEST

/* --- who may ---------------------------------------------------------------- */

/* Each makes the store another's to write, and puts that right. */
static void
group_file(bool wrong)
{
	chmod(in_dir("s.db"), wrong ? 0660 : 0600);
}

static void
open_file(bool wrong)
{
	chmod(in_dir("s.db"), wrong ? 0602 : 0644);
}

static void
group_directory(bool wrong)
{
	chmod(dir, wrong ? 0770 : 0755);
}

/* Also one that is sticky: others could make the log of the database in it. */
static void
open_directory(bool wrong)
{
	chmod(dir, wrong ? 01777 : 0700);
}

static void
open_log(bool wrong)
{
	if (wrong)
		put_file("s.db-wal", 0622);
	else
		unlink(in_dir("s.db-wal"));
}

static void
group_index(bool wrong)
{
	if (wrong)
		put_file("s.db-shm", 0660);
	else
		unlink(in_dir("s.db-shm"));
}

static void
open_journal(bool wrong)
{
	if (wrong)
		put_file("s.db-journal", 0666);
	else
		unlink(in_dir("s.db-journal"));
}

static void
linked_elsewhere(bool wrong)
{
	char target[128];

	snprintf(target, sizeof(target), "%s/open", dir);
	if (wrong) {
		ck_assert_int_eq(mkdir(target, 0777), 0);
		chmod(target, 0777);
		put_file("open/s.db", 0600);
		unlink(in_dir("s.db"));
		snprintf(target, sizeof(target), "%s/open/s.db", dir);
		ck_assert_int_eq(symlink(target, in_dir("s.db")), 0);
	} else {
		unlink(in_dir("s.db"));
		put_file("s.db", 0600);
	}
}

static void
foreign_file(bool wrong)
{
	ck_assert_int_eq(chown(in_dir("s.db"), wrong ? 65534 : 0, 0), 0);
}

static void
foreign_directory(bool wrong)
{
	ck_assert_int_eq(chown(dir, wrong ? 65534 : 0, 0), 0);
}

static void
gone(bool wrong)
{
	if (wrong)
		unlink(in_dir("s.db"));
	else
		put_file("s.db", 0600);
}

static const struct {
	void (*set)(bool wrong);
	const char *text;
	bool root; /* only root can make it so */
} stores[] = {
    {group_file, "s.db is writable by its group", false},
    {open_file, "s.db is writable by every user", false},
    {group_directory, "writable by its group", false},
    {open_directory, "writable by every user", false},
    {open_log, "s.db-wal is writable by every user", false},
    {group_index, "s.db-shm is writable by its group", false},
    {open_journal, "s.db-journal is writable by every user", false},
    {linked_elsewhere, "open is writable by every user", false},
    {gone, "cannot find it", false},
    {foreign_file, "65534", true},
    {foreign_directory, "65534", true},
};

/* Judged before each command: the executor has long been up. */
START_TEST(a_store_that_others_can_change_starts_no_command)
{
	struct driver_end ended;
	char kwargs[256];

	if (stores[_i].root && geteuid() != 0)
		return;
	begin();
	snprintf(kwargs, sizeof(kwargs), "{'argv':['touch','%s']}",
		 in_dir("mark"));
	stores[_i].set(true);
	ended = run(kwargs);
	ck_assert_int_eq(ended.done.outcome, IPC_FAILED_FINAL);
	ck_assert_msg(strstr(ended.text, stores[_i].text) != NULL, "%s",
		      ended.text);
	ck_assert_int_ne(access(in_dir("mark"), F_OK), 0);
	/* The same command is run once that is put right. */
	stores[_i].set(false);
	ended = run(kwargs);
	ck_assert_msg(ended.done.outcome == IPC_SUCCESS, "%s", ended.text);
	ck_assert_int_eq(access(in_dir("mark"), F_OK), 0);
	end();
}
END_TEST

SUITE("module-exec-adhoc")
{
	TEST_LOOP(a_command_runs_as_it_was_submitted, 0,
		  sizeof(commands) / sizeof(commands[0]));
	TEST_LOOP(a_store_that_others_can_change_starts_no_command, 0,
		  sizeof(stores) / sizeof(stores[0]));
}
