/* SPDX-License-Identifier: MIT */
/* What a peer may take: time and bytes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "site.h"
#include "suite.h"
#include "util/clock.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* Sends a byte every 20 ms, or later, until the server has had enough. Returns how
 * many it sent. */
static size_t
peer_dribble(struct peer *peer, const char *text)
{
	int64_t next = clock_mono_us(), until = site_deadline();
	size_t n = 0;

	while (text[n] != '\0' && !peer->eof && peer->in.len == 0) {
		if (clock_mono_us() >= next) {
			peer_send(peer, text + n++, 1);
			next = clock_mono_us() + 20000;
		}
		peer_poll(peer);
		ck_assert(!site_late(until));
	}
	return n;
}

static const char slow_head[] =
    "GET /hello HTTP/1.1\r\nHost: a\r\n"
    "A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

START_TEST(a_head_that_comes_byte_by_byte_is_cut_off)
{
	struct site site;
	struct peer peer;
	struct reply reply;

	site_init(&site);
	site.limits.head_timeout_us = 300000;
	site_start(&site);
	peer = peer_open(&site);
	/* The second head of a connection, too. */
	if (_i == 1)
		peer_ask(&peer, GET("/hello"), &reply);
	/* 2 s; bytes rather than time, for a machine that is busy. */
	ck_assert_uint_lt(peer_dribble(&peer, slow_head), 100);
	peer_reply(&peer, &reply);
	ck_assert_int_eq(reply.status, 408);
	peer_wait_eof(&peer);
	ck_assert_uint_eq(site.requests, (unsigned int)_i);
	site_close(&site, &peer);
}
END_TEST

START_TEST(a_slow_head_behind_a_pipelined_one_is_cut_off)
{
	struct site site;
	struct peer peer;
	struct reply reply;

	site_init(&site);
	site.limits.head_timeout_us = 300000;
	site_start(&site);
	peer = peer_open(&site);
	peer_say(&peer, GET("/hello") "GET /hello HT");
	peer_reply(&peer, &reply);
	peer_dribble(&peer, slow_head + strlen("GET /hello HT"));
	peer_reply(&peer, &reply);
	ck_assert_int_eq(reply.status, 408);
	peer_wait_eof(&peer);
	ck_assert_uint_eq(site.requests, 1);
	site_close(&site, &peer);
}
END_TEST

START_TEST(a_slow_body_is_cut_off)
{
	struct site site;
	struct peer peer;
	struct reply reply;

	site_init(&site);
	site.limits.head_timeout_us = 300000;
	site_start(&site);
	peer = peer_open(&site);
	peer_say(&peer, "POST /echo HTTP/1.1\r\nHost: a\r\n"
			"Content-Length: 1000\r\n\r\n");
	peer_dribble(&peer, slow_head);
	peer_reply(&peer, &reply);
	ck_assert_int_eq(reply.status, 408);
	peer_wait_eof(&peer);
	ck_assert_uint_eq(site.requests, 0);
	site_close(&site, &peer);
}
END_TEST

/* At 4 KiB a second, behind the time that a head has. */
START_TEST(a_long_body_has_the_time_that_a_modem_needs)
{
	static char body[40960];
	struct site site;
	struct peer peer;
	struct reply reply;
	int64_t until;

	site_init(&site);
	site.limits.head_timeout_us = 100000;
	site_start(&site);
	peer = peer_open(&site);
	peer_say(&peer, "POST /upload HTTP/1.1\r\nHost: a\r\n"
			"Content-Length: 40960\r\n\r\n");
	SITE_WAIT(&site, site.heads == 1);
	until = clock_mono_us() + 500000;
	SITE_WAIT(&site, clock_mono_us() > until);
	peer_send(&peer, body, sizeof(body));
	peer_reply(&peer, &reply);
	ck_assert_int_eq(reply.status, 200);
	peer_close(&peer);
	site_stop(&site);
}
END_TEST

/* Sends as much as the socket takes, until it takes no more. Returns how much. */
static size_t
peer_flood(struct peer *peer)
{
	static char bytes[65536];
	const int64_t until = site_deadline();
	size_t all = 0;
	ssize_t n;

	for (;;) {
		n = send(peer->fd, bytes, sizeof(bytes),
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return all;
		all += n > 0 ? (size_t)n : 0;
		site_turn(peer->site);
		ck_assert(!site_late(until));
	}
}

/* For the time in which a peer reads our last words, it is listened to; but one
 * that floods us is not. */
START_TEST(a_refused_peer_that_floods_is_not_waited_for)
{
	struct site site;
	struct peer peer;
	struct reply reply;

	site_init(&site);
	site_start(&site);
	peer = peer_open(&site);
	peer_ask(&peer, "GET /hello HTTP/1.1\r\n\r\n", &reply);
	ck_assert_int_eq(reply.status, 400);
	/* A mebibyte, and what sockets hold. */
	ck_assert_uint_lt(peer_flood(&peer), 8u << 20);
	peer_close(&peer);
	site_stop(&site);
}
END_TEST

START_TEST(an_idle_connection_ends)
{
	struct site site;
	struct peer fresh, used;
	struct reply reply;
	int64_t begin = clock_mono_us();

	site_init(&site);
	site.limits.idle_timeout_us = 1000000;
	site_start(&site);
	fresh = peer_open(&site);
	used = peer_open(&site);
	peer_ask(&used, GET("/hello"), &reply);
	peer_wait_eof(&fresh);
	peer_wait_eof(&used);
	ck_assert_int_ge(clock_mono_us() - begin, 900000);
	ck_assert_uint_eq(fresh.in.len + used.in.len, 0);
	peer_close(&fresh);
	peer_close(&used);
	site_stop(&site);
}
END_TEST

/* A peer that waits for its reply is not idle. */
START_TEST(a_request_may_wait_longer_than_an_idle_connection)
{
	struct site site;
	struct peer peer;
	struct reply reply;
	int64_t until;

	site_init(&site);
	site.limits.idle_timeout_us = 1000000;
	site_start(&site);
	peer = peer_open(&site);
	peer_say(&peer, GET("/hold"));
	until = clock_mono_us() + 1500000;
	SITE_WAIT(&site, clock_mono_us() > until);
	ck_assert_uint_eq(site.gone, 0);
	site_release(&site);
	peer_reply(&peer, &reply);
	ck_assert_int_eq(reply.status, 200);
	site_close(&site, &peer);
}
END_TEST

/* Heads around the limit, in one field, in many, and in the target. */
START_TEST(a_head_that_is_too_long_is_refused)
{
	static char text[100000];
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;
	size_t len, i;

	len = (size_t)sprintf(text, "GET /hello HTTP/1.1\r\nHost: a\r\nA: ");
	memset(text + len, 'a', 8192 - len - 4);
	strcpy(text + 8192 - 4, "\r\n\r\n");
	peer_ask(&peer, text, &reply);
	ck_assert_int_eq(reply.status, 200);
	strcpy(text + 8192 - 4, "a\r\n\r\n");
	peer_ask(&peer, text, &reply);
	ck_assert_int_eq(reply.status, 431);
	peer_wait_eof(&peer);
	peer_close(&peer);
	peer = peer_open(&site);
	len = (size_t)sprintf(text, "GET /hello HTTP/1.1\r\nHost: a\r\n");
	for (i = 0; i < 200; i++)
		len += (size_t)sprintf(text + len, "a:\r\n");
	strcpy(text + len, "\r\n");
	peer_ask(&peer, text, &reply);
	ck_assert_int_eq(reply.status, 431);
	peer_close(&peer);
	peer = peer_open(&site);
	len = (size_t)sprintf(text, "GET /");
	memset(text + len, 'a', 90000);
	strcpy(text + 90000, " HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_ask(&peer, text, &reply);
	ck_assert_int_eq(reply.status, 414);
	peer_close(&peer);
	ck_assert_uint_eq(site.requests, 1);
	site_stop(&site);
}
END_TEST

/* Thousands of parameters and cookies in one head: libmicrohttpd would take both
 * apart, and run out of memory. */
START_TEST(many_parameters_and_cookies_do_no_harm)
{
	static char text[10000];
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;
	size_t len, i;

	len = (size_t)sprintf(text, "GET /hello?");
	for (i = 0; i < 1900; i++)
		len += (size_t)sprintf(text + len, "a&");
	len += (size_t)sprintf(text + len, " HTTP/1.1\r\nHost: a\r\nCookie: ");
	for (i = 0; i < 190; i++)
		len += (size_t)sprintf(text + len, "a=b; ");
	strcpy(text + len, "\r\n\r\n");
	for (i = 0; i < 3; i++) {
		peer_ask(&peer, text, &reply);
		ck_assert_int_eq(reply.status, 200);
	}
	for (i = 0; i < 1300; i++)
		len += (size_t)sprintf(text + len, _i < 2 ? "a;" : "a,");
	strcpy(text + len, "\r\n\r\n");
	if (_i % 2 == 0) {
		peer_ask(&peer, text, &reply);
	} else {
		/* With one before it, so that libmicrohttpd reads it first. */
		peer_say(&peer, GET("/hold"));
		SITE_WAIT(&site, site.held != NULL);
		peer_say(&peer, GET("/hello"));
		peer_say(&peer, text);
		site_release(&site);
		peer_reply(&peer, &reply);
		peer_reply(&peer, &reply);
		peer_reply(&peer, &reply);
	}
	ck_assert_int_eq(reply.status, 431);
	peer_wait_eof(&peer);
	ck_assert_uint_eq(peer.in.len, 0);
	site_close(&site, &peer);
}
END_TEST

SUITE("http-limits")
{
	TEST_LOOP(a_head_that_comes_byte_by_byte_is_cut_off, 0, 2);
	TEST(a_slow_head_behind_a_pipelined_one_is_cut_off);
	TEST(a_slow_body_is_cut_off);
	TEST(a_long_body_has_the_time_that_a_modem_needs);
	TEST(a_refused_peer_that_floods_is_not_waited_for);
	TEST(an_idle_connection_ends);
	TEST(a_request_may_wait_longer_than_an_idle_connection);
	TEST(a_head_that_is_too_long_is_refused);
	TEST_LOOP(many_parameters_and_cookies_do_no_harm, 0, 4);
}
