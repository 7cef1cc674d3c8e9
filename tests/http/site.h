/* SPDX-License-Identifier: MIT */
/*
 * A server and its peers on one loop. Peers write and read bytes as they are;
 * the loop turns while a test waits for something.
 *
 * The server answers by path:
 *
 *	/hello		200 "hello"
 *	/echo		200 with the body; on_head allows 1000 bytes of it
 *	/upload		200; on_head allows 100000 bytes
 *	/query		200 with the path, a space and the query
 *	/peer		200 with the peer, a space and its uid
 *	/big		200 with a mebibyte
 *	/empty		204
 *	/close		200, and the connection closes
 *	/refused	401 from on_head
 *	/hold		nothing, until site_release()
 *	/stream		an event stream: site->stream
 *	/ws		a WebSocket: site->ws; a text comes back
 *
 * Its refusals have "X-Site: yes".
 */
#ifndef TESTS_HTTP_SITE_H
#define TESTS_HTTP_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "http/http.h"
#include "util/buf.h"

struct event_base;

struct site {
	struct event_base *base;
	struct http_server *server;
	struct http_limits limits; /* set before site_start() */
	int port;
	char socket_path[108];
	struct http_request *held;
	struct http_stream *stream;	  /* the last one */
	struct http_stream *streams[600]; /* all, in no order */
	unsigned int n_streams;
	struct http_ws *ws;
	char id[HTTP_ID_SIZE]; /* of the last head */
	struct buf text;       /* what came through a WebSocket, a line each */
	unsigned int heads;
	unsigned int requests;
	unsigned int gone; /* requests whose peer left before the reply */
	unsigned int streams_gone;
	unsigned int drained;
	unsigned int ws_gone;
	unsigned int shortages; /* a peer waited for a descriptor */
	unsigned int released;	/* bodies that were given back */
	bool forever;		/* http_ws_send() floods until it is refused */
};

void site_init(struct site *site);
void site_start(struct site *site);
/* One more listener, with TLS. Sets site->port. */
void site_listen_tls(struct site *site, const struct http_tls *tls);
void site_stop(struct site *site);
void site_turn(struct site *site);
void site_release(struct site *site);

/* Turns until the condition holds; the test fails after 10 s. */
#define SITE_WAIT(site, condition)                                             \
	do {                                                                   \
		int64_t until_ = site_deadline();                              \
		while (!(condition)) {                                         \
			ck_assert_msg(!site_late(until_),                      \
				      "timed out waiting for " #condition);    \
			site_turn(site);                                       \
		}                                                              \
	} while (0)
int64_t site_deadline(void);
bool site_late(int64_t deadline);

struct peer {
	struct site *site;
	int fd;
	struct buf in; /* what came and was not taken */
	bool eof;
};

struct peer peer_open(struct site *site);
/* A site as site_init() makes it, started, and its first peer; and both away. */
struct peer site_open(struct site *site);
void site_close(struct site *site, struct peer *peer);
struct peer peer_open_unix(struct site *site);
void peer_close(struct peer *peer);
void peer_send(struct peer *peer, const char *bytes, size_t len);
void peer_say(struct peer *peer, const char *text);
/* Reads what is there now. */
void peer_poll(struct peer *peer);
/* Throws away what is there now, and counts it; no turn. */
void peer_drain(struct peer *peer, size_t *total);
/* Waits for the end of the connection. */
void peer_wait_eof(struct peer *peer);

/* A reply that was taken from peer->in. */
struct reply {
	int status;
	char head[4096];
	char body[8192];
	size_t body_len; /* all of it, even if `body` has a part */
};
/* Waits for a whole reply with a Content-Length; of HEAD without the body. */
void peer_reply(struct peer *peer, struct reply *reply);
void peer_reply_head(struct peer *peer, struct reply *reply);
/* The value of a field of a reply, "" if it is not there. */
const char *reply_field(const struct reply *reply, const char *name);
/* Sends a request and takes the reply. */
void peer_ask(struct peer *peer, const char *text, struct reply *reply);

#endif
