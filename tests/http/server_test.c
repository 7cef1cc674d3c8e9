/* SPDX-License-Identifier: MIT */
/* Requests and replies. */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "site.h"
#include "suite.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

START_TEST(a_request_is_replied_to)
{
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;

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
	site_close(&site, &peer);
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
	site_close(&site, &peer);
}
END_TEST

START_TEST(head_has_the_fields_and_no_body)
{
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;

	peer_say(&peer, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_reply_head(&peer, &reply);
	ck_assert_str_eq(reply_field(&reply, "Content-Length"), "5");
	/* What comes next is a reply again, not a body. */
	peer_ask(&peer, GET("/empty"), &reply);
	ck_assert_int_eq(reply.status, 204);
	site_close(&site, &peer);
}
END_TEST

START_TEST(pipelined_requests_are_replied_to_in_their_order)
{
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;

	peer_say(&peer, GET("/1") "POST /echo HTTP/1.1\r\nHost: a\r\n"
				  "Content-Length: 2\r\n\r\nab" GET(
				      "/3") "GET /4 HTT");
	peer_reply(&peer, &reply);
	ck_assert_str_eq(reply.body, "/1 ");
	peer_reply(&peer, &reply);
	ck_assert_str_eq(reply.body, "ab");
	peer_reply(&peer, &reply);
	ck_assert_str_eq(reply.body, "/3 ");
	peer_ask(&peer, "P/1.1\r\nHost: a\r\n\r\n", &reply);
	ck_assert_str_eq(reply.body, "/4 ");
	site_close(&site, &peer);
}
END_TEST

START_TEST(an_absolute_target_of_this_host_is_one_path)
{
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;

	peer_ask(&peer, "GET HTTP://A:80/x?y HTTP/1.1\r\nhost: a:80\r\n\r\n",
		 &reply);
	ck_assert_str_eq(reply.body, "/x y");
	peer_ask(&peer, "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", &reply);
	ck_assert_str_eq(reply.body, "/ ");
	site_close(&site, &peer);
}
END_TEST

START_TEST(a_connection_closes_when_a_side_says_so)
{
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;

	peer_ask(&peer,
		 "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		 &reply);
	ck_assert_str_eq(reply_field(&reply, "Connection"), "close");
	peer_wait_eof(&peer);
	peer_close(&peer);
	peer = peer_open(&site);
	peer_ask(&peer, GET("/close") GET("/hello"), &reply);
	ck_assert_str_eq(reply_field(&reply, "Connection"), "close");
	peer_wait_eof(&peer);
	ck_assert_uint_eq(peer.in.len, 0);
	ck_assert_uint_eq(site.requests, 2);
	peer_close(&peer);
	peer = peer_open(&site);
	peer_ask(&peer, "GET /hello HTTP/1.0\r\nHost: a\r\n\r\n", &reply);
	peer_wait_eof(&peer);
	site_close(&site, &peer);
}
END_TEST

START_TEST(a_body_that_is_expected_is_asked_for)
{
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;

	peer_say(&peer, "POST /echo HTTP/1.1\r\nHost: a\r\n"
			"Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n");
	peer_reply_head(&peer, &reply);
	ck_assert_int_eq(reply.status, 100);
	peer_ask(&peer, "abc", &reply);
	ck_assert_int_eq(reply.status, 200);
	ck_assert_str_eq(reply.body, "abc");
	site_close(&site, &peer);
}
END_TEST

START_TEST(a_body_that_is_refused_is_not_waited_for)
{
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;

	peer_ask(&peer,
		 "POST /refused HTTP/1.1\r\nHost: a\r\n"
		 "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n",
		 &reply);
	ck_assert_int_eq(reply.status, 401);
	peer_wait_eof(&peer);
	ck_assert_uint_eq(site.requests, 0);
	site_close(&site, &peer);
}
END_TEST

START_TEST(behind_a_refused_body_the_connection_goes_on)
{
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;

	peer_ask(&peer,
		 "POST /refused HTTP/1.1\r\nHost: a\r\n"
		 "Content-Length: 3\r\n\r\nabc",
		 &reply);
	ck_assert_int_eq(reply.status, 401);
	peer_ask(&peer, GET("/refused"), &reply);
	ck_assert_int_eq(reply.status, 401);
	peer_ask(&peer, GET("/hello"), &reply);
	ck_assert_int_eq(reply.status, 200);
	ck_assert_uint_eq(site.requests, 1);
	site_close(&site, &peer);
}
END_TEST

/* Ten megabytes are on their way: what closes too early resets, and the reply is
 * lost. */
START_TEST(a_reply_arrives_though_a_long_body_is_refused)
{
	static char chunk[65536];
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;
	int i;

	peer_say(&peer, "POST /echo HTTP/1.1\r\nHost: a\r\n"
			"Content-Length: 10485760\r\n\r\n");
	for (i = 0; i < 8; i++)
		peer_send(&peer, chunk, sizeof(chunk));
	peer_reply(&peer, &reply);
	ck_assert_int_eq(reply.status, 413);
	site_close(&site, &peer);
}
END_TEST

START_TEST(a_request_may_be_replied_to_later)
{
	struct site site;
	struct peer peer, other;
	struct reply reply;

	site_init(&site);
	site_start(&site);
	peer = peer_open(&site);
	other = peer_open(&site);
	peer_say(&peer, GET("/hold") GET("/hello"));
	SITE_WAIT(&site, site.held != NULL);
	/* Others are served meanwhile, and its next request waits. */
	peer_ask(&other, GET("/hello"), &reply);
	ck_assert_uint_eq(site.requests, 2);
	site_release(&site);
	peer_reply(&peer, &reply);
	ck_assert_str_eq(reply.body, "released");
	peer_reply(&peer, &reply);
	ck_assert_str_eq(reply.body, "hello");
	ck_assert_uint_eq(site.gone, 0);
	peer_close(&peer);
	peer_close(&other);
	site_stop(&site);
}
END_TEST

START_TEST(a_peer_that_leaves_before_the_reply_is_told_of)
{
	struct linger hard = {.l_onoff = 1};
	struct site site;
	struct peer peer;
	int i;

	site_init(&site);
	site_start(&site);
	/* By an end of file, by a reset, and with more requests sent. */
	for (i = 1; i <= 3; i++) {
		peer = i == 1 ? peer_open_unix(&site) : peer_open(&site);
		peer_say(&peer, GET("/hold"));
		SITE_WAIT(&site, site.held != NULL);
		if (i == 2)
			setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &hard,
				   sizeof(hard));
		if (i == 3)
			peer_say(&peer, GET("/hello"));
		peer_close(&peer);
		SITE_WAIT(&site, site.gone == (unsigned int)i);
		ck_assert_ptr_null(site.held);
	}
	ck_assert_uint_eq(site.requests, 3);
	site_stop(&site);
}
END_TEST

START_TEST(a_big_body_is_given_back_when_it_was_sent)
{
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;

	peer_ask(&peer, GET("/big"), &reply);
	ck_assert_uint_eq(reply.body_len, 1048576);
	SITE_WAIT(&site, site.released == 1);
	/* Also if the peer does not take it. */
	peer_say(&peer, GET("/big"));
	SITE_WAIT(&site, site.requests == 2);
	peer_close(&peer);
	SITE_WAIT(&site, site.released == 2);
	peer = peer_open(&site);
	peer_say(&peer, "HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_reply_head(&peer, &reply);
	SITE_WAIT(&site, site.released == 3);
	site_close(&site, &peer);
}
END_TEST

START_TEST(an_idle_server_sleeps)
{
	struct site site;
	struct peer peers[3];
	struct reply reply;
	struct rusage before, after;
	int i;

	site_init(&site);
	site_start(&site);
	for (i = 0; i < 3; i++)
		peers[i] = peer_open(&site);
	peer_ask(&peers[0], GET("/hello"), &reply);
	peer_say(&peers[1], GET("/stream"));
	peer_reply_head(&peers[1], &reply);
	peer_say(&peers[2], GET("/hold"));
	SITE_WAIT(&site, site.held != NULL);
	getrusage(RUSAGE_SELF, &before);
	event_base_loopexit(site.base, &(struct timeval){.tv_usec = 500000});
	event_base_dispatch(site.base);
	getrusage(RUSAGE_SELF, &after);
	ck_assert_int_lt(after.ru_utime.tv_sec * 1000000 +
			     after.ru_utime.tv_usec + after.ru_stime.tv_usec -
			     before.ru_utime.tv_sec * 1000000 -
			     before.ru_utime.tv_usec - before.ru_stime.tv_usec,
			 100000);
	for (i = 0; i < 3; i++)
		peer_close(&peers[i]);
	site_stop(&site);
}
END_TEST

START_TEST(a_server_can_be_freed_at_any_time)
{
	struct site site;
	struct peer peers[6];
	struct reply reply;
	int i;

	site_init(&site);
	site_start(&site);
	for (i = 0; i < 6; i++)
		peers[i] = peer_open(&site);
	peer_ask(&peers[0], GET("/hello"), &reply);
	peer_say(&peers[1], GET("/hold"));
	peer_say(&peers[2], GET("/stream"));
	peer_say(&peers[3], GET("/big"));
	peer_say(&peers[4], "GET /hel");
	peer_say(&peers[5], "POST /echo HTTP/1.1\r\nHost: a\r\n"
			    "Content-Length: 3\r\n\r\na");
	SITE_WAIT(&site, site.requests == 4 && site.heads == 5);
	site_stop(&site);
	/* That which was held, and that whose body was not there. */
	ck_assert_uint_eq(site.gone, 2);
	ck_assert_uint_eq(site.streams_gone, 1);
	ck_assert_uint_eq(site.released, 1);
	for (i = 0; i < 6; i++) {
		peer_close(&peers[i]);
	}
}
END_TEST

SUITE("http-server")
{
	TEST(a_request_is_replied_to);
	TEST(a_unix_socket_tells_who_connects);
	TEST(head_has_the_fields_and_no_body);
	TEST(pipelined_requests_are_replied_to_in_their_order);
	TEST(an_absolute_target_of_this_host_is_one_path);
	TEST(a_connection_closes_when_a_side_says_so);
	TEST(a_body_that_is_expected_is_asked_for);
	TEST(a_body_that_is_refused_is_not_waited_for);
	TEST(behind_a_refused_body_the_connection_goes_on);
	TEST(a_reply_arrives_though_a_long_body_is_refused);
	TEST(a_request_may_be_replied_to_later);
	TEST(a_peer_that_leaves_before_the_reply_is_told_of);
	TEST(a_big_body_is_given_back_when_it_was_sent);
	TEST(an_idle_server_sleeps);
	TEST(a_server_can_be_freed_at_any_time);
}
