/* SPDX-License-Identifier: MIT */
/* Malformed and ambiguous requests: one clear answer, and an end. */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/state.h"
#include "site.h"
#include "suite.h"
#include "util/buf.h"

#define H "Host: a\r\n"
#define BYTES(text) (text), sizeof(text) - 1

struct bad {
	const char *what;
	const char *bytes;
	size_t len;
	int status;
};

static const struct bad battery[] = {
    {"two lengths",
     BYTES("POST /echo HTTP/1.1\r\n" H
	   "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
     400},
    {"two lengths that differ",
     BYTES("POST /echo HTTP/1.1\r\n" H
	   "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"),
     400},
    {"a list of lengths",
     BYTES("POST /echo HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\nabc"), 400},
    {"a folded length",
     BYTES("POST /echo HTTP/1.1\r\n" H "Content-Length:\r\n 3\r\n\r\nabc"),
     400},
    {"a length with a plus",
     BYTES("POST /echo HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\nabc"), 400},
    {"a negative length",
     BYTES("POST /echo HTTP/1.1\r\n" H "Content-Length: -3\r\n\r\nabc"), 400},
    {"a hexadecimal length",
     BYTES("POST /echo HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\nabc"), 400},
    {"a length with a space in it",
     BYTES("POST /echo HTTP/1.1\r\n" H "Content-Length: 0 3\r\n\r\nabc"), 400},
    {"an empty length",
     BYTES("POST /echo HTTP/1.1\r\n" H "Content-Length:\r\n\r\nabc"), 400},
    {"a length that overflows",
     BYTES("POST /echo HTTP/1.1\r\n" H
	   "Content-Length: 18446744073709551619\r\n\r\nabc"),
     400},
    {"a length that is too long for the route",
     BYTES("POST /echo HTTP/1.1\r\n" H "Expect: 100-continue\r\n"
	   "Content-Length: 1001\r\n\r\n"),
     413},
    {"a length behind a name with a space",
     BYTES("POST /echo HTTP/1.1\r\n" H "Content-Length : 3\r\n\r\nabc"), 400},
    {"a cookie that is a quotation mark",
     BYTES("GET /echo HTTP/1.1\r\n" H "Cookie: a=\"x\"; b=\"\r\n\r\n"), 400},
    {"chunks",
     BYTES("POST /echo HTTP/1.1\r\n" H
	   "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
     411},
    {"an unknown coding",
     BYTES("POST /echo HTTP/1.1\r\n" H
	   "Transfer-Encoding: xchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
     501},
    {"chunks and a length",
     BYTES("POST /echo HTTP/1.1\r\n" H
	   "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
	   "0\r\n\r\nGET /hello HTTP/1.1\r\n" H "\r\n"),
     400},
    {"chunks in HTTP/1.0",
     BYTES("POST /echo HTTP/1.0\r\n" H
	   "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     411},
    {"two hosts", BYTES("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
     400},
    {"no host", BYTES("GET /hello HTTP/1.1\r\nA: b\r\n\r\n"), 400},
    {"no field at all", BYTES("GET /hello HTTP/1.1\r\n\r\n"), 400},
    {"an empty host", BYTES("GET /hello HTTP/1.1\r\nHost:\r\n\r\n"), 400},
    {"a host with a path", BYTES("GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n"),
     400},
    {"a host with a user", BYTES("GET /hello HTTP/1.1\r\nHost: a@b\r\n\r\n"),
     400},
    {"bare line feeds", BYTES("GET /hello HTTP/1.1\nHost: a\n\n"), 400},
    {"a bare line feed in a field",
     BYTES("GET /hello HTTP/1.1\r\n" H "A: b\nC: d\r\n\r\n"), 400},
    {"a bare line feed at the end",
     BYTES("GET /hello HTTP/1.1\r\n" H "\nGET /hello HTTP/1.1\r\n" H "\r\n"),
     400},
    {"a bare carriage return",
     BYTES("GET /hello HTTP/1.1\r\n" H "A: b\rC: d\r\n\r\n"), 400},
    {"a NUL in a value", BYTES("GET /hello HTTP/1.1\r\n" H "A: b\0c\r\n\r\n"),
     400},
    {"a NUL in a name", BYTES("GET /hello HTTP/1.1\r\n" H "A\0B: c\r\n\r\n"),
     400},
    {"a NUL in the target", BYTES("GET /he\0llo HTTP/1.1\r\n" H "\r\n"), 400},
    {"a control character in a value",
     BYTES("GET /hello HTTP/1.1\r\n" H "A: b\001c\r\n\r\n"), 400},
    {"an empty name", BYTES("GET /hello HTTP/1.1\r\n" H ": b\r\n\r\n"), 400},
    {"a name with a space", BYTES("GET /hello HTTP/1.1\r\n" H "A b: c\r\n\r\n"),
     400},
    {"a name with a tab", BYTES("GET /hello HTTP/1.1\r\n" H "A\t: c\r\n\r\n"),
     400},
    {"a name that is not ASCII",
     BYTES("GET /hello HTTP/1.1\r\n" H "\xc3\xa9: c\r\n\r\n"), 400},
    {"a field without a colon", BYTES("GET /hello HTTP/1.1\r\n" H "A\r\n\r\n"),
     400},
    {"a folded field", BYTES("GET /hello HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n"),
     400},
    {"a fold in front", BYTES("GET /hello HTTP/1.1\r\n A: b\r\n" H "\r\n"),
     400},
    {"two authorizations",
     BYTES("GET /hello HTTP/1.1\r\n" H
	   "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"),
     400},
    {"no version", BYTES("GET /hello\r\n\r\n"), 400},
    {"no target", BYTES("GET\r\n\r\n"), 400},
    {"an unreadable version", BYTES("GET /hello HTTP/x.y\r\n" H "\r\n"), 400},
    {"a lower-case version", BYTES("GET /hello http/1.1\r\n" H "\r\n"), 400},
    {"HTTP/2", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505},
    {"HTTP/0.9", BYTES("GET /hello HTTP/0.9\r\n" H "\r\n"), 505},
    {"two spaces", BYTES("GET  /hello HTTP/1.1\r\n" H "\r\n"), 400},
    {"a space in the target", BYTES("GET /he llo HTTP/1.1\r\n" H "\r\n"), 400},
    {"a tab in front of the version",
     BYTES("GET /hello\tHTTP/1.1\r\n" H "\r\n"), 400},
    {"a method that is not a token", BYTES("G(T /hello HTTP/1.1\r\n" H "\r\n"),
     400},
    {"a target without a slash", BYTES("GET hello HTTP/1.1\r\n" H "\r\n"), 400},
    {"an asterisk", BYTES("OPTIONS * HTTP/1.1\r\n" H "\r\n"), 400},
    {"a tunnel", BYTES("CONNECT a:80 HTTP/1.1\r\n" H "\r\n"), 400},
    {"another host in the target",
     BYTES("GET http://b/hello HTTP/1.1\r\n" H "\r\n"), 400},
    {"a longer host in the target",
     BYTES("GET http://a.b/hello HTTP/1.1\r\n" H "\r\n"), 400},
    {"a user in the target",
     BYTES("GET http://a@b/hello HTTP/1.1\r\n" H "\r\n"), 400},
    {"a bad escape", BYTES("GET /%zz HTTP/1.1\r\n" H "\r\n"), 400},
    {"a cut escape", BYTES("GET /%4 HTTP/1.1\r\n" H "\r\n"), 400},
    {"an encoded NUL", BYTES("GET /%00 HTTP/1.1\r\n" H "\r\n"), 400},
    {"an encoded line feed", BYTES("GET /a%0ab HTTP/1.1\r\n" H "\r\n"), 400},
    {"an encoded slash", BYTES("GET /a%2Fb HTTP/1.1\r\n" H "\r\n"), 400},
    {"an encoded backslash", BYTES("GET /a%5cb HTTP/1.1\r\n" H "\r\n"), 400},
    {"a backslash", BYTES("GET /a\\b HTTP/1.1\r\n" H "\r\n"), 400},
    {"two dots", BYTES("GET /../etc/passwd HTTP/1.1\r\n" H "\r\n"), 400},
    {"two dots at the end", BYTES("GET /a/.. HTTP/1.1\r\n" H "\r\n"), 400},
    {"encoded dots", BYTES("GET /%2e%2E/etc HTTP/1.1\r\n" H "\r\n"), 400},
    {"a dot", BYTES("GET /./hello HTTP/1.1\r\n" H "\r\n"), 400},
    {"bad UTF-8", BYTES("GET /%ff HTTP/1.1\r\n" H "\r\n"), 400},
    {"overlong UTF-8", BYTES("GET /%c0%af HTTP/1.1\r\n" H "\r\n"), 400},
    {"bytes that need an escape", BYTES("GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n"),
     400},
    {"a fragment", BYTES("GET /hello#a HTTP/1.1\r\n" H "\r\n"), 400},
    {"a body of GET",
     BYTES("GET /hello HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc"), 400},
    {"a body of HEAD, which is a request",
     BYTES(
	 "HEAD /hello HTTP/1.1\r\n" H
	 "Content-Length: 35\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\nab"),
     400},
    {"a body of DELETE",
     BYTES("DELETE /hello HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc"), 400},
    {"POST without a length", BYTES("POST /echo HTTP/1.1\r\n" H "\r\n"), 411},
    {"PUT without a length", BYTES("PUT /echo HTTP/1.1\r\n" H "\r\n"), 411},
    {"an unknown expectation",
     BYTES("POST /echo HTTP/1.1\r\n" H
	   "Expect: tea\r\nContent-Length: 3\r\n\r\nabc"),
     417},
    {"a handshake of TLS", BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc"), 400},
    {"two expectations",
     BYTES("POST /echo HTTP/1.1\r\n" H "Expect: 100-continue\r\n"
	   "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"),
     400},
};
#define N_BATTERY (sizeof(battery) / sizeof(battery[0]))

static size_t
count_heads(const char *text)
{
	size_t n = 0;

	while ((text = strstr(text, "HTTP/1.")) != NULL) {
		n += text[8] == ' ' && isdigit((unsigned char)text[9]);
		text++;
	}
	return n;
}

/* The members that all problems of the API have. */
static void
check_problem(const struct bad *bad, const char *body, const char *id)
{
	json_t *json = json_loads(body, 0, NULL);
	const char *code, *detail, *request_id;
	int status;

	ck_assert_msg(json_unpack(json, "{s:i,s:s,s:s,s:n,s:n,s:s!}", "status",
				  &status, "code", &code, "detail", &detail,
				  "field", "hint", "request_id",
				  &request_id) == 0,
		      "%s: %s", bad->what, body);
	ck_assert_int_eq(status, bad->status);
	ck_assert_str_eq(code, http_problem_code((unsigned int)bad->status));
	ck_assert_str_eq(request_id, id);
	json_decref(json);
}

/* One answer, of which the rest of the connection has nothing but the end. */
static void
check_refused(struct peer *peer, const struct bad *bad)
{
	const char *id;
	struct reply reply;

	peer_send(peer, bad->bytes, bad->len);
	peer_wait_eof(peer);
	ck_assert_msg(peer->in.len > 0, "%s: no answer", bad->what);
	ck_assert_msg(count_heads(peer->in.data) == 1, "%s: %s", bad->what,
		      peer->in.data);
	if (strncmp(bad->bytes, "HEAD", 4) == 0)
		peer_reply_head(peer, &reply);
	else
		peer_reply(peer, &reply);
	ck_assert_msg(reply.status == bad->status, "%s: %s%s", bad->what,
		      reply.head, reply.body);
	ck_assert_msg(peer->in.len == 0, "%s: %s", bad->what, peer->in.data);
	ck_assert_msg(strcmp(reply_field(&reply, "Content-Type"),
			     "application/problem+json") == 0,
		      "%s: %s", bad->what, reply.head);
	ck_assert_str_eq(reply_field(&reply, "Connection"), "close");
	ck_assert_str_eq(reply_field(&reply, "X-Site"), "yes");
	/* As of all replies of the API: an operator finds it in the log. */
	id = reply_field(&reply, "X-Request-Id");
	ck_assert_msg(strlen(id) == 22, "%s: %s", bad->what, reply.head);
	if (strncmp(bad->bytes, "HEAD", 4) != 0)
		check_problem(bad, reply.body, id);
}

START_TEST(a_malformed_request_gets_one_answer)
{
	const struct bad *bad = &battery[_i];
	struct site site;
	struct peer peer = site_open(&site);

	check_refused(&peer, bad);
	ck_assert_uint_eq(site.requests, 0);
	site_close(&site, &peer);
}
END_TEST

START_TEST(so_does_one_behind_a_good_one)
{
	const struct bad *bad = &battery[_i];
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;

	peer_ask(&peer, "GET /hello HTTP/1.1\r\n" H "\r\n", &reply);
	ck_assert_int_eq(reply.status, 200);
	check_refused(&peer, bad);
	ck_assert_uint_eq(site.requests, 1);
	site_close(&site, &peer);
}
END_TEST

/* libmicrohttpd has read both at once: what it takes is seen by its places. */
START_TEST(one_that_was_sent_with_a_good_one_is_refused)
{
	static const char good[] = "GET /hello HTTP/1.1\r\n" H "\r\n";
	const struct bad *bad = &battery[_i];
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;
	char both[1024];

	memcpy(both, good, sizeof(good) - 1);
	memcpy(both + sizeof(good) - 1, bad->bytes, bad->len);
	peer_send(&peer, both, sizeof(good) - 1 + bad->len);
	peer_reply(&peer, &reply);
	ck_assert_int_eq(reply.status, 200);
	peer_wait_eof(&peer);
	ck_assert_uint_eq(site.requests, 1);
	/* One that it cannot read at all it closes without a word. From 1.0 on
	 * it also refuses a coding that it does not know, before we see it. */
	if (peer.in.len > 0) {
		peer_reply_head(&peer, &reply);
		ck_assert_msg(reply.status == bad->status ||
				  (reply.status == 400 && bad->status == 501 &&
				   http_parser_is_strict()),
			      "%s: %s", bad->what, reply.head);
		ck_assert_msg(peer.in.len == 0 ||
				  count_heads(peer.in.data) == 0,
			      "%s: %s", bad->what, peer.in.data);
	}
	site_close(&site, &peer);
}
END_TEST

/* --- what is taken ---------------------------------------------------------- */

/* Odd, but nobody reads it in two ways. */
static const struct {
	const char *what, *bytes;
} odd[] = {
    {"a quoted cookie with all of a lone one in it",
     "GET /hello HTTP/1.1\r\n" H "Cookie: a=\"; b=\"\r\n\r\n"},
    {"a target with its host", "GET http://a/hello HTTP/1.1\r\n" H "\r\n"},
    {"a length of nothing",
     "GET /hello HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n"},
    {"blanks behind a value", "GET /hello HTTP/1.1\r\nHost: a \t\r\n\r\n"},
    {"dots and backslashes in the query",
     "GET /hello?a=/../&b=\\ HTTP/1.1\r\n" H "\r\n"},
};

static int
status_of(const char *bytes)
{
	struct site site;
	struct peer peer;
	struct reply reply;

	site_init(&site);
	site.limits.max_head = 16384;
	site_start(&site);
	peer = peer_open(&site);
	peer_ask(&peer, bytes, &reply);
	peer_close(&peer);
	site_stop(&site);
	return reply.status;
}

START_TEST(what_is_odd_but_clear_is_taken)
{
	ck_assert_msg(status_of(odd[_i].bytes) == 200, "%s", odd[_i].what);
}
END_TEST

/* A request that has so many fields, Host among them. */
static int
status_with_fields(int n)
{
	struct buf bytes = BUF_INIT;
	int status;

	buf_adds(&bytes, "GET /hello HTTP/1.1\r\n" H);
	while (--n > 0)
		buf_adds(&bytes, "A: b\r\n");
	buf_adds(&bytes, "\r\n");
	status = status_of(bytes.data);
	buf_done(&bytes);
	return status;
}

static int
status_with_cookies(int n)
{
	struct buf bytes = BUF_INIT;
	int status;

	buf_adds(&bytes, "GET /hello HTTP/1.1\r\n" H "Cookie: a=b");
	while (--n > 0)
		buf_adds(&bytes, ";a=b");
	buf_adds(&bytes, "\r\n\r\n");
	status = status_of(bytes.data);
	buf_done(&bytes);
	return status;
}

START_TEST(a_hundred_fields_and_two_hundred_cookies_are_taken)
{
	ck_assert_int_eq(status_with_fields(100), 200);
	ck_assert_int_eq(status_with_fields(101), 431);
	ck_assert_int_eq(status_with_cookies(200), 200);
	ck_assert_int_eq(status_with_cookies(201), 431);
}
END_TEST

SUITE("http-gate")
{
	TEST_LOOP(what_is_odd_but_clear_is_taken, 0,
		  (int)(sizeof(odd) / sizeof(odd[0])));
	TEST(a_hundred_fields_and_two_hundred_cookies_are_taken);
	TEST_LOOP(a_malformed_request_gets_one_answer, 0, (int)N_BATTERY);
	TEST_LOOP(so_does_one_behind_a_good_one, 0, (int)N_BATTERY);
	TEST_LOOP(one_that_was_sent_with_a_good_one_is_refused, 0,
		  (int)N_BATTERY);
}
