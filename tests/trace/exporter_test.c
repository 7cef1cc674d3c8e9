/* SPDX-License-Identifier: MIT */
/* Spans on their way: their form, a file that is full or renamed, and a collector
 * that is slow, dead, or answers with 503 or 400. */
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http.h"
#include "suite.h"
#include "trace/exporter.h"
#include "util/clock.h"
#include "util/err.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"
#define DEADLINE_MS 20000

/* --- a collector ------------------------------------------------------- */

struct place {
	struct event_base *base;
	struct exporter *exporter;
	struct http_server *collector;
	int port;
	unsigned int status; /* that it answers with; 0: it does not answer */
	unsigned int requests;
	struct buf last; /* body */
	char where[256];
};

static int64_t
on_head(struct http_request *request, void *arg)
{
	return 8 << 20;
}

static void
on_request(struct http_request *request, void *arg)
{
	struct place *p = arg;
	const struct http_reply reply = {
	    .status = p->status, .type = "application/json", .body = {"{}", 2}};
	const struct slice body = http_body(request);

	p->requests++;
	buf_reset(&p->last);
	buf_add(&p->last, body.p, body.len);
	ck_assert_str_eq(http_path(request), "/v1/traces");
	ck_assert_str_eq(http_header(request, "Content-Type"),
			 "application/json");
	if (p->status != 0)
		http_reply(request, &reply);
}

static void
on_gone(struct http_request *request, void *arg)
{
}

static int
listening(int *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				      .sin_port = htons((uint16_t)*ret_port)};
	socklen_t len = sizeof(address);
	const int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&address, &len);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void
collector_start(struct place *p)
{
	static const struct http_limits limits = {.head_timeout_us = 10000000,
						  .idle_timeout_us = 10000000,
						  .max_head = 8192,
						  .max_connections = 8};
	const struct http_user user = {.on_head = on_head,
				       .on_request = on_request,
				       .on_gone = on_gone,
				       .arg = p};
	struct err err;

	p->collector = http_server_new(p->base, &limits, &user, &err);
	ck_assert_ptr_nonnull(p->collector);
	ck_assert_int_eq(
	    http_server_listen(p->collector, listening(&p->port), NULL, &err),
	    0);
}

static void
collector_stop(struct place *p)
{
	http_server_free(p->collector);
	p->collector = NULL;
}

/* --- the exporter ------------------------------------------------------ */

static struct exporter *
place_try(struct place *p, struct err *err)
{
	const struct exporter_options options = {
	    .base = p->base,
	    .where = p->where,
	    .resource = {"flowrrad", "test:1", "1.0"}};

	return exporter_new(&options, err);
}

static void
place_open(struct place *p)
{
	struct err err;

	p->exporter = place_try(p, &err);
	ck_assert_msg(p->exporter != NULL, "%s", err.msg);
}

/* With a collector that answers so. */
static void
place_begin(struct place *p, unsigned int status)
{
	memset(p, 0, sizeof(*p));
	p->base = event_base_new();
	p->status = status;
	collector_start(p);
	snprintf(p->where, sizeof(p->where), "http://localhost:%d/v1/traces",
		 p->port);
	place_open(p);
}

static void
place_begin_file(struct place *p, const char *name)
{
	memset(p, 0, sizeof(*p));
	p->base = event_base_new();
	snprintf(p->where, sizeof(p->where), "file:%s/%s", suite_scratch(),
		 name);
	place_open(p);
}

static void
place_end(struct place *p)
{
	exporter_free(p->exporter);
	http_server_free(p->collector);
	event_base_free(p->base);
	buf_done(&p->last);
}

static const struct span a_span = {
    .context = {TRACE, SPAN, true},
    .started_us = 1700000000000001,
    .ended_us = 1700000000000005,
    .queue = "io",
    .task_id = "t\"1",
    .task = "add",
    .attempt = 1,
    .outcome = "succeeded",
};

static void
add(struct place *p, unsigned int n)
{
	while (n-- > 0)
		exporter_add(p->exporter, &a_span);
}

static int64_t
exported(const struct place *p)
{
	return exporter_counts(p->exporter).exported;
}

static int64_t
dropped(const struct place *p)
{
	return exporter_counts(p->exporter).dropped;
}

#define WAIT_UNTIL_IN(p, condition)                                            \
	do {                                                                   \
		const int64_t deadline_ = clock_mono_ms() + DEADLINE_MS;       \
		while (!(condition)) {                                         \
			ck_assert_msg(clock_mono_ms() < deadline_,             \
				      #condition);                             \
			event_base_loop((p)->base, EVLOOP_NONBLOCK);           \
			usleep(1000);                                          \
		}                                                              \
	} while (0)

/* The spans of a request; the caller frees *ret_all. */
static json_t *
spans_of(struct slice text, json_t **ret_all)
{
	json_t *resource, *scope;

	*ret_all = json_loadb(text.p, text.len, 0, NULL);
	ck_assert_msg(*ret_all != NULL, "%.*s", (int)text.len, text.p);
	resource =
	    json_array_get(json_object_get(*ret_all, "resourceSpans"), 0);
	scope = json_array_get(json_object_get(resource, "scopeSpans"), 0);
	return json_object_get(scope, "spans");
}

static size_t
count_spans(struct slice text)
{
	json_t *all, *spans = spans_of(text, &all);
	const size_t n = json_array_size(spans);

	json_decref(all);
	return n;
}

/* --- form -------------------------------------------------------------- */

START_TEST(a_span_is_written_as_otlp_wants_it)
{
	const struct trace_context link = {TRACE, SPAN, true};
	struct span s = a_span;
	struct buf b = BUF_INIT;
	json_t *j;

	s.parent_id = SPAN;
	s.link = &link;
	s.tracestate = SLICE("a=b");
	s.error = "timeout";
	s.outcome = "retried";
	s.ended_us = s.started_us - 5; /* the clock was set back */
	span_write(&s, &b);
	j = json_loadb(b.data, b.len, 0, NULL);
	ck_assert_msg(j != NULL, "%.*s", (int)b.len, b.data);
#define ck_text(name, text)                                                    \
	ck_assert_str_eq(json_string_value(json_object_get(j, name)), text)
	ck_text("traceId", TRACE);
	ck_text("spanId", SPAN);
	ck_text("parentSpanId", SPAN);
	ck_text("traceState", "a=b");
	ck_text("name", "process io");
	ck_text("startTimeUnixNano", "1700000000000001000");
	ck_text("endTimeUnixNano", "1700000000000001000");
	ck_assert_int_eq(json_integer_value(json_object_get(j, "kind")), 5);
	ck_assert_int_eq(json_integer_value(json_object_get(
			     json_object_get(j, "status"), "code")),
			 2);
	ck_assert_uint_eq(json_array_size(json_object_get(j, "links")), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(j, "attributes")), 9);
	json_decref(j);
	buf_done(&b);
}
END_TEST

static const struct {
	const char *where, *why; /* NULL: it may be */
} places[] = {
    {"file:/var/log/spans", NULL},
    {"http://127.0.0.1:4318/v1/traces", NULL},
    {"http://localhost", NULL},
    {"http://[::1]:4318", NULL},
    {"file:spans", "is not file:/PATH"},
    {"file:/", "is not file:/PATH"},
    {"https://127.0.0.1/", "is not file:/PATH or http://"},
    {"http://example.org/", "with a number or localhost"},
    {"http://127.0.0.1:0/", "with a number or localhost"},
    {"http://127.0.0.1:x/", "with a number or localhost"},
    {"http://127.0.0.1:65536/", "with a number or localhost"},
    {"http://[::1", "with a number or localhost"},
    {"http://127.0.0.1/a b", "with a number or localhost"},
    {"http://", "with a number or localhost"},
};

START_TEST(a_place_is_a_file_or_a_collector)
{
	struct err err = ERR_INIT;
	const int r = exporter_check(places[_i].where, &err);

	if (places[_i].why == NULL)
		ck_assert_msg(r == 0, "%s", err.msg);
	else
		ck_assert_msg(r == -1 && strstr(err.msg, places[_i].why), "%s",
			      err.msg);
}
END_TEST

/* --- a file ------------------------------------------------------------ */

/* The number of spans in a file; each line must be whole. */
static size_t
spans_in(const char *name)
{
	FILE *f = fopen(name, "r");
	char *line = NULL;
	size_t cap = 0, n = 0;
	ssize_t len;

	while (f != NULL && (len = getline(&line, &cap, f)) > 0) {
		ck_assert_int_eq(line[len - 1], '\n');
		n += count_spans((struct slice){line, (size_t)len});
	}
	free(line);
	if (f != NULL)
		fclose(f);
	return n;
}

START_TEST(a_file_has_all_spans_a_line_a_request)
{
	struct place p;

	place_begin_file(&p, "spans");
	add(&p, EXPORTER_SPANS + 3);
	WAIT_UNTIL_IN(&p, exported(&p) == EXPORTER_SPANS + 3);
	ck_assert_uint_eq(spans_in("spans"), EXPORTER_SPANS + 3);
	/* What is left at the end is written, too. */
	add(&p, 2);
	place_end(&p);
	ck_assert_uint_eq(spans_in("spans"), EXPORTER_SPANS + 5);
}
END_TEST

START_TEST(a_file_that_was_renamed_is_made_again)
{
	struct place p;

	place_begin_file(&p, "spans");
	add(&p, 1);
	WAIT_UNTIL_IN(&p, exported(&p) == 1);
	ck_assert_int_eq(rename("spans", "spans.1"), 0);
	exporter_reopen(p.exporter);
	add(&p, 2);
	WAIT_UNTIL_IN(&p, exported(&p) == 3);
	ck_assert_uint_eq(spans_in("spans.1"), 1);
	ck_assert_uint_eq(spans_in("spans"), 2);
	place_end(&p);
}
END_TEST

/* /dev/full takes nothing; nobody waits, and memory is limited. */
START_TEST(a_full_disk_costs_spans_and_no_more)
{
	struct place p = {.base = event_base_new(), .where = "file:/dev/full"};
	int64_t began;

	place_open(&p);
	add(&p, 1);
	exporter_flush(p.exporter);
	began = clock_mono_ms();
	while (dropped(&p) == 0) {
		add(&p, 100);
		event_base_loop(p.base, EVLOOP_NONBLOCK);
	}
	ck_assert_int_lt(clock_mono_ms() - began, DEADLINE_MS);
	ck_assert_int_eq(exported(&p), 0);
	place_end(&p);
}
END_TEST

/* --- a collector ------------------------------------------------------- */

START_TEST(a_collector_has_all_spans)
{
	struct place p;

	place_begin(&p, 200);
	add(&p, 3);
	WAIT_UNTIL_IN(&p, exported(&p) == 3);
	ck_assert_uint_eq(count_spans((struct slice){p.last.data, p.last.len}),
			  3);
	add(&p, EXPORTER_SPANS);
	WAIT_UNTIL_IN(&p, exported(&p) == EXPORTER_SPANS + 3);
	ck_assert_int_eq(dropped(&p), 0);
	place_end(&p);
}
END_TEST

/* 503 and 429 are tried again, until it answers otherwise. */
START_TEST(a_collector_that_is_busy_is_asked_again)
{
	struct place p;

	place_begin(&p, _i == 0 ? 503 : 429);
	add(&p, 3);
	WAIT_UNTIL_IN(&p, p.requests == 2);
	ck_assert_int_eq(exported(&p) + dropped(&p), 0);
	p.status = 200;
	WAIT_UNTIL_IN(&p, exported(&p) == 3);
	ck_assert_uint_eq(count_spans((struct slice){p.last.data, p.last.len}),
			  3);
	place_end(&p);
}
END_TEST

START_TEST(what_a_collector_refuses_is_dropped_and_counted)
{
	struct place p;

	place_begin(&p, 400);
	add(&p, 3);
	WAIT_UNTIL_IN(&p, dropped(&p) == 3);
	p.status = 200;
	add(&p, 2);
	WAIT_UNTIL_IN(&p, exported(&p) == 2);
	ck_assert_uint_eq(p.requests, 2);
	place_end(&p);
}
END_TEST

START_TEST(a_collector_that_is_dead_has_them_when_it_is_back)
{
	struct place p;

	place_begin(&p, 200);
	collector_stop(&p);
	add(&p, 3);
	exporter_flush(p.exporter);
	/* The first attempt fails at once. */
	event_base_loop(p.base, EVLOOP_ONCE);
	ck_assert_int_eq(exported(&p) + dropped(&p), 0);
	collector_start(&p);
	WAIT_UNTIL_IN(&p, exported(&p) == 3);
	place_end(&p);
}
END_TEST

/* It takes the request, and never answers: 4 MiB are kept, and no call waits. */
START_TEST(a_collector_that_is_slow_makes_nobody_wait)
{
	struct place p;
	int64_t began, kept;

	place_begin(&p, 0);
	add(&p, EXPORTER_SPANS);
	WAIT_UNTIL_IN(&p, p.requests == 1);
	began = clock_mono_ms();
	add(&p, 50000);
	ck_assert_int_lt(clock_mono_ms() - began, SANITIZED ? 10000 : 2000);
	kept = 50000 + EXPORTER_SPANS - dropped(&p);
	ck_assert_int_gt(kept, 1000);
	ck_assert_int_lt(kept, EXPORTER_BYTES / 300);
	place_end(&p);
}
END_TEST

SUITE("trace-exporter")
{
	SUITE_TIMEOUT(60);
	TEST(a_span_is_written_as_otlp_wants_it);
	TEST_LOOP(a_place_is_a_file_or_a_collector, 0,
		  sizeof(places) / sizeof(places[0]));
	TEST(a_file_has_all_spans_a_line_a_request);
	TEST(a_file_that_was_renamed_is_made_again);
	TEST(a_full_disk_costs_spans_and_no_more);
	TEST(a_collector_has_all_spans);
	TEST_LOOP(a_collector_that_is_busy_is_asked_again, 0, 2);
	TEST(what_a_collector_refuses_is_dropped_and_counted);
	TEST(a_collector_that_is_dead_has_them_when_it_is_back);
	TEST(a_collector_that_is_slow_makes_nobody_wait);
}
