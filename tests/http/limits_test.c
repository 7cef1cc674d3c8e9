/* SPDX-License-Identifier: MIT */
/* What a peer may take: time, bytes and connections. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

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
	peer_close(&peer);
	site_stop(&site);
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
	peer_close(&peer);
	site_stop(&site);
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
	peer_close(&peer);
	site_stop(&site);
}
END_TEST

/* Heads around the limit, in one field, in many, and in the target. */
START_TEST(a_head_that_is_too_long_is_refused)
{
	static char text[100000];
	struct site site;
	struct peer peer;
	struct reply reply;
	size_t len, i;

	site_init(&site);
	site_start(&site);
	peer = peer_open(&site);
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
	struct peer peer;
	struct reply reply;
	size_t len, i;

	site_init(&site);
	site_start(&site);
	peer = peer_open(&site);
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
	peer_close(&peer);
	site_stop(&site);
}
END_TEST

START_TEST(a_peer_has_so_and_so_many_connections)
{
	struct site site;
	struct peer peers[4], other;
	struct reply reply;
	int i;

	site_init(&site);
	site.limits.max_per_peer = 3;
	site_start(&site);
	for (i = 0; i < 3; i++) {
		peers[i] = peer_open(&site);
		peer_ask(&peers[i], GET("/hello"), &reply);
	}
	peers[3] = peer_open(&site);
	peer_wait_eof(&peers[3]);
	/* Users of the Unix socket are others. */
	other = peer_open_unix(&site);
	peer_ask(&other, GET("/hello"), &reply);
	ck_assert_int_eq(reply.status, 200);
	peer_close(&peers[0]);
	peer_close(&peers[3]);
	SITE_WAIT(&site, (peers[3] = peer_open(&site),
			  peer_say(&peers[3], GET("/hello")),
			  peer_poll(&peers[3]), peer_poll(&peers[3]),
			  peers[3].in.len > 0 || (peer_close(&peers[3]), 0)));
	for (i = 1; i < 4; i++)
		peer_close(&peers[i]);
	peer_close(&other);
	site_stop(&site);
}
END_TEST

START_TEST(at_the_limit_the_idle_make_room)
{
	struct site site;
	struct peer peers[4], late;
	struct reply reply;
	int i;

	site_init(&site);
	site.limits.max_connections = 4;
	site_start(&site);
	for (i = 0; i < 4; i++) {
		peers[i] = peer_open(&site);
		peer_ask(&peers[i], GET("/hello"), &reply);
	}
	/* The first one has been idle for longest. */
	late = peer_open(&site);
	peer_ask(&late, GET("/hello"), &reply);
	ck_assert_int_eq(reply.status, 200);
	peer_wait_eof(&peers[0]);
	peer_ask(&peers[3], GET("/hello"), &reply);
	ck_assert_int_eq(reply.status, 200);
	for (i = 0; i < 4; i++)
		peer_close(&peers[i]);
	peer_close(&late);
	site_stop(&site);
}
END_TEST

/* The client's descriptors are this process', too: it has its own before. */
START_TEST(without_descriptors_the_idle_make_room)
{
	struct rlimit few;
	struct site site;
	struct peer idle, late;
	struct reply reply;

	site_init(&site);
	site_start(&site);
	idle = peer_open(&site);
	peer_ask(&idle, GET("/hello"), &reply);
	late = peer_open(&site);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &few), 0);
	few.rlim_cur = (rlim_t)late.fd + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	peer_ask(&late, GET("/hello"), &reply);
	ck_assert_int_eq(reply.status, 200);
	ck_assert_uint_ge(site.shortages, 1);
	peer_wait_eof(&idle);
	peer_close(&idle);
	peer_close(&late);
	site_stop(&site);
}
END_TEST

START_TEST(at_the_limit_others_wait_for_the_busy)
{
	struct site site;
	struct peer busy, late;
	struct reply reply;

	site_init(&site);
	site.limits.max_connections = 1;
	site_start(&site);
	busy = peer_open(&site);
	peer_say(&busy, GET("/hold"));
	SITE_WAIT(&site, site.held != NULL);
	late = peer_open(&site);
	peer_say(&late, GET("/hello"));
	peer_close(&busy);
	peer_reply(&late, &reply);
	ck_assert_int_eq(reply.status, 200);
	ck_assert_uint_eq(site.gone, 1);
	peer_close(&late);
	site_stop(&site);
}
END_TEST

START_TEST(a_quiet_server_takes_no_more_connections)
{
	struct site site;
	struct peer there, late;
	struct reply reply;
	int64_t until;

	site_init(&site);
	site_start(&site);
	there = peer_open(&site);
	peer_ask(&there, GET("/hello"), &reply);
	http_server_quiet(site.server);
	late = peer_open(&site);
	peer_say(&late, GET("/hello"));
	peer_ask(&there, GET("/hello"), &reply);
	ck_assert_int_eq(reply.status, 200);
	until = clock_mono_us() + 200000;
	SITE_WAIT(&site, clock_mono_us() > until);
	peer_poll(&late);
	ck_assert_uint_eq(late.in.len, 0);
	ck_assert_uint_eq(site.requests, 2);
	peer_close(&there);
	peer_close(&late);
	site_stop(&site);
}
END_TEST

SUITE("http-limits")
{
	TEST_LOOP(a_head_that_comes_byte_by_byte_is_cut_off, 0, 2);
	TEST(a_slow_head_behind_a_pipelined_one_is_cut_off);
	TEST(a_slow_body_is_cut_off);
	TEST(an_idle_connection_ends);
	TEST(a_request_may_wait_longer_than_an_idle_connection);
	TEST(a_head_that_is_too_long_is_refused);
	TEST_LOOP(many_parameters_and_cookies_do_no_harm, 0, 4);
	TEST(a_peer_has_so_and_so_many_connections);
	TEST(at_the_limit_the_idle_make_room);
	TEST(without_descriptors_the_idle_make_room);
	TEST(at_the_limit_others_wait_for_the_busy);
	TEST(a_quiet_server_takes_no_more_connections);
}
