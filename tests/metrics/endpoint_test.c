/* SPDX-License-Identifier: MIT */
/* Where a daemon serves its metrics: what is answered, to whom, and how often it
 * is made. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "metrics/endpoint.h"
#include "metrics/text.h"
#include "metrics_grammar.h"
#include "suite.h"
#include "util/clock.h"
#include "util/err.h"

#define KEY "[metrics] listen"
#define PATH "metrics.sock"

struct place {
	struct event_base *base;
	struct metrics_endpoint *endpoint;
	unsigned int made;
	char listen[256], reply[8192];
};

static void
write_some(struct metrics_text *m, void *arg)
{
	struct place *p = arg;

	p->made++;
	metrics_begin(m, METRIC_WORKER_UNSETTLED);
	metrics_sample(m, METRICS_NO_LABELS, 42);
	metrics_begin(m, METRIC_WORKER_RELOADS);
	metrics_sample(m, METRICS_NO_LABELS, 1);
}

static struct metrics_endpoint *
place_try(struct place *p, struct err *err)
{
	const struct metrics_endpoint_options options = {.base = p->base,
							 .key = KEY,
							 .listen = p->listen,
							 .write = write_some,
							 .arg = p};

	return metrics_endpoint_new(&options, err);
}

static void
place_open(struct place *p)
{
	struct err err;

	memset(p, 0, sizeof(*p));
	p->base = event_base_new();
	snprintf(p->listen, sizeof(p->listen), "unix:%s/" PATH,
		 suite_scratch());
	p->endpoint = place_try(p, &err);
	ck_assert_msg(p->endpoint != NULL, "%s", err.msg);
}

static void
place_close(struct place *p)
{
	metrics_endpoint_free(p->endpoint);
	event_base_free(p->base);
}

static int
place_connect(void)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX,
					    .sun_path = PATH};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Runs the loop until the peer has all; the connection is closed behind it. */
static const char *
place_ask(struct place *p, const char *method, const char *path,
	  const char *headers)
{
	const int64_t deadline = clock_mono_ms() + 10000;
	char request[512];
	ssize_t n;
	size_t len = 0;
	int fd = place_connect();

	snprintf(request, sizeof(request),
		 "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		 "%s\r\n",
		 method, path, headers);
	ck_assert_int_eq(write(fd, request, strlen(request)),
			 (ssize_t)strlen(request));
	do {
		ck_assert_int_lt(clock_mono_ms(), deadline);
		event_base_loop(p->base, EVLOOP_NONBLOCK);
		n = recv(fd, p->reply + len, sizeof(p->reply) - 1 - len,
			 MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
	} while (n != 0);
	p->reply[len] = '\0';
	close(fd);
	return p->reply;
}

#define ck_reply(text, part)                                                   \
	ck_assert_msg(strstr((text), (part)) != NULL, "%s", (text))

static void
ck_body(const char *reply, bool openmetrics)
{
	const char *body = strstr(reply, "\r\n\r\n");
	struct metrics_fault fault;

	ck_assert_ptr_nonnull(body);
	ck_assert_msg(metrics_check(body + 4, openmetrics, &fault) == 0,
		      "line %zu: %s\n%s", fault.line, fault.why, body);
	ck_reply(body, "\nflowrra_worker_unsettled 42\n");
	ck_reply(body, "\nflowrra_worker_reloads_total 1\n");
}

START_TEST(the_client_chooses_the_form)
{
	struct place p;
	const char *reply;

	place_open(&p);
	reply = place_ask(&p, "GET", "/metrics", "");
	ck_reply(reply, "HTTP/1.1 200 ");
	ck_reply(reply, "text/plain; version=0.0.4");
	ck_body(reply, false);
	reply = place_ask(&p, "GET", "/metrics",
			  "Accept: application/openmetrics-text;version=1.0.0,"
			  "text/plain;q=0.5\r\n");
	ck_reply(reply, "application/openmetrics-text; version=1.0.0");
	ck_body(reply, true);
	place_close(&p);
}
END_TEST

START_TEST(only_two_paths_are_answered_and_nothing_is_taken)
{
	struct place p;

	place_open(&p);
	ck_reply(place_ask(&p, "GET", "/healthz", ""), "HTTP/1.1 200 ");
	ck_reply(place_ask(&p, "GET", "/", ""), "HTTP/1.1 404 ");
	ck_reply(place_ask(&p, "POST", "/metrics", "Content-Length: 0\r\n"),
		 "HTTP/1.1 405 ");
	ck_reply(place_ask(&p, "GET", "/metrics", "Host: two\r\n"),
		 "HTTP/1.1 400 ");
	ck_assert_uint_eq(p.made, 0);
	place_close(&p);
}
END_TEST

/* A loop of curl would take the time of tasks. */
START_TEST(a_text_is_made_once_a_second)
{
	struct place p;
	int i;

	place_open(&p);
	for (i = 0; i < 20; i++)
		place_ask(&p, "GET", "/metrics", "");
	/* The tests share the machine: twenty may take a while. */
	ck_assert_uint_lt(p.made, 10);
	place_close(&p);
}
END_TEST

/* More than its limit: those wait, and the daemon has its descriptors. */
START_TEST(connections_are_limited)
{
	int fds[40];
	struct place p;
	size_t i;

	place_open(&p);
	for (i = 0; i < 40; i++)
		fds[i] = place_connect();
	for (i = 0; i < 100; i++)
		event_base_loop(p.base, EVLOOP_NONBLOCK);
	/* The one that was idle for longest makes room for it. */
	ck_reply(place_ask(&p, "GET", "/healthz", ""), "HTTP/1.1 200 ");
	for (i = 0; i < 40; i++)
		close(fds[i]);
	place_close(&p);
}
END_TEST

static const struct {
	const char *listen;
	const char *why; /* NULL: it may be */
} words[] = {
    {"127.0.0.1:9464", NULL},
    {"localhost:9464 [::1]:9464", NULL},
    {"unix:/run/flowrra/metrics.sock, 127.9.9.9:1", NULL},
    {"0.0.0.0:9464", KEY ": other machines would reach 0.0.0.0:9464"},
    {"127.0.0.1:9464 [::]:9464", KEY ": other machines would reach [::]:9464"},
    {"192.0.2.1:9464", KEY ": other machines would reach 192.0.2.1:9464"},
    {"9464", KEY ": \"9464\" is not ADDRESS:PORT"},
    {"unix:here", KEY ": \"unix:here\" is not ADDRESS:PORT"},
    {"example.org:9464", KEY ": \"example.org:9464\" is not ADDRESS:PORT"},
};

START_TEST(only_this_machine_may_reach_it)
{
	struct err err = ERR_INIT;
	const int r = metrics_endpoint_check(KEY, words[_i].listen, &err);

	if (words[_i].why == NULL) {
		ck_assert_msg(r == 0, "%s", err.msg);
	} else {
		ck_assert_int_eq(r, -1);
		ck_assert_int_eq(err.code, ERR_CONFIG);
		ck_reply(err.msg, words[_i].why);
	}
}
END_TEST

START_TEST(an_address_that_is_taken_is_told)
{
	struct err err = ERR_INIT;
	struct place p;

	place_open(&p);
	ck_assert_ptr_null(place_try(&p, &err));
	ck_reply(err.msg, KEY ": cannot listen on unix:");
	place_close(&p);
}
END_TEST

SUITE("metrics-endpoint")
{
	TEST(the_client_chooses_the_form);
	TEST(only_two_paths_are_answered_and_nothing_is_taken);
	TEST(a_text_is_made_once_a_second);
	TEST(connections_are_limited);
	TEST_LOOP(only_this_machine_may_reach_it, 0,
		  sizeof(words) / sizeof(words[0]));
	TEST(an_address_that_is_taken_is_told);
}
