/* SPDX-License-Identifier: MIT */
/*
 * Spans to a collector, as OTLP over HTTP with JSON. The client is libevent's,
 * loaded when it is used.
 *
 * The collector is one of this machine or network that is named by its address: to
 * ask for a name could wait. Each batch has a connection of its own: at one a
 * second that costs nothing, and one that the collector has closed meanwhile is no
 * trouble.
 */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loaded/evhttp.h"
#include "trace/sink.h"
#include "util/err.h"
#include "util/library.h"

LIBRARY("libevent's HTTP client", evhttp);

/* A collector that takes longer is slow; its batch is tried again. */
#define TIMEOUT_S 10
/* Of an answer, of which only the status counts. */
#define BODY_MAX 65536
#define HEAD_MAX 8192

struct place {
	char host[64]; /* a number, without brackets */
	uint16_t port;
	const char *path;
};

struct sink {
	struct event_base *base;
	struct place place;
	char *rest;
	sink_done_fn *on_done;
	void *arg;
	/* Of the last batch: it is not freed in its own callback. */
	struct evhttp_connection *connection;
};

/* --- addresses --------------------------------------------------------- */

/* An address that no name has to be asked for. */
static bool
is_number(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	return inet_pton(AF_INET, host, &four) == 1 ||
	       inet_pton(AF_INET6, host, &six) == 1;
}

/* The host of ADDRESS or [ADDRESS]; returns what follows, or NULL. */
static const char *
read_host(const char *p, char host[64])
{
	const bool brackets = *p == '[';
	const size_t len = brackets ? strcspn(p + 1, "]") : strcspn(p, ":/");

	if (len == 0 || len >= 64)
		return NULL;
	snprintf(host, 64, "%.*s", (int)len, p + brackets);
	if (strcmp(host, "localhost") == 0)
		strcpy(host, "127.0.0.1"); /* NOLINT: it is as long */
	p += len + brackets;
	if (brackets && *p++ != ']')
		return NULL;
	return is_number(host) ? p : NULL;
}

/* 4318 is the port of OTLP over HTTP. */
static bool
read_place(const char *rest, struct place *ret)
{
	const char *p = read_host(rest, ret->host);
	unsigned long port = 4318;
	char *end;

	if (p != NULL && *p == ':') {
		if (p[1] < '0' || p[1] > '9')
			return false;
		port = strtoul(p + 1, &end, 10);
		p = end;
	}
	if (p == NULL || port == 0 || port > 65535 || (*p != '/' && *p != '\0'))
		return false;
	ret->port = (uint16_t)port;
	ret->path = *p == '/' ? p : "/v1/traces";
	/* It becomes a part of a request's first line. */
	for (p = ret->path; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return true;
}

static int
http_check(const char *rest, struct err *err)
{
	struct place place;

	if (read_place(rest, &place))
		return 0;
	return err_set(err, ERR_CONFIG,
		       "[trace] export: \"http://%.64s\" is not "
		       "http://ADDRESS:PORT/PATH, with a number or localhost "
		       "for the address",
		       rest);
}

/* --- requests ---------------------------------------------------------- */

/* What the protocol calls retryable, and what has no answer. */
static enum sink_result
result_of(int code)
{
	if (code >= 200 && code < 300)
		return SINK_DONE;
	return code == 0 || code == 429 || code >= 500 ? SINK_AGAIN
						       : SINK_REFUSED;
}

/* `request` is NULL where nobody has answered. */
static void
on_http_answered(struct evhttp_request *request, void *arg)
{
	struct sink *s = arg;
	const int code =
	    request != NULL ? evhttp_request_get_response_code(request) : 0;
	const enum sink_result result = result_of(code);
	char why[256];

	if (code == 0)
		snprintf(why, sizeof(why), "http://%.150s does not answer",
			 s->rest);
	else
		snprintf(why, sizeof(why), "http://%.150s answers %d", s->rest,
			 code);
	s->on_done(result, result == SINK_DONE ? NULL : why, s->arg);
}

/* NULL without memory. */
static struct evhttp_request *
http_make(struct sink *s, struct slice body)
{
	struct evhttp_request *request =
	    evhttp_request_new(on_http_answered, s);
	struct evkeyvalq *headers;

	if (request == NULL)
		return NULL;
	headers = evhttp_request_get_output_headers(request);
	evhttp_add_header(headers, "Host", s->place.host);
	evhttp_add_header(headers, "Content-Type", "application/json");
	evhttp_add_header(headers, "Connection", "close");
	evbuffer_add(evhttp_request_get_output_buffer(request), body.p,
		     body.len);
	return request;
}

/* A request that is under way ends without its callback. */
static void
http_forget(struct sink *s)
{
	if (s->connection != NULL)
		evhttp_connection_free(s->connection);
	s->connection = NULL;
}

/* A request that cannot even be made is told as if it had no answer. */
static void
http_send(struct sink *s, struct slice body)
{
	struct evhttp_request *request;

	http_forget(s);
	s->connection = evhttp_connection_base_new(s->base, NULL, s->place.host,
						   s->place.port);
	if (s->connection == NULL || (request = http_make(s, body)) == NULL) {
		on_http_answered(NULL, s);
		return;
	}
	evhttp_connection_set_timeout(s->connection, TIMEOUT_S);
	evhttp_connection_set_max_body_size(s->connection, BODY_MAX);
	evhttp_connection_set_max_headers_size(s->connection, HEAD_MAX);
	/* Where connecting fails it has called back; else it says so. */
	if (evhttp_make_request(s->connection, request, EVHTTP_REQ_POST,
				s->place.path) != 0)
		on_http_answered(NULL, s);
}

/* --- life -------------------------------------------------------------- */

/* What is left is lost: a collector that does not answer must not hold up a stop. */
static void
http_close(struct sink *s, struct slice rest)
{
	http_forget(s);
	free(s->rest);
	free(s);
}

static struct sink *
http_open(struct event_base *base, const char *rest, sink_done_fn *on_done,
	  void *arg, struct err *err)
{
	struct sink *s;

	if (http_check(rest, err) != 0 ||
	    library_load(&library_evhttp, err) != 0)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL || (s->rest = strdup(rest)) == NULL) {
		free(s);
		err_nomem(err);
		return NULL;
	}
	read_place(s->rest, &s->place);
	s->base = base;
	s->on_done = on_done;
	s->arg = arg;
	return s;
}

const struct sink_kind sink_http = {.check = http_check,
				    .open = http_open,
				    .send = http_send,
				    .close = http_close};
