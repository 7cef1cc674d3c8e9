/* SPDX-License-Identifier: MIT */
/* The module exec, in a real executor: what becomes of declared commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "executor/driver.h"
#include "suite.h"
#include "util/buf.h"
#include "util/err.h"

static struct driver d;

/* Starts an executor with the module alone and these declarations: the members
 * of "tasks", with ' for ". */
static void
declare(const char *tasks)
{
	const struct ipc_init init = {IPC_VERSION, 1, 1, 65536};
	struct buf json = BUF_INIT;
	struct ipc_message m;
	struct slice rest;
	char *p;

	buf_addf(&json,
		 "{'modules':['%s/lib/flowrra/exec.so'],'config':{'exec':"
		 "{'kill_grace':4,'max_result_size':1000,'tasks':{%s}}}}",
		 getenv("BUILD_DIR"), tasks);
	for (p = json.data; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	driver_spawn(&d);
	rest = (struct slice){json.data, json.len};
	ipc_put(&d.channel.out, IPC_INIT, 0, &init, &rest, 1);
	buf_done(&json);
	driver_flush(&d);
	m = driver_expect(&d, IPC_READY);
	d.ready = strndup(m.rest.p, m.rest.len);
}

/* The end of a task; what it logs before is not looked at. */
static struct driver_end
end_of(const struct driver_task *task)
{
	struct driver_end end = {.number = task->number};
	struct ipc_message m;

	driver_put(&d, task);
	driver_flush(&d);
	do
		m = driver_next(&d);
	while (m.type == IPC_LOG || m.type == IPC_STARTED);
	ck_assert_int_eq(m.type, IPC_DONE);
	memcpy(&end.done, m.fixed, sizeof(end.done));
	snprintf(end.text, sizeof(end.text), "%.*s", (int)m.rest.len, m.rest.p);
	return end;
}

/* --- output and exit codes ----------------------------------------------- */

/* One task "t", which runs sh -c SCRIPT. */
static const struct {
	const char *script;
	enum ipc_outcome outcome;
	const char *text; /* a part of it */
} scripts[] = {
    {"true", IPC_SUCCESS, "null"},
    {"echo 5", IPC_SUCCESS, "5"},
    {"echo [1, 2.5]", IPC_SUCCESS, "[1,2.5]"},
    {"echo two words; echo", IPC_SUCCESS, "\"two words\\n\""},
    {"printf %b a\\\\\\\\\\\\\\\\0377b", IPC_SUCCESS,
     "\"a\xef\xbf\xbd"
     "b\""},
    {"yes [ | head -n 400", IPC_SUCCESS, "\"[\\n["},
    {"exit 3", IPC_FAILED, "exit code 3"},
    {"echo why >&2; exit 3", IPC_FAILED, "exit code 3: why"},
    {"seq 12 >&2; exit 1", IPC_FAILED, "exit code 1: 3\n4\n5"},
    {"kill -9 $$", IPC_FAILED, "killed by SIGKILL"},
    {"kill -40 $$", IPC_FAILED, "killed by signal 40"},
    /* Those are final by default: the same again would end the same. */
    {"exit 64", IPC_FAILED_FINAL, "exit code 64"},
    {"exit 65", IPC_FAILED_FINAL, "exit code 65"},
    {"exit 64", IPC_FAILED_FINAL, "exit code 64"},
};

START_TEST(what_a_command_prints_and_its_exit_code_are_the_outcome)
{
	const struct driver_task task = {.number = 1, .name = "t"};
	struct driver_end end;
	char tasks[256];

	snprintf(tasks, sizeof(tasks),
		 "'t':{'command':'/bin/sh -c \\'%s\\'%s'}", scripts[_i].script,
		 _i % 2 ? "" : " sh");
	declare(tasks);
	end = end_of(&task);
	ck_assert_msg(end.done.outcome == scripts[_i].outcome &&
			  strstr(end.text, scripts[_i].text) != NULL,
		      "%s: %s", scripts[_i].script, end.text);
	driver_stop(&d);
}
END_TEST

/* --- the keys on output and exit codes ------------------------------------ */

static const struct {
	const char *script, *keys;
	enum ipc_outcome outcome;
	const char *text; /* a part of it */
	int exited, signal;
	int64_t printed; /* if not all of it is there */
} kept[] = {
    /* Too long a text is cut so that its JSON fits, and says by how much. */
    {"seq 1000", "", IPC_SUCCESS, "\"1\\n2\\n3", 1, 0, 3893},
    {"yes | head -c 2000", "", IPC_SUCCESS, "\"y\\ny", 1, 0, 2000},
    {"head -c 2000 /dev/zero", "'output':'text'", IPC_SUCCESS, "\"\xef\xbf\xbd",
     1, 0, 2000},
    {"seq 1000", "'output':'json'", IPC_FAILED_FINAL,
     "it succeeded, but wrote more to standard output than a result may "
     "have",
     1, 0, 0},
    {"echo nope", "'output':'json'", IPC_FAILED_FINAL,
     "what it wrote to standard output is not JSON", 1, 0, 0},
    {"echo 1.10", "'output':'json'", IPC_SUCCESS, "1.10", 1, 0, 0},
    {"true", "'output':'json'", IPC_SUCCESS, "null", 1, 0, 0},
    {"echo 1.10", "'output':'text'", IPC_SUCCESS, "\"1.10\"", 1, 0, 0},
    {"seq 1000", "'output':'none'", IPC_SUCCESS, "null", 1, 0, 0},
    {"exit 24", "'success_exit_codes':'0 20-30'", IPC_SUCCESS, "null", 25, 0,
     0},
    {"exit 0", "'success_exit_codes':'1'", IPC_FAILED, "exit code 0", 1, 0, 0},
    {"exit 75", "'retry_exit_codes':'75 100-119'", IPC_FAILED, "exit code 75",
     76, 0, 0},
    {"exit 110", "'retry_exit_codes':'75 100-119'", IPC_FAILED, "exit code 110",
     111, 0, 0},
    {"exit 1", "'retry_exit_codes':'75 100-119'", IPC_FAILED_FINAL,
     "exit code 1", 2, 0, 0},
    {"kill -9 $$", "'retry_exit_codes':'75'", IPC_FAILED, "killed by SIGKILL",
     0, 9, 0},
};

/* What is there and what is missing is all. A last line break is not there, and a
 * byte that is not UTF-8 has become three. */
static void
check_cut(const struct driver_end *end, int64_t printed)
{
	json_t *text = json_loads(end->text, JSON_DECODE_ANY, NULL);
	const char *p = json_string_value(text);
	int64_t there = 0;

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_le(strlen(end->text), 1000);
	ck_assert_uint_gt(strlen(end->text), 950);
	for (; *p != '\0'; p++)
		there += ((unsigned char)*p & 0xc0) != 0x80;
	ck_assert(there + end->done.truncated == printed ||
		  there + end->done.truncated == printed - 1);
	json_decref(text);
}

START_TEST(output_and_exit_codes_are_what_the_keys_say)
{
	const struct driver_task task = {.number = 1, .name = "t"};
	struct driver_end end;
	char tasks[512];

	snprintf(tasks, sizeof(tasks),
		 "'t':{'command':'/bin/sh -c \\'%s\\''%s%s}", kept[_i].script,
		 *kept[_i].keys ? "," : "", kept[_i].keys);
	declare(tasks);
	end = end_of(&task);
	ck_assert_msg(end.done.outcome == kept[_i].outcome &&
			  strstr(end.text, kept[_i].text) != NULL,
		      "%s %s: %s", kept[_i].script, kept[_i].keys, end.text);
	ck_assert_int_eq(end.done.exited, kept[_i].exited);
	ck_assert_int_eq(end.done.signal, kept[_i].signal);
	if (kept[_i].printed == 0)
		ck_assert_int_eq(end.done.truncated, 0);
	else
		check_cut(&end, kept[_i].printed);
	driver_stop(&d);
}
END_TEST

START_TEST(a_cpu_bound_command_ends_as_another)
{
	const struct driver_task good = {.number = 1, .name = "good"},
				 bad = {.number = 2, .name = "bad"};
	struct driver_end end;

	declare("'good':{'command':'echo 7','cpu_bound':'yes'},"
		"'bad':{'command':'false','cpu_bound':'yes',"
		"'final_exit_codes':'1'}");
	ck_assert_str_eq(end_of(&good).text, "7");
	end = end_of(&bad);
	ck_assert_str_eq(end.text, "exit code 1");
	ck_assert_uint_eq(end.done.outcome, IPC_FAILED_FINAL);
	driver_stop(&d);
}
END_TEST

/* --- arguments ----------------------------------------------------------- */

static const struct {
	struct driver_task task;
	enum ipc_outcome outcome;
	const char *text; /* a part of it */
} lines[] = {
    {{.name = "line", .args = "[\"a b;c\"]", .kwargs = "{\"k\":{\"x\":[1]}}"},
     IPC_SUCCESS,
     "\"<a b;c>\\n<k={\\\"x\\\":[1]}>"},
    {{.name = "line", .args = "[true]", .kwargs = "{\"k\":null}"},
     IPC_SUCCESS,
     "\"<true>\\n<k=null>\""},
    {{.name = "line", .args = "[]", .kwargs = "{\"k\":1}"},
     IPC_FAILED_FINAL,
     "the task lacks the argument {0} (counted from 0), which its command "
     "needs"},
    {{.name = "line", .args = "[1]"},
     IPC_FAILED_FINAL,
     "the task lacks the keyword argument \"k\", which its command needs"},
    {{.name = "line", .args = "[\"a\\u0000b\"]", .kwargs = "{\"k\":1}"},
     IPC_FAILED_FINAL,
     "args cannot be read"},
    {{.name = "environment", .args = "[\"x y\"]", .attempt = 2},
     IPC_SUCCESS,
     "\"8fb37713-716f-438c-884e-c73492692d08 environment 2 x y\""},
    {{.name = "input", .args = "[1,\"\xc3\xa9\"]", .kwargs = "{\"k\":2}"},
     IPC_SUCCESS,
     "{\"id\":\"8fb37713-716f-438c-884e-c73492692d08\",\"name\":\"input\","
     "\"args\":[1,\"\xc3\xa9\"],\"kwargs\":{\"k\":2},\"attempt\":1,"
     "\"max_attempts\":4,\"time_left\":null}"},
    {{.name = "directory"}, IPC_SUCCESS, "\"/usr\""},
    {{.name = "nowhere"},
     IPC_FAILED,
     "cannot start pwd: could not enter its working directory"},
    {{.name = "nothing"}, IPC_FAILED, "no-such-program"},
};

START_TEST(a_command_finds_its_arguments_and_surroundings)
{
	struct driver_task task = lines[_i].task;
	struct driver_end end;

	declare("'line':{'command':'printf \\'<%s>\\\\\\\\n\\' {0} k={k}'},"
		"'environment':{'command':'/bin/sh -c \\'echo "
		"$FLOWRRA_TASK_ID $FLOWRRA_TASK_NAME $FLOWRRA_TASK_ATTEMPT "
		"$MINE\\'','environment':'MINE={0}'},"
		"'input':{'command':'cat'},"
		"'directory':{'command':'pwd','directory':'/usr'},"
		"'nowhere':{'command':'pwd','directory':'/nowhere/at/all'},"
		"'nothing':{'command':'no-such-program'}");
	task.number = 1;
	end = end_of(&task);
	ck_assert_msg(end.done.outcome == lines[_i].outcome &&
			  strstr(end.text, lines[_i].text) != NULL,
		      "%s: %s", task.name, end.text);
	driver_stop(&d);
}
END_TEST

START_TEST(standard_error_is_logged_line_by_line)
{
	const struct driver_task task = {.number = 1, .name = "t"};
	struct ipc_message m;

	declare("'t':{'command':'/bin/sh -c \\'echo one >&2; echo two "
		">&2\\''}");
	driver_put(&d, &task);
	driver_flush(&d);
	m = driver_expect(&d, IPC_LOG);
	ck_assert_int_eq(strncmp(m.rest.p, "one", 3), 0);
	m = driver_expect(&d, IPC_LOG);
	ck_assert_int_eq(strncmp(m.rest.p, "two", 3), 0);
	ck_assert_str_eq(driver_end(&d).text, "null");
	driver_stop(&d);
}
END_TEST

/* --- cancelling ---------------------------------------------------------- */

START_TEST(a_cancelled_command_is_told_to_end)
{
	const struct driver_task task = {.number = 1, .name = "t"};
	struct driver_end end;

	/* Its first line says that it has begun. */
	declare("'t':{'command':'/bin/sh -c \\'echo here >&2; exec sleep "
		"60\\''}");
	driver_put(&d, &task);
	driver_flush(&d);
	driver_expect(&d, IPC_LOG);
	driver_send(&d, IPC_CANCEL, 1);
	end = driver_end(&d);
	ck_assert_uint_eq(end.done.outcome, IPC_FAILED);
	ck_assert_str_eq(end.text,
			 "killed by SIGTERM, after it was told to end: here");
	driver_stop(&d);
}
END_TEST

/* --- declarations -------------------------------------------------------- */

START_TEST(declared_tasks_are_described_like_others)
{
	json_t *ready, *tasks, *wanted, *task;
	size_t i;

	declare("'b':{'command':'/bin/true {0}','max_retries':'7',"
		"'retry_delay':'1.5','timeout':'1m','queue':'q'},"
		"'a':{'command':'true','description':'Does nothing'}");
	ready = json_loads(d.ready, 0, NULL);
	tasks = json_object_get(ready, "tasks");
	ck_assert_uint_eq(json_array_size(tasks), 2);
	wanted = json_pack("[s,s]", "Does nothing", "/bin/true");
	json_array_foreach (tasks, i, task)
		ck_assert_msg(strstr(d.ready, json_string_value(json_array_get(
						  wanted, i))) != NULL,
			      "%s", d.ready);
	ck_assert_ptr_nonnull(strstr(d.ready, "\"refused\":[]"));
	json_decref(wanted);
	json_decref(ready);
	driver_stop(&d);
}
END_TEST

START_TEST(a_command_says_what_it_takes_by_its_placeholders)
{
	json_t *ready, *task, *params;
	char *text;
	size_t i;

	declare("'a':{'command':'cp {0} {path} x{path} {0}',"
		"'environment':'A={b}'},"
		"'b':{'command':'true'},"
		"'c':{'command':'true {0}','params':"
		"'{\\\"type\\\":\\\"object\\\"}'}");
	ready = json_loads(d.ready, 0, NULL);
	json_array_foreach (json_object_get(ready, "tasks"), i, task) {
		params = json_object_get(task, "params");
		text = json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);
		switch (*json_string_value(json_object_get(task, "name"))) {
		case 'a':
			ck_assert_str_eq(
			    text,
			    "{\"properties\":{\"0\":{\"type\":\"string\"},"
			    "\"b\":{\"type\":\"string\"},"
			    "\"path\":{\"type\":\"string\"}},"
			    "\"required\":[\"0\",\"path\",\"b\"],"
			    "\"type\":\"object\"}");
			break;
		case 'b':
			ck_assert_ptr_null(params);
			break;
		default:
			ck_assert_str_eq(text, "{\"type\":\"object\"}");
		}
		free(text);
	}
	ck_assert_msg(i == 3, "%s", d.ready);
	json_decref(ready);
	driver_stop(&d);
}
END_TEST

static const struct {
	const char *tasks;
	const char *words; /* a part of why it is refused */
} bad[] = {
    {"", "the configuration declares no task; add a section [task NAME], or "
	 "remove exec from [worker] modules"},
    {"'t':{}", "[task t]: it has no command"},
    {"'t':{'command':'true','nope':'1'}", "[task t]"},
    {"'t':{'command':'true','timeout':'soon'}", "[task t]: timeout"},
    {"'t':{'command':5}", "[task t]: command"},
    {"'t':{'command':'true {'}", "[task t]"},
    {"'t':{'command':'true','user':'no-such-user'}",
     "[task t]: no such user: no-such-user"},
    {"'t':{'command':'true','final_exit_codes':'300'}", "[task t]"},
    {"'t':{'command':'true','retry_exit_codes':'1','final_exit_codes':'2'}",
     "[task t]: cannot use retry_exit_codes with final_exit_codes"},
    {"'t':{'command':'true','params':'{'}", "[task t]: params: not JSON"},
    {"'t':{'command':'true','params':'[]'}",
     "[task t]: params: not a JSON Schema"},
};

START_TEST(declarations_that_make_no_sense_refuse_the_module)
{
	declare(bad[_i].tasks);
	ck_assert_msg(strstr(d.ready, bad[_i].words) != NULL, "%s", d.ready);
	ck_assert_ptr_null(strstr(d.ready, "\"refused\":[]"));
	driver_stop(&d);
}
END_TEST

SUITE("module-exec")
{
	TEST_LOOP(what_a_command_prints_and_its_exit_code_are_the_outcome, 0,
		  sizeof(scripts) / sizeof(scripts[0]));
	TEST_LOOP(output_and_exit_codes_are_what_the_keys_say, 0,
		  sizeof(kept) / sizeof(kept[0]));
	TEST(a_cpu_bound_command_ends_as_another);
	TEST_LOOP(a_command_finds_its_arguments_and_surroundings, 0,
		  sizeof(lines) / sizeof(lines[0]));
	TEST(standard_error_is_logged_line_by_line);
	TEST(a_cancelled_command_is_told_to_end);
	TEST(declared_tasks_are_described_like_others);
	TEST(a_command_says_what_it_takes_by_its_placeholders);
	TEST_LOOP(declarations_that_make_no_sense_refuse_the_module, 0,
		  sizeof(bad) / sizeof(bad[0]));
}
