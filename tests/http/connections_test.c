/* SPDX-License-Identifier: MIT */
/* How many connections there are, and who makes room for whom. */
#include <sys/resource.h>

#include "site.h"
#include "suite.h"
#include "util/clock.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* With _i by the Unix socket, where a user is counted, else by the network. Those who come
 * the other way are not counted with them. */
START_TEST(a_peer_has_a_limited_number_of_connections)
{
	struct peer (*const open_peer)(struct site *) =
	    _i != 0 ? peer_open_unix : peer_open;
	struct site site;
	struct peer peers[4], other;
	struct reply reply;
	int i;

	site_init(&site);
	*(_i != 0 ? &site.limits.max_per_uid : &site.limits.max_per_peer) = 3;
	site.limits.idle_timeout_us = INT64_C(120000000);
	site_start(&site);
	for (i = 0; i < 3; i++) {
		peers[i] = open_peer(&site);
		peer_ask(&peers[i], GET("/hello"), &reply);
		ck_assert_int_eq(reply.status, 200);
	}
	peers[3] = open_peer(&site);
	peer_wait_eof(&peers[3]);
	other = _i != 0 ? peer_open(&site) : peer_open_unix(&site);
	peer_ask(&other, GET("/hello"), &reply);
	ck_assert_int_eq(reply.status, 200);
	/* One that goes makes room. */
	peer_close(&peers[0]);
	peer_close(&peers[3]);
	SITE_WAIT(&site, (peers[3] = open_peer(&site),
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

START_TEST(at_the_limit_one_that_becomes_idle_makes_room)
{
	struct site site;
	struct peer busy, late;
	struct reply reply;

	site_init(&site);
	site.limits.max_connections = 1;
	site.limits.idle_timeout_us = INT64_C(120000000);
	site_start(&site);
	busy = peer_open(&site);
	peer_say(&busy, GET("/hold"));
	SITE_WAIT(&site, site.held != NULL);
	late = peer_open(&site);
	peer_say(&late, GET("/hello"));
	/* It is known to wait: the listener has let it in no more. */
	site_turn(&site);
	site_release(&site);
	peer_reply(&busy, &reply);
	ck_assert_int_eq(reply.status, 200);
	peer_reply(&late, &reply);
	ck_assert_int_eq(reply.status, 200);
	peer_wait_eof(&busy);
	peer_close(&busy);
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

SUITE("http-connections")
{
	TEST_LOOP(a_peer_has_a_limited_number_of_connections, 0, 2);
	TEST(at_the_limit_the_idle_make_room);
	TEST(without_descriptors_the_idle_make_room);
	TEST(at_the_limit_others_wait_for_the_busy);
	TEST(at_the_limit_one_that_becomes_idle_makes_room);
	TEST(a_quiet_server_takes_no_more_connections);
}
