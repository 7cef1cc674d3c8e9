/* SPDX-License-Identifier: MIT */
/* Which attempts are spans, what they are children of, and what they cost. */
#include "dispatch/worker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "suite.h"
#include "trace/exporter.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define SAMPLED ",\"traceparent\":\"00-" TRACE "-" PARENT "-01\""
#define UNSAMPLED ",\"traceparent\":\"00-" TRACE "-" PARENT "-00\""

#define LINKED ",\"trace_link\":\"00-" TRACE "-" PARENT "-01\""

/* A worker whose spans go into the file "spans"; `sample` is of a hundred. */
static struct worker *
begin(int sample)
{
	static char export[256], some[64];
	const char *const settings[] = {export, some, NULL};
	const struct worker_setup setup = {.settings = settings};
	struct worker *w;

	snprintf(export, sizeof(export), "trace.export=file:%s/spans",
		 suite_scratch());
	snprintf(some, sizeof(some), "trace.sample=%d", sample);
	w = worker_open(&setup);
	worker_up(w);
	ck_assert_ptr_nonnull(w->dispatch->exporter);
	return w;
}

/* Ends the worker; all spans there are, in their order. */
static json_t *
end(struct worker *w)
{
	json_t *all = json_array(), *j, *part;
	char *line = NULL;
	size_t cap = 0;
	FILE *f;

	worker_end(w);
	f = fopen("spans", "r");
	ck_assert_ptr_nonnull(f);
	while (getline(&line, &cap, f) > 0) {
		ck_assert_ptr_nonnull(j = json_loads(line, 0, NULL));
		part = json_array_get(json_object_get(j, "resourceSpans"), 0);
		part = json_array_get(json_object_get(part, "scopeSpans"), 0);
		json_array_extend(all, json_object_get(part, "spans"));
		json_decref(j);
	}
	free(line);
	fclose(f);
	return all;
}

static const char *
text(json_t *spans, size_t i, const char *name)
{
	return json_string_value(
	    json_object_get(json_array_get(spans, i), name));
}

/* A string among the attributes. */
static const char *
attribute(json_t *spans, size_t i, const char *name)
{
	json_t *a;
	size_t k;

	json_array_foreach (
	    json_object_get(json_array_get(spans, i), "attributes"), k, a)
		if (strcmp(json_string_value(json_object_get(a, "key")),
			   name) == 0)
			return json_string_value(json_object_get(
			    json_object_get(a, "value"), "stringValue"));
	return NULL;
}

START_TEST(an_attempt_is_a_child_of_its_producer)
{
	struct worker *w = begin(0);
	json_t *spans;

	STEPS(w, "job", SAMPLED ",\"tracestate\":\"a=b\"", "started", "done=1");
	WAIT_FOR(w, "ack");
	spans = end(w);
	ck_assert_uint_eq(json_array_size(spans), 1);
	ck_assert_str_eq(text(spans, 0, "traceId"), TRACE);
	ck_assert_str_eq(text(spans, 0, "parentSpanId"), PARENT);
	ck_assert_str_ne(text(spans, 0, "spanId"), PARENT);
	ck_assert_str_eq(text(spans, 0, "traceState"), "a=b");
	ck_assert_str_eq(text(spans, 0, "name"), "process io");
	ck_assert_str_eq(attribute(spans, 0, "flowrra.outcome"), "succeeded");
	ck_assert_str_eq(attribute(spans, 0, "messaging.message.id"), "t1");
	ck_assert_ptr_null(attribute(spans, 0, "error.type"));
	json_decref(spans);
}
END_TEST

/* Its own trace, with a link to the other one. */
static void
ck_linked(json_t *spans, size_t i)
{
	json_t *link = json_array_get(
	    json_object_get(json_array_get(spans, i), "links"), 0);

	ck_assert_str_ne(text(spans, i, "traceId"), TRACE);
	ck_assert_ptr_null(text(spans, i, "parentSpanId"));
	ck_assert_str_eq(json_string_value(json_object_get(link, "traceId")),
			 TRACE);
	ck_assert_str_eq(json_string_value(json_object_get(link, "spanId")),
			 PARENT);
}

START_TEST(a_retry_begins_a_trace_that_is_linked)
{
	struct worker *w = begin(0);
	json_t *spans;

	STEPS(w, "job", SAMPLED ",\"max_retries\":1,\"current_retry\":1",
	      "started", "failed=oh");
	WAIT_FOR(w, "dead");
	worker_settle(w);
	spans = end(w);
	ck_assert_uint_eq(json_array_size(spans), 1);
	ck_linked(spans, 0);
	ck_assert_str_eq(attribute(spans, 0, "flowrra.outcome"), "failed");
	ck_assert_str_eq(attribute(spans, 0, "error.type"), "failed");
	json_decref(spans);
}
END_TEST

/* As the fires of a schedule; what they submit is part of their trace. */
START_TEST(what_has_a_link_begins_a_trace_of_its_own)
{
	struct worker *w = begin(0);
	char wanted[128], *task;
	json_t *spans;

	STEPS(w, "job", LINKED,
	      "submit={\"id\":\"s1\",\"name\":\"job\",\"args\":[1],"
	      "\"kwargs\":{}}");
	WAIT_FOR(w, "ack");
	buf_addc(&w->store.last_task, '\0');
	task = strdup(w->store.last_task.data);
	spans = end(w);
	ck_assert_uint_eq(json_array_size(spans), 1);
	ck_linked(spans, 0);
	snprintf(wanted, sizeof(wanted), "\"traceparent\":\"00-%s-%s-01\"",
		 text(spans, 0, "traceId"), text(spans, 0, "spanId"));
	ck_assert_msg(strstr(task, wanted) != NULL, "%s", task);
	ck_assert_ptr_null(strstr(task, "trace_link"));
	free(task);
	json_decref(spans);
}
END_TEST

/* What a handler submits is a child of its span, not of the producer's. */
START_TEST(what_an_attempt_submits_is_its_child)
{
	struct worker *w = begin(0);
	char wanted[128];
	json_t *spans;

	STEPS(w, "job", SAMPLED,
	      "submit={\"id\":\"s1\",\"name\":\"job\",\"args\":[1],"
	      "\"kwargs\":{}}");
	WAIT_FOR(w, "ack");
	buf_addc(&w->store.last_task, '\0');
	{
		char *task = strdup(w->store.last_task.data);

		spans = end(w);
		snprintf(wanted, sizeof(wanted),
			 "\"traceparent\":\"00-" TRACE "-%s-01\"",
			 text(spans, 0, "spanId"));
		ck_assert_msg(strstr(task, wanted) != NULL, "%s", task);
		free(task);
	}
	json_decref(spans);
}
END_TEST

static const struct {
	const char *more;
	int sample;
	size_t spans;
} samples[] = {
    {"", 0, 0},
    {UNSAMPLED, 0, 0},
    {UNSAMPLED, 100, 0}, /* somebody has decided */
    {"", 100, 1},
    {SAMPLED, 0, 1},
    {",\"traceparent\":\"00-x\"", 0, 0},
    {LINKED, 0, 1},
    {",\"trace_link\":\"00-x\"", 0, 0},
    /* The other trace is not this one: nobody has decided. */
    {",\"trace_link\":\"00-" TRACE "-" PARENT "-00\"", 0, 0},
    {",\"trace_link\":\"00-" TRACE "-" PARENT "-00\"", 100, 1},
    {UNSAMPLED LINKED, 100, 0},
};

START_TEST(only_sampled_traces_have_spans)
{
	struct worker *w = begin(samples[_i].sample);
	json_t *spans;

	STEPS(w, "job", samples[_i].more, "started", "done=1");
	WAIT_FOR(w, "ack");
	spans = end(w);
	ck_assert_uint_eq(json_array_size(spans), samples[_i].spans);
	json_decref(spans);
}
END_TEST

/* It works all the same. */
START_TEST(a_worker_whose_spans_go_nowhere_works)
{
	struct worker *w =
	    worker_begin_with("trace.export=file:/nowhere/spans");

	ck_assert_ptr_null(w->dispatch->exporter);
	STEPS(w, "job", SAMPLED, "started", "done=1");
	WAIT_FOR(w, "ack");
	worker_end(w);
}
END_TEST

START_TEST(lines_of_the_log_name_the_trace)
{
	struct worker *w = worker_begin();
	struct log_subject about;

	STEPS(w, "job", UNSAMPLED, "started");
	FAKE_WAIT(&w->store, worker_job(w)->started_us != 0);
	about = job_subject(worker_job(w));
	ck_assert_str_eq(about.trace_id, TRACE);
	ck_assert_str_eq(about.task_id, "t1");
	ck_assert_str_eq(about.task_name, "job");
	ck_assert_int_eq(about.attempt, 1);
	worker_end(w);
}
END_TEST

/* A collector that takes a request, and answers it only when told. */
struct collector {
	int listener, port, peer;
};

static void
collector_begin(struct collector *c)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	c->peer = -1;
	c->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(c->listener, (void *)&a, len), 0);
	ck_assert_int_eq(listen(c->listener, 8), 0);
	ck_assert_int_eq(getsockname(c->listener, (void *)&a, &len), 0);
	c->port = ntohs(a.sin_port);
}

static bool
collector_is_asked(struct collector *c)
{
	if (c->peer < 0)
		c->peer = accept(c->listener, NULL, NULL);
	return c->peer >= 0;
}

/* One whose span waits for its second when it is told to stop. */
static struct worker *
begin_stop(const struct collector *c)
{
	static char export[64];
	const char *const settings[] = {export, NULL};
	const struct worker_setup setup = {.settings = settings};
	struct worker *w;

	snprintf(export, sizeof(export), "trace.export=http://127.0.0.1:%d",
		 c->port);
	w = worker_open(&setup);
	worker_up(w);
	STEPS(w, "job", SAMPLED, "started", "done=1");
	WAIT_FOR(w, "ack");
	dispatch_stop(w->dispatch);
	return w;
}

START_TEST(a_stop_waits_until_the_collector_has_the_spans)
{
	static const char answer[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	struct collector c;
	struct worker *w;

	collector_begin(&c);
	w = begin_stop(&c);
	FAKE_WAIT(&w->store, collector_is_asked(&c));
	ck_assert(!w->stopped);
	ck_assert_int_eq(send(c.peer, answer, sizeof(answer) - 1, 0),
			 sizeof(answer) - 1);
	FAKE_WAIT(&w->store, w->stopped);
	ck_assert(!exporter_is_busy(w->dispatch->exporter));
	ck_assert_int_eq(exporter_counts(w->dispatch->exporter).exported, 1);
	worker_end(w);
}
END_TEST

/* Nor for one that is not there. */
START_TEST(a_stop_does_not_wait_for_long_for_a_collector)
{
	struct collector c;
	struct worker *w;

	collector_begin(&c);
	if (_i == 1)
		close(c.listener);
	w = begin_stop(&c);
	FAKE_WAIT(&w->store, w->stopped);
	ck_assert(exporter_is_busy(w->dispatch->exporter));
	worker_end(w);
}
END_TEST

SUITE("dispatch-trace")
{
	TEST(an_attempt_is_a_child_of_its_producer);
	TEST(a_retry_begins_a_trace_that_is_linked);
	TEST(what_has_a_link_begins_a_trace_of_its_own);
	TEST(what_an_attempt_submits_is_its_child);
	TEST_LOOP(only_sampled_traces_have_spans, 0,
		  sizeof(samples) / sizeof(samples[0]));
	TEST(a_worker_whose_spans_go_nowhere_works);
	TEST(lines_of_the_log_name_the_trace);
	TEST(a_stop_waits_until_the_collector_has_the_spans);
	TEST_LOOP(a_stop_does_not_wait_for_long_for_a_collector, 0, 2);
}
