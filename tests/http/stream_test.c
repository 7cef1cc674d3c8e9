/* SPDX-License-Identifier: MIT */
/* Event streams. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "site.h"
#include "suite.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define N_STREAMS 500

static char block[32768];

static struct peer
open_stream(struct site *site)
{
	struct peer peer = peer_open(site);
	unsigned int before = site->n_streams;
	struct reply reply;

	peer_say(&peer, GET("/stream"));
	peer_reply_head(&peer, &reply);
	ck_assert_int_eq(reply.status, 200);
	ck_assert_str_eq(reply_field(&reply, "Content-Type"),
			 "text/event-stream");
	ck_assert_uint_eq(site->n_streams, before + 1);
	return peer;
}

static bool
has(struct peer *peer, const char *text)
{
	peer_poll(peer);
	return peer->in.len > 0 && strstr(peer->in.data, text) != NULL;
}

START_TEST(events_arrive_when_they_are_sent)
{
	struct site site;
	struct peer peer;

	site_init(&site);
	site_start(&site);
	peer = open_stream(&site);
	ck_assert_int_eq(http_stream_send(site.stream, SLICE("data: 1\n\n")),
			 9);
	ck_assert_uint_eq(http_stream_owed(site.stream), 9);
	SITE_WAIT(&site, has(&peer, "data: 1\n\n"));
	SITE_WAIT(&site, site.drained == 1);
	ck_assert_uint_eq(http_stream_owed(site.stream), 0);
	http_stream_send(site.stream, SLICE("data: 2\n\n"));
	http_stream_send(site.stream, SLICE("data: 3\n\n"));
	SITE_WAIT(&site, has(&peer, "data: 2\n\ndata: 3\n\n"));
	ck_assert_uint_eq(site.streams_gone, 0);
	peer_close(&peer);
	SITE_WAIT(&site, site.streams_gone == 1);
	site_stop(&site);
}
END_TEST

START_TEST(a_stream_that_is_ended_sends_what_it_owes)
{
	struct site site;
	struct peer peer;
	struct reply reply;

	site_init(&site);
	site_start(&site);
	peer = open_stream(&site);
	http_stream_send(site.stream, SLICE("data: last\n\n"));
	http_stream_end(site.stream);
	SITE_WAIT(&site, has(&peer, "data: last\n\n\r\n0\r\n\r\n"));
	/* Who ends it knows that it has. */
	ck_assert_uint_eq(site.streams_gone, 0);
	buf_reset(&peer.in);
	peer_ask(&peer, GET("/hello"), &reply);
	ck_assert_int_eq(reply.status, 200);
	site_close(&site, &peer);
}
END_TEST

START_TEST(a_stream_of_an_old_client_ends_with_the_connection)
{
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;

	peer_say(&peer, "GET /stream HTTP/1.0\r\nHost: a\r\n\r\n");
	peer_reply_head(&peer, &reply);
	ck_assert_str_eq(reply_field(&reply, "Transfer-Encoding"), "");
	http_stream_send(site.stream, SLICE("data: 1\n\n"));
	http_stream_end(site.stream);
	peer_wait_eof(&peer);
	ck_assert_str_eq(peer.in.data, "data: 1\n\n");
	site_close(&site, &peer);
}
END_TEST

START_TEST(head_of_a_stream_has_no_stream)
{
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;

	peer_say(&peer, "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_reply_head(&peer, &reply);
	ck_assert_int_eq(reply.status, 200);
	ck_assert_uint_eq(site.n_streams, 0);
	peer_ask(&peer, GET("/hello"), &reply);
	ck_assert_int_eq(reply.status, 200);
	site_close(&site, &peer);
}
END_TEST

START_TEST(a_slow_reader_owes_no_more_than_it_may)
{
	struct site site;
	struct peer peer;
	ssize_t owed = 0;
	size_t sent = 0;

	site_init(&site);
	site_start(&site);
	peer = open_stream(&site);
	memset(block, 'd', sizeof(block));
	/* The kernel takes some megabytes, and then nothing more. */
	while (owed >= 0) {
		owed = http_stream_send(site.stream,
					(struct slice){block, sizeof(block)});
		ck_assert_int_le(owed, 65536);
		sent += owed >= 0 ? sizeof(block) : 0;
		ck_assert_uint_lt(sent, 100 * 1048576);
		site_turn(&site);
		site_turn(&site);
	}
	ck_assert_uint_gt(http_stream_owed(site.stream), 0);
	ck_assert_int_eq(http_stream_send(site.stream, SLICE("")) >= 0, 1);
	site.drained = 0;
	SITE_WAIT(&site, (peer_poll(&peer), site.drained > 0));
	/* Nothing that was kept is lost. */
	http_stream_send(site.stream, SLICE("the end"));
	SITE_WAIT(&site, has(&peer, "the end"));
	ck_assert_uint_ge(peer.in.len, sent + 7);
	site_close(&site, &peer);
}
END_TEST

START_TEST(streams_have_a_limit)
{
	struct site site;
	struct peer first, second;
	struct reply reply;

	site_init(&site);
	site.limits.max_streams = 1;
	site_start(&site);
	first = open_stream(&site);
	second = peer_open(&site);
	peer_ask(&second, GET("/stream"), &reply);
	ck_assert_int_eq(reply.status, 503);
	ck_assert_uint_eq(site.n_streams, 1);
	peer_close(&second);
	peer_close(&first);
	SITE_WAIT(&site, site.streams_gone == 1);
	first = open_stream(&site);
	peer_close(&first);
	site_stop(&site);
}
END_TEST

/* Of this process, in bytes. */
static long
resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long size = 0, pages = 0;

	ck_assert_int_eq(fscanf(file, "%ld %ld", &size, &pages), 2);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

/* To the reader that takes nothing, until no more is kept for it. */
static void
fill(struct site *site, struct http_stream *slow)
{
	int refused = 0;

	while (refused < 3) {
		if (http_stream_send(slow, (struct slice){block, 32768}) < 0)
			refused++;
		site_turn(site);
	}
}

#define ROUNDS 40
#define ROUND_SIZE 4096

static void
send_to_all(struct site *site)
{
	unsigned int i;

	for (i = 0; i < site->n_streams; i++)
		http_stream_send(site->streams[i],
				 (struct slice){block, ROUND_SIZE});
}

START_TEST(five_hundred_streams_do_not_wait_for_one)
{
	struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
	static struct peer peers[N_STREAMS];
	static size_t got[N_STREAMS];
	struct site site;
	long before;
	int i, round;

	setrlimit(RLIMIT_NOFILE, &limit);
	site_init(&site);
	/* A reader that takes nothing is cut off by then; this one is to stay,
	 * however long a busy machine takes for the rounds. */
	site.limits.idle_timeout_us = INT64_C(120000000);
	site_start(&site);
	memset(block, 'd', sizeof(block));
	before = resident();
	peers[0] = open_stream(&site);
	for (i = 1; i < N_STREAMS; i++) {
		peers[i] = peer_open(&site);
		ck_assert_int_gt(send(peers[i].fd, GET("/stream"),
				      strlen(GET("/stream")), 0),
				 0);
	}
	SITE_WAIT(&site, site.n_streams == N_STREAMS);
	fill(&site, site.streams[0]);
	for (round = 0; round < ROUNDS; round++) {
		send_to_all(&site);
		for (i = 1; i < N_STREAMS; i++)
			SITE_WAIT(&site,
				  (peer_drain(&peers[i], &got[i]),
				   got[i] >= (size_t)(round + 1) * ROUND_SIZE));
	}
	ck_assert_uint_ge(http_stream_owed(site.streams[0]), 65536 - 32768);
	/* 500 connections of 40 KiB, their peers' buffers, and one backlog.
	 * Sanitizers keep memory of their own for each byte. */
	if (!SANITIZED)
		ck_assert_int_lt(resident() - before, 48 * 1048576);
	for (i = 0; i < N_STREAMS; i++)
		peer_close(&peers[i]);
	SITE_WAIT(&site, site.streams_gone == N_STREAMS);
	site_stop(&site);
}
END_TEST

SUITE("http-stream")
{
	SUITE_TIMEOUT(120);
	TEST(events_arrive_when_they_are_sent);
	TEST(a_stream_that_is_ended_sends_what_it_owes);
	TEST(a_stream_of_an_old_client_ends_with_the_connection);
	TEST(head_of_a_stream_has_no_stream);
	TEST(a_slow_reader_owes_no_more_than_it_may);
	TEST(streams_have_a_limit);
	TEST(five_hundred_streams_do_not_wait_for_one);
}
