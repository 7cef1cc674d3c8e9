/* SPDX-License-Identifier: MIT */
/* The way of a task as its users see it: flowrractl's answers. */
#include <signal.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/worker.h"

/* The README's commands, in a shell, as they stand there. */
static const char readme[] =
    "alias flowrractl='flowrractl --config flowrra.conf'\n"
    "flowrractl submit add 2 3 --wait || exit 101\n"
    "id=$(flowrractl submit resize '{\"w\":640}' --priority 1 --max-retries 5)"
    "\n"
    "flowrractl wait \"$id\" --timeout 30 || exit 102\n"
    "flowrractl result \"$id\" --json || exit 103\n";

START_TEST(the_readmes_commands_do_what_it_says)
{
	struct world *w = world_start(NULL);
	struct run *r = run(w, "%s", readme);
	char *json;

	ck_assert_msg(r->status == 0, "exit status %d: %s", r->status, r->err);
	ck_assert_ptr_eq(
	    strstr(r->out, "5\n{\"w\":640,\"h\":480,\"sum\":38905856}\n{"),
	    r->out);
	json = strrchr(r->out, '\n');
	*json = '\0';
	json = strrchr(r->out, '\n') + 1;
	ck_assert_str_eq(json_field(w, json, "status"), "success");
	ck_assert_str_eq(json_field(w, json, "result.h"), "480");
	ck_assert_str_eq(json_field(w, json, "queue"), "cpu");
	ck_assert_str_eq(r->err, "");
	world_stop(w);
}
END_TEST

/* RFC 3339, UTC with offset, microseconds. */
static void
check_time(const char *text)
{
	static const char pattern[] = "dddd-dd-ddTdd:dd:dd.dddddd+00:00";
	size_t i;

	ck_assert_uint_eq(strlen(text), strlen(pattern));
	for (i = 0; pattern[i] != '\0'; i++)
		ck_assert(pattern[i] == 'd' ? text[i] >= '0' && text[i] <= '9'
					    : text[i] == pattern[i]);
}

/* The text of a function from the line before its name, without blanks. */
static char *
function_of(struct world *w, const char *file)
{
	char *text = world_read(w, world_source(w, file)), *to, *p;
	char *begin = strstr(text, "add(struct flowrra_task *task"), *end;

	ck_assert_ptr_nonnull(begin);
	end = strstr(begin, "return 0;");
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	for (p = to = begin; *p != '\0'; p++)
		if (strchr(" \t\n", *p) == NULL)
			*to++ = *p;
	*to = '\0';
	return begin;
}

START_TEST(the_readmes_handler_is_that_of_the_demo_module)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);

	ck_assert_str_eq(function_of(w, "README.md"),
			 function_of(w, "lib/module/shipped/demo.c"));
	world_stop(w);
}
END_TEST

START_TEST(a_result_as_json_has_all_fields)
{
	static const char *const times[] = {"submitted_at", "started_at",
					    "finished_at"};
	static const char *const rest[][2] = {
	    {"status", "success"},
	    {"task_name", "echo"},
	    {"error", "null"},
	    {"retries", "0"},
	    {"args", "[1,\"two\"]"},
	    {"kwargs", "{\"k\":[true]}"},
	    {"result", "{\"args\":[1,\"two\"],\"kwargs\":{\"k\":[true]}}"},
	    {"queue", "io"},
	    {"worker", "test:1"},
	    {"attempts", "1"},
	    {"reason", ""}};
	struct world *w = world_start(NULL);
	const char *id = submit(w, "echo 1 two --kw 'k=[true]'"), *json;
	size_t i;

	json = ctl_ok(w, "wait %s --json", id);
	ck_assert_str_eq(json, ctl_ok(w, "result %s --json", id));
	ck_assert_str_eq(json, record(w, id));
	ck_assert_str_eq(json_field(w, json, "task_id"), id);
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		check_time(json_field(w, json, times[i]));
	ck_assert_str_le(json_field(w, json, "started_at"),
			 json_field(w, json, "finished_at"));
	for (i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		ck_assert_str_eq(json_field(w, json, rest[i][0]), rest[i][1]);
	world_stop(w);
}
END_TEST

START_TEST(exit_statuses_say_what_became_of_a_task)
{
	struct world *w = world_start(NULL);
	const char *id;

	ck_run(ctl(w, "submit echo --wait"), 0,
	       "{\"args\":[],\"kwargs\":{}}\n");
	ck_complains(ctl(w, "submit fail why --max-retries 0 --wait"), 1,
		     "why");
	ck_complains(ctl(w, "result no-such-id"), 2, "no-such-id");
	ck_complains(ctl(w, "wait no-such-id --timeout 5"), 2, "no-such-id");
	ck_complains(ctl(w, "submit sleep 60 --id long --wait "
			    "--wait-timeout 0.1"),
		     3, "long");
	ck_complains(ctl(w, "wait long --timeout 100ms"), 3, "0.1 s");
	ck_complains(ctl(w, "result long"), 3, "running");
	ck_assert_str_eq(ctl_ok(w, "cancel long"), "");
	ck_complains(ctl(w, "wait long"), 1, "cancelled");
	id = submit(w, "fail --max-retries 0");
	ck_complains(ctl(w, "wait %s", id), 1, id);
	world_stop(w);
}
END_TEST

START_TEST(exit_statuses_say_whats_wrong_with_the_question)
{
	struct world *w = world_start(NULL);

	ck_complains(ctl(w, "submit"), 64, "NAME");
	ck_complains(ctl(w, "frobnicate"), 64, "frobnicate");
	ck_complains(ctl(w, "submit add 1 2 --bogus"), 64, "--bogus");
	ck_complains(ctl(w, "submit add 1 2 --priority high"), 64, "priority");
	ck_complains(ctl(w, "submit add --args '[1'"), 65, "args");
	ck_complains(ctl(w, "submit addd 1 2"), 65, "similar names: \"add\"");
	ck_complains(ctl(w, "submit nosuch --force"), 64, "--queue");
	ck_complains(run(w, "printf '{\"name\":\"add\",\"args\":[1,2]}\\n"
			    "oops\\n' | flowrractl --config flowrra.conf "
			    "submit --stdin"),
		     65, "line 2");
	/* The beginning of a line is not a task. */
	ck_complains(run(w,
			 "(printf '{\"name\":\"add\",\"args\":[1,2]}%%300000s"
			 "oops\\n') | flowrractl --config flowrra.conf -o "
			 "worker.max_task_size=1000 submit --stdin"),
		     65, "line 1: longer than");
	ck_complains(ctl(w, "submit add 1 2 --queue 'a b'"), 65, "queue");
	submit(w, "add 1 2 --id taken");
	ck_complains(ctl(w, "submit add 1 2 --id taken"), 77, "taken");
	ck_complains(run(w, "flowrractl --config nowhere.conf submit add 1 2"),
		     78, "nowhere.conf");
	world_stop(w);
}
END_TEST

START_TEST(exit_statuses_tell_of_servers_out_of_reach_full_and_closed)
{
	const struct world_options o = {.redis = {.password = "geheim"}};
	struct world *w = world_start(&o);
	int port = redis_server_port(world_redis(w));
	struct run *r;

	ck_complains(ctl(w, "-o broker.url=redis://127.0.0.1:1 submit add 1 2"),
		     69, "127.0.0.1:1");
	ck_complains(
	    ctl(w, "-o broker.url=redis://127.0.0.1:%d submit add 1 2", port),
	    77, "redis://");
	r = run(w,
		"FLOWRRA_BROKER_URL=redis://:falsch@127.0.0.1:%d "
		"flowrractl submit add 1 2",
		port);
	ck_complains(r, 77, "redis://");
	ck_assert_ptr_null(strstr(r->err, "falsch"));
	submit(w, "add 1 2 --delay 1h");
	ck_complains(ctl(w, "-o executor.max_queue_size=1 submit add 1 2"), 75,
		     "max_queue_size");
	world_stop(w);
}
END_TEST

/* libevent would end the process with 1. */
START_TEST(too_few_open_files_are_named_with_their_limit)
{
	const struct world_options o = {.embedded = _i, .no_worker = true};
	struct world *w = world_start(&o);
	const char *submit = "submit add 1 2 --force --queue io";
	int n, ok = 0;

	for (n = 4; n < 20; n++) {
		struct run *r =
		    run(w,
			"ulimit -n %d; exec flowrractl --config flowrra.conf "
			"%s",
			n, submit);

		ok += r->status == 0;
		if (r->status != 0)
			ck_complains(
			    r, 71,
			    world_text(w,
				       "the limit on open files is %d; raise "
				       "LimitNOFILE= of the unit, or ulimit "
				       "-n",
				       n));
	}
	ck_assert_int_gt(ok, 0);
	world_stop(w);
}
END_TEST

START_TEST(a_variable_that_was_mistyped_is_told)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	struct run *r =
	    run(w, "FLOWRRA_BROKER_ULR=x FLOWRRA_TASK_ID=1 FLOWRRA_MY_OWN=2 "
		   "flowrractl --config flowrra.conf queues");
	struct worker *k;

	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_nonnull(
	    strstr(r->err, "ignoring the unknown variable FLOWRRA_BROKER_ULR; "
			   "did you mean FLOWRRA_BROKER_URL?"));
	ck_assert_ptr_null(strstr(r->err, "MY_OWN"));
	ck_assert_ptr_null(strstr(r->err, "TASK_ID"));
	k = worker_start(w, "FLOWRRA_WROKER_ID=a " WORLD_COMMAND);
	WAIT_UNTIL(worker_logged(k, "did you mean FLOWRRA_WORKER_ID?"));
	world_stop(w);
}
END_TEST

/* As at the start: no server is asked. flowrrad knows no schedules. */
START_TEST(check_judges_urls_too)
{
	static const char *const programs[] = {"flowrra-beat", "flowrra-web",
					       "flowrrad"};
	static const struct {
		size_t n;
		const char *setting, *why;
	} bad[] = {
	    {3, "broker.url=http://x", "[broker] url: unknown kind of broker"},
	    {3, "broker.url=redis://h:x", "[broker] url: Redis URL: the port"},
	    {3, "backend.url=sqlite://x.db",
	     "[backend] url: sqlite: the path of the file must be absolute"},
	    {2, "scheduler.database_url=oracle://x",
	     "[scheduler] database_url: unknown kind of database"},
	};
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	size_t i, k;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (k = 0; k < bad[i].n; k++)
			ck_complains(run(w,
					 "exec %s --config flowrra.conf "
					 "-o %s --check",
					 programs[k], bad[i].setting),
				     78, bad[i].why);
	ck_run(run(w, "exec flowrra-beat --config flowrra.conf --check"), 0,
	       "flowrra-beat: the configuration is good\n");
	world_stop(w);
}
END_TEST

START_TEST(a_task_of_no_module_can_be_sent_by_force)
{
	struct world *w = world_start(NULL);
	const char *id = submit(w, "other.task 1 --force --queue elsewhere");

	ck_field(w, id, "status", "pending");
	ck_assert_int_eq(waiting(w, "elsewhere"), 1);
	world_stop(w);
}
END_TEST

START_TEST(whoever_waits_is_woken_by_the_end)
{
	struct world *w = world_start(NULL);
	const char *a = submit(w, "sleep 0.25"), *b = submit(w, "sleep 60");
	struct run *any = run_start(w,
				    "flowrractl --config flowrra.conf wait "
				    "%s %s --any --timeout 50",
				    b, a);

	ck_run(run_end(w, any), 0, world_text(w, "%s\t0.25\n", a));
	ctl_ok(w, "cancel %s", b);
	ck_complains(ctl(w, "wait %s %s --all --timeout 50", a, b), 1, b);
	world_stop(w);
}
END_TEST

SUITE("cli")
{
	SUITE_TIMEOUT(90);
	TEST(the_readmes_commands_do_what_it_says);
	TEST(the_readmes_handler_is_that_of_the_demo_module);
	TEST(a_result_as_json_has_all_fields);
	TEST(exit_statuses_say_what_became_of_a_task);
	TEST(exit_statuses_say_whats_wrong_with_the_question);
	TEST(exit_statuses_tell_of_servers_out_of_reach_full_and_closed);
	TEST_LOOP(too_few_open_files_are_named_with_their_limit, 0, 2);
	TEST(a_variable_that_was_mistyped_is_told);
	TEST(check_judges_urls_too);
	TEST(a_task_of_no_module_can_be_sent_by_force);
	TEST(whoever_waits_is_woken_by_the_end);
}
