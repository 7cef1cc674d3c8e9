/* SPDX-License-Identifier: MIT */
/* Traces from a shell through tasks to another shell. `_i`: the store is SQLite. */
#include <stdlib.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/web_scene.h"
#include "e2e/worker.h"
#include "e2e/world.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00-" TRACE "-00f067aa0ba902b7-01"
#define OTHER "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
#define IN_TRACE "TRACEPARENT=" PARENT " TRACESTATE=a=b "
#define FLOWRRACTL "flowrractl -c flowrra.conf "

static const char commands[] =
    "[task shell]\ncommand = sh -c 'echo \"$TRACEPARENT $TRACESTATE\"; "
    "flowrractl submit traced --id inner-$FLOWRRA_TASK_ID >&2'\n"
    "[task own]\ncommand = sh -c 'echo \"$TRACEPARENT $TRACESTATE\"'\n"
    "environment = TRACEPARENT=mine\n"
    "[task again]\ncommand = sh -c 'echo $TRACEPARENT; "
    "test $FLOWRRA_TASK_ATTEMPT = 2'\nmax_retries = 1\nretry_delay = 0\n";

/* The worker itself has been started within a trace, which is none of its tasks'. */
static struct world *
begin(bool embedded)
{
	return world_start(&(const struct world_options){
	    .embedded = embedded,
	    .modules = "traced",
	    .config = commands,
	    .command = "export TRACEPARENT=" OTHER "; " WORLD_COMMAND});
}

START_TEST(a_trace_goes_from_a_shell_through_tasks_to_another_shell)
{
	struct world *w = begin(_i);

	ck_run(run(w, IN_TRACE FLOWRRACTL "submit shell --id s --wait"), 0,
	       "\"" PARENT " a=b\"\n");
	ck_assert_str_eq(ctl_ok(w, "wait inner-s"),
			 "{\"parent\":\"" PARENT "\",\"state\":\"a=b\"}");
	ck_run(run(w, IN_TRACE FLOWRRACTL "submit shell --traceparent " OTHER
					  " --id t --wait"),
	       0, "\"" OTHER " \"\n");
	ck_assert_str_eq(ctl_ok(w, "wait inner-t"),
			 "{\"parent\":\"" OTHER "\",\"state\":null}");
	/* Without one, the variables of nobody are seen. */
	ck_assert_str_eq(submit(w, "shell --id u --wait"), "\" \"");
	ck_assert_str_eq(ctl_ok(w, "wait inner-u"),
			 "{\"parent\":null,\"state\":null}");
	ck_run(run(w, "TRACEPARENT=00-" TRACE " " FLOWRRACTL
		      "submit shell --id v --wait"),
	       0, "\" \"\n");
	world_stop(w);
}
END_TEST

START_TEST(a_trace_outlives_retries_and_is_where_it_is_told)
{
	struct world *w = begin(_i);
	const char *id;

	ck_run(run(w, IN_TRACE FLOWRRACTL "submit again --wait"), 0,
	       "\"" PARENT "\"\n");
	ck_run(run(w, IN_TRACE FLOWRRACTL "submit own --wait"), 0,
	       "\"mine \"\n");
	id = json_field(
	    w,
	    run_end(w, run_start(w, IN_TRACE FLOWRRACTL "submit traces --wait"))
		->out,
	    "id");
	ck_assert_str_eq(ctl_ok(w, "wait %s", id),
			 "{\"parent\":\"" PARENT "\",\"state\":\"a=b\"}");
	ck_run(run(w, "echo '{\"name\":\"traced\",\"traceparent\":\"" OTHER
		      "\"}' | " IN_TRACE FLOWRRACTL
		      "submit --stdin --wait | cut -f 2"),
	       0, "{\"parent\":\"" OTHER "\",\"state\":null}\n");
	ck_complains(ctl(w, "submit traced --traceparent 00-x"), 65,
		     "traceparent \"00-x\" is not valid");
	ck_complains(ctl(w, "submit traced --tracestate a=b"), 65,
		     "tracestate needs a traceparent");
	world_stop(w);
}
END_TEST

START_TEST(a_trace_goes_from_curl_into_a_task)
{
	struct world *w = begin(_i);
	struct site *s = site_start(w, "");

	ck_assert_int_eq(site_ask_in(s, "/api/v1/tasks?wait=30s",
				     SITE_JSON "-H 'traceparent: " PARENT
					       "' -H 'tracestate: a=b' "
					       "-d '{\"name\":\"traced\"}'"),
			 200);
	ck_assert_ptr_nonnull(
	    strstr(s->body, "{\"parent\":\"" PARENT "\",\"state\":\"a=b\"}"));
	ck_assert_int_eq(site_ask_in(s, "/api/v1/tasks?wait=30s",
				     SITE_JSON "-H 'traceparent: none' "
					       "-d '{\"name\":\"traced\"}'"),
			 200);
	ck_assert_ptr_nonnull(
	    strstr(s->body, "{\"parent\":null,\"state\":null}"));
	site_stop(s);
	world_stop(w);
}
END_TEST

SUITE("trace")
{
	SUITE_TIMEOUT(120);
	TEST_LOOP(a_trace_goes_from_a_shell_through_tasks_to_another_shell, 0,
		  2);
	TEST_LOOP(a_trace_outlives_retries_and_is_where_it_is_told, 0, 2);
	TEST(a_trace_goes_from_curl_into_a_task);
}
