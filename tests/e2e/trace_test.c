/* SPDX-License-Identifier: MIT */
/* Traces from a shell through tasks to another shell. `_i`: the store is SQLite. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* --- spans ------------------------------------------------------------- */

/* The span of a task in the file "spans"; NULL: it is not there yet. */
static json_t *
span_of(struct world *w, json_t *all, const char *task)
{
	json_t *span, *a;
	size_t i, k;

	json_array_foreach (all, i, span)
		json_array_foreach (json_object_get(span, "attributes"), k, a)
			if (strcmp(json_string_value(json_object_get(a, "key")),
				   "messaging.message.id") == 0 &&
			    strcmp(json_string_value(json_object_get(
				       json_object_get(a, "value"),
				       "stringValue")),
				   task) == 0)
				return span;
	return NULL;
}

/* All spans of a file of requests. */
static json_t *
spans_in(struct world *w)
{
	char *text = world_read(w, "spans"), *line, *rest;
	json_t *all = json_array(), *j, *part;

	for (line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		if ((j = json_loads(line, 0, NULL)) == NULL)
			continue; /* it is being written */
		part = json_array_get(json_object_get(j, "resourceSpans"), 0);
		part = json_array_get(json_object_get(part, "scopeSpans"), 0);
		json_array_extend(all, json_object_get(part, "spans"));
		json_decref(j);
	}
	return all;
}

static const char *
member(json_t *span, const char *name)
{
	return json_string_value(json_object_get(span, name));
}

/* curl, flowrra-web, a command that submits, a handler that submits, and a handler:
 * each is a child of the one before, in one file. */
START_TEST(one_trace_has_all_spans_from_curl_to_the_last_handler)
{
	struct world *w = world_start(
	    &(const struct world_options){.embedded = _i, .no_worker = true});
	json_t *all = NULL, *command, *middle, *last;
	const char *last_id;
	struct site *s;

	world_configure(
	    w, "traced",
	    world_text(
		w,
		"[task outer]\ncommand = sh -c 'flowrractl submit traces "
		"--id middle'\n[trace]\nexport = file:%s/spans\n",
		world_dir(w)));
	worker_start(w, NULL);
	s = site_start(w, "");
	ck_assert_int_eq(site_ask_in(s, "/api/v1/tasks?wait=30s",
				     SITE_JSON
				     "-H 'traceparent: " PARENT
				     "' -d '{\"name\":\"outer\",\"id\":"
				     "\"outer\"}'"),
			 200);
	last_id = json_field(w, ctl_ok(w, "wait middle"), "id");
	ctl_ok(w, "wait %s", last_id);
	do {
		json_decref(all);
		all = spans_in(w);
		usleep(20000);
	} while ((command = span_of(w, all, "outer")) == NULL ||
		 (middle = span_of(w, all, "middle")) == NULL ||
		 (last = span_of(w, all, last_id)) == NULL);
	ck_assert_str_eq(member(command, "traceId"), TRACE);
	ck_assert_str_eq(member(command, "parentSpanId"), "00f067aa0ba902b7");
	ck_assert_str_eq(member(middle, "traceId"), TRACE);
	ck_assert_str_eq(member(middle, "parentSpanId"),
			 member(command, "spanId"));
	ck_assert_str_eq(member(last, "traceId"), TRACE);
	ck_assert_str_eq(member(last, "parentSpanId"),
			 member(middle, "spanId"));
	/* And the handler was told of its own. */
	ck_assert_str_eq(
	    ctl_ok(w, "result %s", last_id),
	    world_text(w, "{\"parent\":\"00-" TRACE "-%s-01\",\"state\":null}",
		       member(last, "spanId")));
	json_decref(all);
	site_stop(s);
	world_stop(w);
}
END_TEST

/* The link of a span to another trace; NULL: it has none. */
static const char *
linked(json_t *span, const char *name)
{
	return member(json_array_get(json_object_get(span, "links"), 0), name);
}

/* Each fire is a trace of its own, with all that comes of it, and leads to where the
 * schedule was made. */
START_TEST(the_fires_of_a_schedule_begin_traces_that_are_linked)
{
	struct world *w = world_start(
	    &(const struct world_options){.embedded = _i, .no_worker = true});
	json_t *all = NULL, *outer, *inner;

	world_configure(
	    w, "traced",
	    world_text(
		w,
		"[task outer]\ncommand = sh -c 'flowrractl submit traced "
		"--id inner'\n[trace]\nexport = file:%s/spans\n",
		world_dir(w)));
	worker_start(w, NULL);
	ck_run(
	    run(w, IN_TRACE FLOWRRACTL "schedule once outer 'in 1s' --id fire"),
	    0, "fire\n");
	worker_start(w, "exec flowrra-beat --config flowrra.conf");
	WAIT_UNTIL(ctl(w, "result inner")->status == 0);
	do {
		json_decref(all);
		all = spans_in(w);
		usleep(20000);
	} while ((inner = span_of(w, all, "inner")) == NULL ||
		 json_array_size(all) < 2);
	outer = json_array_get(all, json_array_get(all, 0) == inner);
	ck_assert_str_ne(member(outer, "traceId"), TRACE);
	ck_assert_ptr_null(member(outer, "parentSpanId"));
	ck_assert_str_eq(linked(outer, "traceId"), TRACE);
	ck_assert_str_eq(linked(outer, "spanId"), "00f067aa0ba902b7");
	ck_assert_str_eq(member(inner, "traceId"), member(outer, "traceId"));
	ck_assert_str_eq(member(inner, "parentSpanId"),
			 member(outer, "spanId"));
	ck_assert_ptr_null(linked(inner, "traceId"));
	/* One that is run by hand continues what its caller does. */
	ctl_ok(w, "schedule interval traced 1h --id later");
	ck_run(run(w, "TRACEPARENT=" OTHER " " FLOWRRACTL
		      "schedule run later --wait"),
	       0, "{\"parent\":\"" OTHER "\",\"state\":null}\n");
	json_decref(all);
	world_stop(w);
}
END_TEST

/* --- the log ------------------------------------------------------------- */

/* As objects, which have the same members as the journal has fields. */
START_TEST(each_line_of_a_task_names_it_its_attempt_and_its_trace)
{
	struct world *w = world_start(&(const struct world_options){
	    .modules = "traced",
	    .config = "[worker]\nlog_format = json\nlog_level = info\n",
	    .embedded = _i});
	const char *line;

	ck_run(run(w, IN_TRACE FLOWRRACTL "submit says --id s --wait"), 0,
	       "null\n");
	ck_assert(worker_logged(worker_of(w), "it is attempt 1"));
	line = strstr(worker_log(worker_of(w)), "it is attempt 1");
	line = world_text(w, "%.*s", (int)strcspn(line, "\n"), line);
	ck_assert_msg(strstr(line, "\"task_id\":\"s\"") != NULL &&
			  strstr(line, "\"task_name\":\"says\"") != NULL &&
			  strstr(line, "\"attempt\":1") != NULL &&
			  strstr(line, "\"trace_id\":\"" TRACE "\"") != NULL,
		      "%s", line);
	world_stop(w);
}
END_TEST

START_TEST(logs_show_what_a_task_in_a_module_has_said_if_that_is_kept)
{
	struct world *w = world_start(&(const struct world_options){
	    .modules = "traced",
	    .config = "[worker]\nkeep_output = 64k\n[exec]\n"
		      "output_store = 0\n[task own]\ncommand = true\n",
	    .embedded = _i});

	ctl_ok(w, "submit says --id s --wait");
	WAIT_UNTIL(
	    strcmp(ctl(w, "logs s --stderr")->out, "it is attempt 1\n") == 0);
	ck_run(ctl(w, "logs s --stdout"), 0, "");
	/* Of commands other keys say it. */
	ctl_ok(w, "submit own --id c --wait");
	ck_complains(ctl(w, "logs c"), 2,
		     "nothing is kept of what commands print");
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
	TEST_LOOP(each_line_of_a_task_names_it_its_attempt_and_its_trace, 0, 2);
	TEST_LOOP(logs_show_what_a_task_in_a_module_has_said_if_that_is_kept, 0,
		  2);
	TEST_LOOP(the_fires_of_a_schedule_begin_traces_that_are_linked, 0, 2);
	TEST_LOOP(one_trace_has_all_spans_from_curl_to_the_last_handler, 0, 2);
}
