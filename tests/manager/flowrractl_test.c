/* SPDX-License-Identifier: MIT */
/* flowrractl as a program: what it prints, and its exit statuses. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "client/fixture.h"
#include "manager/ctl_run.h"
#include "redis_server.h"
#include "suite.h"

#define ENTRY                                                                  \
	"{\"queue\":\"io\",\"cpu_bound\":false,\"retry_delay\":2.5,"           \
	"\"description\":\"Adds\"}"

static struct redis_server *server;

static void
begin(void)
{
	server = redis_server_start(NULL);
	fixture_register(server, "add", ENTRY);
	setenv("FLOWRRA_BROKER_URL", redis_server_unix_url(server), 1);
	setenv("FLOWRRA_BROKER_SOCKET_TIMEOUT", "0.5", 1);
	setenv("STATE_DIRECTORY", redis_server_dir(server), 1);
}

static void
end(void)
{
	redis_server_stop(server);
}

static const struct {
	const char *line;
	int status;
	const char *message;
} wrong[] = {
    {"$F frob", 64, "unknown command \"frob\""},
    {"$F submt add", 64, "unknown command \"submt\"; did you mean \"submit\"?"},
    {"$F task pendin", 64,
     "unknown command \"tasks pendin\"; did you mean \"pending\"?"},
    {"$F retry x", 64, "did you mean \"tasks retry\""},
    {"$F schedul", 64, "did you mean \"schedule cron\""},
    {"$F stats --color maybe", 64,
     "--color \"maybe\": not auto, always or never"},
    {"$F tasks --format '{id'", 64,
     "--format \"{id\": write a member as {NAME}"},
    {"$F tasks --format 'id}'", 64, "--format: \"}\" without \"{\""},
    {"$F tasks --format x --json", 64, "cannot use --format with --json"},
    {"$F tasks --columns id,frob", 64,
     "--columns: unknown column \"frob\"; known: ID, TASK, QUEUE, "},
    {"$F tasks --sort -frob", 64, "--sort: unknown column \"frob\""},
    {"$F tasks --watch=1ms", 64, "--watch: at least 100ms"},
    {"$F tasks --watch=soon", 64, "--watch: \"soon\" is not a duration"},
    {"$F cancel x --watch", 64, "--watch is for commands that only look"},
    {"$F queue frob", 64,
     "unknown command \"queue frob\"; known: pause, resume, purge"},
    {"$F help submt", 64, "did you mean \"submit\"?\n"},
    {"$F web x", 64, "unknown command \"web x\"; known: token"},
    {"$F stats x", 64, "unexpected argument \"x\"; usage: flowrractl stats"},
    {"$F tasks dead --limit 0", 64, "not a whole number (1 to 100000)"},
    {"$F tasks retry", 64, "missing selection: give IDs"},
    {"$F tasks delete --all x", 64, "cannot use --all with IDs"},
    {"$F health --timeout 1", 64, "--timeout needs --wait"},
    {"$F completion csh", 64, "no completion for shell \"csh\""},
    {"$F submit add --unique-ttl 5", 64, "--unique-ttl needs --unique"},
    {"$F submit add --unique ''", 65, "1 to 1024 bytes"},
    {"$F tasks show nope", 2, "no record of task nope"},
    {"$F queues nope", 2, "no such queue \"nope\""},
    {"$F queue pause 'a b'", 65, "\"a b\" is not a valid queue name"},
    {"$F worker stop nope", 2, "unknown worker \"nope\""},
    {"$F tasks frob", 64, "unknown command \"tasks frob\""},
    {"$F submit", 64, "missing task name"},
    {"$F submit add --foo", 64, "unknown option --foo;"},
    {"$F submit add --priorit 1", 64,
     "unknown option --priorit; did you mean --priority?"},
    {"$F submit add --delay=", 64, "--delay \"\" is not a duration"},
    {"$F --jso tasks", 64, "unknown option --jso; did you mean --json?"},
    {"$F submit add --wat", 64, "did you mean --at, --wait, --watch, --set?"},
    {"$F submit add --retry 1", 64, "--retry-delay"},
    {"$F submit add -z", 64, "unknown option -z"},
    {"$F submit add --wait=1", 64, "--wait takes no value"},
    {"$F submit add --timeout", 64, "--timeout needs a value: DURATION"},
    {"$F submit add --priority x", 64,
     "flowrractl: submit: --priority \"x\": not a whole number (-2147483648 "
     "to 2147483647)\n"},
    {"$F submit add --priority 2147483648", 64, "not a whole number"},
    {"$F submit add --delay soon", 64, "--delay \"soon\" is not a duration"},
    {"$F submit add --at noon", 64, "--at \"noon\": not a time"},
    {"$F submit add --retry-jitter 2", 64, "not a number (0 to 1)"},
    {"$F submit add --delay 1 --at 2030-01-01T00:00:00Z", 64,
     "cannot use --delay"},
    {"$F submit add 1 --args []", 64, "cannot use arguments"},
    {"$F submit add --at 2020-01-01T00:00:00Z", 64,
     "--at is in the past: 2020-01-01 "},
    {"$F submit add --now-if-past", 64, "--now-if-past needs --at"},
    {"$F submit add --cpu-bound", 64, "--cpu-bound needs --force"},
    {"$F submit --stdin Makefile", 64,
     "\"Makefile\" is a file and not a task; --stdin reads standard input: "
     "flowrractl submit --stdin < Makefile"},
    {"$F submit add --kw a=1 --kwargs {}", 64, "cannot use --kw"},
    {"$F submit add --force", 64, "--force needs --queue"},
    {"$F submit add --wait-timeout 1", 64, "--wait-timeout needs --wait"},
    {"$F submit --stdin --id x", 64, "cannot use --stdin"},
    {"$F submit add --kw a", 65, "--kw: \"a\": not KEY=VALUE"},
    {"$F submit add --args '[1'", 65, "args: not JSON"},
    {"$F submit add --args '{}'", 65, "args must be a JSON array"},
    {"$F submit ad", 65, "similar names: \"add\""},
    {"$F submit add --id 'a b'", 65, "\"a b\" is not a valid ID"},
    {"$F result", 64, "missing ID; usage: flowrractl result ID"},
    {"$F result a b", 64, "unexpected argument \"b\""},
    {"$F result nope", 2, "no record of task nope"},
    {"$F wait nope", 2, "no record of task nope"},
    {"$F wait --any --all x", 64, "cannot use "},
    {"$F cancel nope", 2, "no record of task nope"},
    {"$F tasks info ad", 2, "similar names: \"add\""},
    {"$F -o broker.url=nonsense submit add", 78, "[broker] url"},
    {"FLOWRRA_BROKER_URL=redis://:s3cret@127.0.0.1:1 $F submit add", 69,
     "127.0.0.1:1"},
};

START_TEST(what_is_wrong_is_said_in_one_line)
{
	char *line;

	begin();
	ck_assert_int_gt(asprintf(&line, "%s 2>&1", wrong[_i].line), 0);
	ck_assert_int_eq(ctl_run(line), wrong[_i].status);
	free(line);
	ck_assert_msg(strstr(ctl_output, wrong[_i].message) != NULL, "%s",
		      ctl_output);
	ck_assert_ptr_eq(strchr(ctl_output, '\n'),
			 ctl_output + strlen(ctl_output) - 1);
	ck_assert_ptr_null(strstr(ctl_output, "s3cret"));
	ck_assert_int_eq(ctl_run("$F -q frob 2>&1"), 64);
	ck_assert_str_eq(ctl_output, "");
	end();
}
END_TEST

START_TEST(words_and_options_become_a_task)
{
	json_t *task, *wanted;

	begin();
	ck_assert_int_eq(
	    ctl_run("$F submit add -1 two '\"3\"' --kw a=1 --kw b=x "
		    "'[4]' --max-retries 9 --timeout 1m --json"),
	    0);
	ck_assert_int_eq(strncmp(ctl_output, "{\"id\":\"", 7), 0);
	task = fixture_json(server, "RPOP", "flowrra:queue:io");
	wanted = json_pack("[i,s,s,[i]]", -1, "two", "3", 4);
	ck_assert(json_equal(json_object_get(task, "args"), wanted));
	json_decref(wanted);
	wanted = json_pack("{s:i,s:s}", "a", 1, "b", "x");
	ck_assert(json_equal(json_object_get(task, "kwargs"), wanted));
	json_decref(wanted);
	ck_assert_int_eq(
	    json_integer_value(json_object_get(task, "max_retries")), 9);
	ck_assert_double_eq(json_number_value(json_object_get(task, "timeout")),
			    60);
	ck_assert_double_eq(
	    json_number_value(json_object_get(task, "retry_delay")), 2.5);
	json_decref(task);
	end();
}
END_TEST

START_TEST(each_line_of_a_stream_is_answered_in_its_place)
{
	begin();
	ck_assert_int_eq(
	    ctl_run(
		"printf '%s\\n' '{\"id\":\"a\",\"name\":\"add\"}' nonsense '' "
		"'{\"id\":\"b\"}' '{\"id\":\"a\",\"name\":\"add\"}' "
		"'{\"id\":\"c\",\"name\":\"ad\"}' | "
		"$F submit add --stdin --max-retries 0 2>&1 >/dev/null"),
	    77);
	ck_assert_ptr_nonnull(strstr(ctl_output, "submit: line 2: not JSON"));
	ck_assert_ptr_nonnull(strstr(ctl_output, "submit: line 5: "));
	ck_assert_ptr_nonnull(
	    strstr(ctl_output, "submit: line 6: unknown task \"ad\""));
	ck_assert_ptr_null(strstr(ctl_output, "line 3"));
	ck_assert_ptr_null(strstr(ctl_output, "line 4"));
	ck_assert_int_eq(fixture_integer(server, "LLEN", "flowrra:queue:io"),
			 2);
	ck_assert_int_eq(
	    ctl_run("printf '{\"id\":\"d\"}\\nbad\\n{\"id\":\"e\"}' | "
		    "$F submit add --stdin -q"),
	    65);
	ck_assert_str_eq(ctl_output, "d\n\ne\n");
	ck_assert_int_eq(ctl_run("printf '{\"id\":\"f\"}\\nbad\\n' | "
				 "$F submit add --stdin --json -q"),
			 65);
	ck_assert_ptr_eq(strstr(ctl_output,
				"{\"id\":\"f\"}\n"
				"{\"line\":2,\"code\":65,\"error\":\""),
			 ctl_output);
	end();
}
END_TEST

START_TEST(a_long_stream_loses_nothing_and_a_long_line_only_itself)
{
	begin();
	ck_assert_int_eq(
	    ctl_run("(seq 5000 | sed 's/.*/{\"args\":[&]}/'; "
		    "head -c 1100000 /dev/zero | tr '\\0' x; echo; "
		    "echo {}) | $F submit add --stdin 2>&1 | "
		    "awk '{n++} length == 36 {ids++} /longer/ {print} "
		    "END {print n, ids}'"),
	    0);
	ck_assert_str_eq(ctl_output,
			 "flowrractl: submit: line 5001: longer than "
			 "1064960 bytes ([worker] max_task_size)\n"
			 "5004 5001\n");
	ck_assert_int_eq(fixture_integer(server, "LLEN", "flowrra:queue:io"),
			 5001);
	end();
}
END_TEST

START_TEST(a_stream_is_answered_line_by_line_if_it_comes_so)
{
	char line[64], *path;
	FILE *answers, *tasks;
	int i;

	begin();
	ck_assert_int_gt(asprintf(&path, "%s/in", redis_server_dir(server)), 0);
	setenv("IN", path, 1);
	ck_assert_int_eq(ctl_run("mkfifo $IN"), 0);
	answers = popen("exec $BUILD_DIR/bin/flowrractl submit add --stdin "
			"<$IN",
			"re");
	ck_assert_ptr_nonnull(tasks = fopen(path, "we"));
	for (i = 0; i < 3; i++) {
		fprintf(tasks, "{\"id\":\"i%d\"}\n", i);
		fflush(tasks);
		ck_assert_ptr_nonnull(fgets(line, sizeof(line), answers));
		ck_assert_int_eq(line[1], '0' + i);
	}
	fclose(tasks);
	ck_assert_int_eq(pclose(answers), 0);
	free(path);
	end();
}
END_TEST

START_TEST(a_stream_ends_when_nobody_takes_tasks_or_ids_any_more)
{
	begin();
	redis_server_run(server, "CONFIG SET maxmemory 1");
	ck_assert_int_eq(
	    ctl_run("yes '{\"name\":\"add\"}' 2>&- | "
		    "$F submit --stdin 2>&1 >/dev/null | tail -n 1; "
		    "exit 69"),
	    69);
	ck_assert_ptr_nonnull(strstr(ctl_output, "giving up"));
	redis_server_run(server, "CONFIG SET maxmemory 0");
	ck_assert_int_eq(ctl_run("yes '{\"name\":\"add\"}' 2>&- | "
				 "$F submit --stdin 2>&1 | head -n 1 | wc -l"),
			 0);
	ck_assert_str_eq(ctl_output, "1\n");
	end();
}
END_TEST

START_TEST(a_finished_task_is_printed_and_gives_its_exit_status)
{
	begin();
	fixture_finish(server, "good", "success", "{\"a\": [1, \"x y\"]}");
	fixture_finish(server, "text", "success", "\"hi\"");
	fixture_finish(server, "bad", "failed", "\"no\\u001b[0m luck\"");
	ck_assert_int_eq(ctl_run("$F result good"), 0);
	ck_assert_str_eq(ctl_output, "{\"a\":[1,\"x y\"]}\n");
	ck_assert_int_eq(ctl_run("$F wait text"), 0);
	ck_assert_str_eq(ctl_output, "\"hi\"\n");
	ck_assert_int_eq(ctl_run("$F wait bad 2>&1"), 1);
	ck_assert_str_eq(ctl_output,
			 "flowrractl: wait: task bad failed: no?[0m luck\n");
	ck_assert_int_eq(ctl_run("$F wait good bad text 2>/dev/null"), 1);
	ck_assert_str_eq(ctl_output,
			 "good\t{\"a\":[1,\"x y\"]}\ntext\t\"hi\"\n");
	ck_assert_int_eq(ctl_run("$F wait --any good bad --json 2>/dev/null | "
				 "grep -c task_id"),
			 0);
	ck_assert_int_eq(ctl_run("$F submit add --id slow"), 0);
	ck_assert_int_eq(ctl_run("$F result slow 2>&1"), 3);
	ck_assert_ptr_nonnull(strstr(ctl_output, "its status is pending"));
	ck_assert_int_eq(ctl_run("$F wait slow --timeout 0 2>&1"), 3);
	ck_assert_int_eq(
	    ctl_run("$F wait slow good --timeout 0.05 2>/dev/null"), 3);
	ck_assert_str_eq(ctl_output, "good\t{\"a\":[1,\"x y\"]}\n");
	ck_assert_int_eq(ctl_run("$F cancel slow"), 0);
	ck_assert_int_eq(ctl_run("$F cancel good 2>&1"), 77);
	end();
}
END_TEST

static void *
finish_one(void *arg)
{
	fixture_await_waiter(server, arg);
	fixture_finish(server, arg, "success", "5");
	return NULL;
}

START_TEST(submit_and_wait_prints_the_result)
{
	char id[] = "w1";
	pthread_t worker;

	begin();
	pthread_create(&worker, NULL, finish_one, id);
	ck_assert_int_eq(ctl_run("$F submit add 2 3 --id w1 --wait"), 0);
	ck_assert_str_eq(ctl_output, "5\n");
	pthread_join(worker, NULL);
	ck_assert_int_eq(
	    ctl_run("$F submit add --wait --wait-timeout 0.05 2>&1"), 3);
	ck_assert_ptr_nonnull(strstr(ctl_output, "was queued, but"));
	end();
}
END_TEST

START_TEST(registered_tasks_are_listed)
{
	json_t *json;

	begin();
	ck_assert_int_eq(ctl_run("$F tasks registered"), 0);
	ck_assert_str_eq(ctl_output,
			 "add\tio\tfalse\t-\t2.5\t-\t-\t-\t-\tAdds\n");
	ck_assert_int_eq(ctl_run("$F tasks registered --json"), 0);
	json = json_loads(ctl_output, 0, NULL);
	ck_assert_uint_eq(json_array_size(json), 1);
	json_decref(json);
	ck_assert_int_eq(ctl_run("$F tasks info add --json"), 0);
	json = json_loads(ctl_output, 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(json, "name")),
			 "add");
	json_decref(json);
	end();
}
END_TEST

/* Anybody may write to the same server. */
START_TEST(what_others_have_written_harms_no_verb)
{
	static const char *const lines[] = {
	    "$F workers",
	    "$F stats",
	    "$F top",
	    "$F queues",
	    "$F tasks pending",
	    "$F tasks pending --arg user.id=42 --error x --after 1h",
	    "$F tasks delayed",
	    "$F tasks retrying",
	    "$F tasks running",
	    "$F tasks dead",
	    "$F tasks completed --json",
	    "$F tasks failed",
	    "$F tasks registered -q",
	    "$F tasks show good --json",
	};
	size_t i;

	begin();
	redis_server_run(server, "ZADD flowrra:workers 9e15 w 9e15 v 9e15 u");
	redis_server_run(server,
			 "SET flowrra:worker:w "
			 "{\"worker\":5,\"state\":7,\"slots\":[1],"
			 "\"queues\":{\"a\":1},\"memory\":[],"
			 "\"started_at\":\"noon\",\"in_flight\":\"x\"}");
	redis_server_run(server, "SET flowrra:worker:v nonsense");
	redis_server_run(server, "SET flowrra:worker:u []");
	redis_server_run(server, "LPUSH flowrra:queue:io nonsense [] {}");
	redis_server_run(server, "SADD flowrra:queues io");
	redis_server_run(server,
			 "ZADD {flowrra:queue:io}:delayed 1 {\"id\":5}");
	redis_server_run(server, "ZADD {flowrra:queue:io}:dead 1 a 2 b");
	redis_server_run(server, "HSET {flowrra:queue:io}:dead:tasks a "
				 "{\"id\":\"\xff\"}");
	redis_server_run(server, "HSET {flowrra:queue:io}:dead:info a [1]");
	redis_server_run(server, "SET flowrra:task:r [1]");
	redis_server_run(server, "SET flowrra:task:s {\"status\":\"\xff\"}");
	redis_server_run(server, "SET flowrra:task:good {\"status\":5}");
	redis_server_run(server, "LPUSH flowrra:completed r s good nope");
	redis_server_run(server, "HSET flowrra:registry broken nonsense");
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(ctl_run(lines[i]) == 0, "%s", lines[i]);
	ck_assert_int_eq(ctl_run("$F tasks show r 2>&1"), 65);
	ck_assert_ptr_nonnull(strstr(ctl_output, "not a JSON object"));
	ck_assert_int_eq(ctl_run("$F tasks retry --all 2>&1"), 65);
	ck_assert_int_eq(ctl_run("$F tasks delete --all"), 0);
	ck_assert_str_eq(ctl_output, "2 deleted\n");
	ck_assert_int_eq(ctl_run("$F doctor >/dev/null"), 69);
	end();
}
END_TEST

START_TEST(what_cannot_be_printed_is_an_error)
{
	ck_assert_int_eq(ctl_run("$F --help 2>&1 >/dev/full"), 71);
	ck_assert_ptr_nonnull(strstr(ctl_output, "cannot write"));
	ck_assert_int_eq(ctl_run("$F --help | grep -q submit"), 0);
	ck_assert_int_eq(ctl_run("$F --version"), 0);
	ck_assert_int_eq(strncmp(ctl_output, "flowrractl 0.", 13), 0);
}
END_TEST

SUITE("flowrractl")
{
	TEST_LOOP(what_is_wrong_is_said_in_one_line, 0,
		  sizeof(wrong) / sizeof(wrong[0]));
	TEST(words_and_options_become_a_task);
	TEST(each_line_of_a_stream_is_answered_in_its_place);
	TEST(a_long_stream_loses_nothing_and_a_long_line_only_itself);
	TEST(a_stream_is_answered_line_by_line_if_it_comes_so);
	TEST(a_stream_ends_when_nobody_takes_tasks_or_ids_any_more);
	TEST(a_finished_task_is_printed_and_gives_its_exit_status);
	TEST(submit_and_wait_prints_the_result);
	TEST(registered_tasks_are_listed);
	TEST(what_others_have_written_harms_no_verb);
	TEST(what_cannot_be_printed_is_an_error);
}
