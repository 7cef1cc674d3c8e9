/* SPDX-License-Identifier: MIT */
/* Requests and replies. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "site.h"
#include "suite.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

START_TEST(a_request_is_replied_to)
{
	struct site site;
	struct peer peer;
	struct reply reply;

	site_init(&site);
	site_start(&site);
	peer = peer_open(&site);
	peer_ask(&peer, GET("/hello"), &reply);
	ck_assert_int_eq(reply.status, 200);
	ck_assert_str_eq(reply.body, "hello");
	ck_assert_str_eq(reply_field(&reply, "Content-Type"), "text/plain");
	peer_ask(&peer, GET("/a%20b/%C3%A9?x=1&y=%20"), &reply);
	ck_assert_str_eq(reply.body, "/a b/\xc3\xa9 x=1&y=%20");
	peer_ask(
	    &peer,
	    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
	    &reply);
	ck_assert_str_eq(reply.body, "abc");
	peer_ask(&peer, GET("/empty"), &reply);
	ck_assert_int_eq(reply.status, 204);
	ck_assert_uint_eq(site.requests, 4);
	peer_close(&peer);
	site_stop(&site);
}
END_TEST

START_TEST(a_unix_socket_tells_who_connects)
{
	struct site site;
	struct peer peer;
	struct reply reply;
	char mine[64];

	site_init(&site);
	site_start(&site);
	peer = peer_open_unix(&site);
	peer_ask(&peer, GET("/peer"), &reply);
	snprintf(mine, sizeof(mine), "unix %lu", (unsigned long)getuid());
	ck_assert_str_eq(reply.body, mine);
	peer_close(&peer);
	peer = peer_open(&site);
	peer_ask(&peer, GET("/peer"), &reply);
	ck_assert_str_eq(reply.body, "127.0.0.1 -1");
	peer_close(&peer);
	site_stop(&site);
}
END_TEST

SUITE("http-server")
{
	TEST(a_request_is_replied_to);
	TEST(a_unix_socket_tells_who_connects);
}
