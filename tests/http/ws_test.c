/* SPDX-License-Identifier: MIT */
/* WebSockets, by a small client that sends what it likes. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "site.h"
#include "suite.h"

#define UPGRADE                                                                \
	"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"                \
	"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
/* The example of RFC 6455, section 1.3. */
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, FIN = 0x80 };

static struct peer
open_ws(struct site *site)
{
	struct peer peer = peer_open(site);
	struct reply reply;

	peer_say(&peer, UPGRADE KEY "\r\n");
	peer_reply_head(&peer, &reply);
	ck_assert_int_eq(reply.status, 101);
	ck_assert_str_eq(reply_field(&reply, "Sec-WebSocket-Accept"), ACCEPT);
	ck_assert_str_eq(reply_field(&reply, "Upgrade"), "websocket");
	return peer;
}

static void
send_frame(struct peer *peer, int first, const char *text, size_t len)
{
	static char frame[200000];
	unsigned char *p = (unsigned char *)frame;
	size_t i;

	*p++ = (unsigned char)first;
	if (len < 126) {
		*p++ = (unsigned char)(0x80 | len);
	} else if (len < 65536) {
		*p++ = 0x80 | 126;
		*p++ = (unsigned char)(len >> 8);
		*p++ = (unsigned char)len;
	} else {
		*p++ = 0x80 | 127;
		memset(p, 0, 8);
		p[5] = (unsigned char)(len >> 16);
		p[6] = (unsigned char)(len >> 8);
		p[7] = (unsigned char)len;
		p += 8;
	}
	memcpy(p, "\x12\x34\x56\x78", 4);
	for (i = 0; i < len; i++)
		p[4 + i] = (unsigned char)text[i] ^ p[i % 4];
	peer_send(peer, frame, (size_t)((char *)p - frame) + 4 + len);
}

static void
say_frame(struct peer *peer, int first, const char *text)
{
	send_frame(peer, first, text, strlen(text));
}

struct frame {
	int first;
	char text[70000];
	size_t len;
};

static bool
has_bytes(struct peer *peer, size_t len)
{
	if (peer->in.len < len)
		peer_poll(peer);
	return peer->in.len >= len;
}

static void
take_frame(struct peer *peer, struct frame *frame)
{
	const unsigned char *p;
	size_t head = 2;

	SITE_WAIT(peer->site, has_bytes(peer, 2));
	p = (unsigned char *)peer->in.data;
	frame->first = p[0];
	ck_assert_int_eq(p[1] & 0x80, 0); /* a server does not mask */
	frame->len = p[1];
	if (frame->len == 126) {
		SITE_WAIT(peer->site, has_bytes(peer, 4));
		p = (unsigned char *)peer->in.data;
		frame->len = (size_t)p[2] << 8 | p[3];
		head = 4;
	}
	ck_assert_uint_lt(frame->len, sizeof(frame->text));
	SITE_WAIT(peer->site, has_bytes(peer, head + frame->len));
	memcpy(frame->text, peer->in.data + head, frame->len);
	frame->text[frame->len] = '\0';
	buf_drain(&peer->in, head + frame->len);
}

static void
expect_frame(struct peer *peer, int first, const char *text)
{
	static struct frame frame;

	take_frame(peer, &frame);
	ck_assert_int_eq(frame.first, first);
	ck_assert_str_eq(frame.text, text);
}

/* The server closes with this code; the end is the connection's. */
static void
expect_close(struct peer *peer, unsigned int code)
{
	static struct frame frame;

	take_frame(peer, &frame);
	ck_assert_int_eq(frame.first, FIN | CLOSE);
	if (code == 0) {
		ck_assert_uint_eq(frame.len, 0);
		return;
	}
	ck_assert_uint_ge(frame.len, 2);
	ck_assert_uint_eq((unsigned int)(unsigned char)frame.text[0] << 8 |
			      (unsigned char)frame.text[1],
			  code);
}

START_TEST(texts_go_both_ways)
{
	static char big[60000], want[60001];
	static struct frame frame;
	struct site site;
	struct peer peer;

	site_init(&site);
	site_start(&site);
	peer = open_ws(&site);
	say_frame(&peer, FIN | TEXT, "hello");
	expect_frame(&peer, FIN | TEXT, "hello");
	say_frame(&peer, FIN | TEXT, "");
	expect_frame(&peer, FIN | TEXT, "");
	memset(big, 'b', sizeof(big));
	memcpy(want, big, sizeof(big));
	send_frame(&peer, FIN | TEXT, big, sizeof(big));
	take_frame(&peer, &frame);
	ck_assert_str_eq(frame.text, want);
	/* Of the server's own accord. */
	ck_assert_int_ge(http_ws_send(site.ws, SLICE("news")), 0);
	expect_frame(&peer, FIN | TEXT, "news");
	peer_close(&peer);
	SITE_WAIT(&site, site.ws_gone == 1);
	site_stop(&site);
}
END_TEST

START_TEST(frames_that_come_with_the_upgrade_are_read)
{
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;

	peer_send(&peer,
		  UPGRADE KEY "\r\n\x81\x82\x00\x00\x00\x00hi\x81\x82\x00",
		  strlen(UPGRADE KEY "\r\n") + 8 + 3);
	peer_reply_head(&peer, &reply);
	ck_assert_int_eq(reply.status, 101);
	expect_frame(&peer, FIN | TEXT, "hi");
	peer_send(&peer, "\x00\x00\x00ho", 5);
	expect_frame(&peer, FIN | TEXT, "ho");
	site_close(&site, &peer);
}
END_TEST

START_TEST(fragments_are_one_message_and_pings_may_stand_between)
{
	struct site site;
	struct peer peer;

	site_init(&site);
	site_start(&site);
	peer = open_ws(&site);
	say_frame(&peer, TEXT, "one ");
	say_frame(&peer, FIN | PING, "are you there?");
	expect_frame(&peer, FIN | PONG, "are you there?");
	say_frame(&peer, 0, "two ");
	say_frame(&peer, FIN | PONG, "not asked for");
	say_frame(&peer, FIN | 0, "three");
	expect_frame(&peer, FIN | TEXT, "one two three");
	ck_assert_str_eq(site.text.data, "one two three\n");
	site_close(&site, &peer);
}
END_TEST

/* RFC 6455, section 5.1, 5.2, 5.5, 8.1 and 7.4.1: frames that no client may send. */
START_TEST(a_frame_that_is_wrong_closes)
{
	static const struct {
		const char *bytes;
		size_t len;
		unsigned int code;
	} wrong[] = {
	    {"\x81\x02hi", 4, 1002},		      /* not masked */
	    {"\xc1\x82\0\0\0\0hi", 8, 1002},	      /* a reserved bit */
	    {"\x83\x82\0\0\0\0hi", 8, 1002},	      /* no such kind */
	    {"\x80\x82\0\0\0\0hi", 8, 1002},	      /* continues nothing */
	    {"\x09\x82\0\0\0\0hi", 8, 1002},	      /* a ping in parts */
	    {"\x89\xfe\x00\x7e\0\0\0\0", 8, 1002},    /* a long ping */
	    {"\x81\xfe\x00\x02\0\0\0\0hi", 10, 1002}, /* too long a length */
	    {"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 14, 1002}, /* negative */
	    {"\x82\x82\0\0\0\0hi", 8, 1003},		      /* binary */
	    {"\x81\x82\0\0\0\0\xc3\x28", 8, 1007},	      /* not UTF-8 */
	    {"\x81\xff\0\0\0\0\0\1\0\1\0\0\0\0x", 15, 1009},  /* too long */
	    {"\x88\x81\0\0\0\0x", 7, 0},		      /* half a code */
	    {"\x88\x82\0\0\0\0\x03\xed", 8, 1002}, /* 1005 is for nobody */
	};
	struct site site;
	struct peer peer;

	if ((size_t)_i >= sizeof(wrong) / sizeof(wrong[0]))
		return;
	site_init(&site);
	site_start(&site);
	peer = open_ws(&site);
	peer_send(&peer, wrong[_i].bytes, wrong[_i].len);
	expect_close(&peer, wrong[_i].code);
	ck_assert_uint_eq(site.text.len, 0);
	peer_close(&peer);
	SITE_WAIT(&site, site.ws_gone == 1);
	site_stop(&site);
}
END_TEST

START_TEST(a_message_in_fragments_has_a_limit_too)
{
	static char part[20000];
	struct site site;
	struct peer peer;
	int i;

	site_init(&site);
	site_start(&site);
	peer = open_ws(&site);
	memset(part, 'p', sizeof(part));
	for (i = 0; i < 4; i++)
		send_frame(&peer, i == 0 ? TEXT : 0, part, sizeof(part));
	expect_close(&peer, 1009);
	site_close(&site, &peer);
}
END_TEST

START_TEST(the_peer_closes)
{
	struct site site;
	struct peer peer;

	site_init(&site);
	site_start(&site);
	peer = open_ws(&site);
	send_frame(&peer, FIN | CLOSE,
		   "\x03\xe8"
		   "bye",
		   5);
	expect_close(&peer, 1000);
	peer_wait_eof(&peer);
	ck_assert_uint_eq(site.ws_gone, 1);
	site_close(&site, &peer);
}
END_TEST

START_TEST(the_user_closes)
{
	struct site site;
	struct peer peer;

	site_init(&site);
	site_start(&site);
	peer = open_ws(&site);
	say_frame(&peer, FIN | TEXT, "close me");
	expect_close(&peer, 4000);
	send_frame(&peer, FIN | CLOSE, "\x0f\xa0", 2);
	peer_wait_eof(&peer);
	ck_assert_uint_eq(site.ws_gone, 0);
	site_close(&site, &peer);
}
END_TEST

START_TEST(a_peer_that_does_not_read_is_not_waited_for)
{
	static char text[32768];
	struct site site;
	struct peer peer;
	size_t sent = 0;

	site_init(&site);
	site_start(&site);
	peer = open_ws(&site);
	memset(text, 't', sizeof(text));
	while (http_ws_send(site.ws, (struct slice){text, sizeof(text)}) >= 0) {
		site_turn(&site);
		site_turn(&site);
		sent += sizeof(text);
		ck_assert_uint_lt(sent, 100 * 1048576);
	}
	ck_assert_uint_eq(site.ws_gone, 0);
	http_ws_close(site.ws, 1013, "too slow");
	SITE_WAIT(&site, (peer_poll(&peer), peer.eof));
	ck_assert_uint_gt(peer.in.len, 0);
	site_close(&site, &peer);
}
END_TEST

/* Pings whose pongs nobody takes fill no memory. */
START_TEST(a_flood_of_pings_ends)
{
	static char pings[500 * 131];
	struct site site;
	struct peer peer;
	size_t i;

	for (i = 0; i < sizeof(pings); i += 131)
		memcpy(pings + i, "\x89\xfd", 2);
	site_init(&site);
	site_start(&site);
	peer = open_ws(&site);
	for (i = 0; i < 1000 && site.ws_gone == 0; i++)
		peer_send(&peer, pings, sizeof(pings));
	ck_assert_uint_eq(site.ws_gone, 1);
	site_close(&site, &peer);
}
END_TEST

START_TEST(a_peer_that_gives_no_sign_of_life_is_gone)
{
	struct site site;
	struct peer dead, alive;

	site_init(&site);
	site.limits.idle_timeout_us = 1000000;
	site_start(&site);
	dead = open_ws(&site);
	alive = open_ws(&site);
	expect_frame(&alive, FIN | PING, "");
	say_frame(&alive, FIN | PONG, "");
	expect_frame(&alive, FIN | PING, "");
	say_frame(&alive, FIN | PONG, "");
	peer_wait_eof(&dead);
	say_frame(&alive, FIN | TEXT, "alive");
	expect_frame(&alive, FIN | TEXT, "alive");
	ck_assert_uint_eq(site.ws_gone, 1);
	peer_close(&dead);
	peer_close(&alive);
	site_stop(&site);
}
END_TEST

START_TEST(a_peer_that_does_not_close_is_not_waited_for)
{
	struct site site;
	struct peer peer;

	site_init(&site);
	site_start(&site);
	peer = open_ws(&site);
	http_ws_close(site.ws, 1001, "going away");
	/* Whom it belonged to has let go of it, and hears no more. */
	say_frame(&peer, FIN | TEXT, "too late");
	expect_close(&peer, 1001);
	peer_wait_eof(&peer);
	ck_assert_uint_eq(site.ws_gone, 0);
	ck_assert_uint_eq(site.text.len, 0);
	site_close(&site, &peer);
}
END_TEST

START_TEST(what_is_no_upgrade_is_refused)
{
	static const struct {
		const char *text;
		int status;
	} tries[] = {
	    {"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", 426},
	    {"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
	     "Connection: Upgrade\r\nSec-WebSocket-Version: 8\r\n" KEY "\r\n",
	     426},
	    {"GET /ws HTTP/1.0\r\nHost: a\r\nUpgrade: websocket\r\n"
	     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" KEY "\r\n",
	     426},
	    {"POST /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
	     "Content-Length: 0\r\nConnection: Upgrade\r\n"
	     "Sec-WebSocket-Version: 13\r\n" KEY "\r\n",
	     426},
	    {UPGRADE "\r\n", 400},
	    {UPGRADE "Sec-WebSocket-Key: abc\r\n\r\n", 400},
	    {UPGRADE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=a\r\n\r\n",
	     400},
	    {UPGRADE KEY KEY "\r\n", 400},
	};
	struct site site;
	struct peer peer;
	struct reply reply;
	size_t i;

	site_init(&site);
	site_start(&site);
	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		peer = peer_open(&site);
		peer_ask(&peer, tries[i].text, &reply);
		ck_assert_int_eq(reply.status, tries[i].status);
		if (reply.status == 426)
			ck_assert_str_eq(reply_field(&reply, "Upgrade"),
					 "websocket");
		peer_close(&peer);
	}
	ck_assert_ptr_null(site.ws);
	site_stop(&site);
}
END_TEST

START_TEST(a_server_is_freed_with_its_websockets)
{
	struct site site;
	struct peer peers[2];

	site_init(&site);
	site_start(&site);
	peers[0] = open_ws(&site);
	peers[1] = open_ws(&site);
	http_ws_close(site.ws, 1001, "going away");
	site_stop(&site);
	ck_assert_uint_eq(site.ws_gone, 1);
	peer_close(&peers[0]);
	peer_close(&peers[1]);
}
END_TEST

SUITE("http-ws")
{
	TEST(texts_go_both_ways);
	TEST(frames_that_come_with_the_upgrade_are_read);
	TEST(fragments_are_one_message_and_pings_may_stand_between);
	TEST_LOOP(a_frame_that_is_wrong_closes, 0, 13);
	TEST(a_message_in_fragments_has_a_limit_too);
	TEST(the_peer_closes);
	TEST(the_user_closes);
	TEST(a_peer_that_does_not_read_is_not_waited_for);
	TEST(a_flood_of_pings_ends);
	TEST(a_peer_that_gives_no_sign_of_life_is_gone);
	TEST(a_peer_that_does_not_close_is_not_waited_for);
	TEST(what_is_no_upgrade_is_refused);
	TEST(a_server_is_freed_with_its_websockets);
}
