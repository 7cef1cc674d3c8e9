/* SPDX-License-Identifier: MIT */
/*
 * An HTTP/1.1 server (RFC 9110, RFC 9112) on a libevent loop: requests,
 * replies, event streams and WebSockets.
 *
 * The library below (libmicrohttpd, wslay) is seen nowhere else. Everything
 * happens on the thread of the loop; no call blocks. A gate refuses what is
 * malformed or ambiguous before the user sees it: the name of a header that is
 * not a token, no Host or two, two Content-Lengths or a folded one, a
 * Transfer-Encoding, a body on GET, HEAD or DELETE, a POST or PUT without a
 * length (411), a head or a body that is too long (431, 413) or too slow (408).
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/buf.h"

struct err;
struct event_base;
struct http_request;
struct http_server;
struct http_stream;
struct http_ws;

enum http_method {
	HTTP_GET, /* of HEAD too: the body is left out below */
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OTHER
};

/* A header of a reply; value NULL: left out. The last of an array has no name. */
struct http_field {
	const char *name;
	const char *value;
};

struct http_limits {
	/* From the first byte of a head to its end; a body has as long, and a
	 * second for each 4 KiB. 408 if it takes longer. */
	int64_t head_timeout_us;
	/* Of a connection without a request, and of a peer that takes nothing of
	 * a reply. Whole seconds count. A WebSocket is asked for a sign of life
	 * as often, or every 25 s. */
	int64_t idle_timeout_us;
	size_t max_head; /* bytes */
	/* At the limit the connection that is idle for longest makes room. */
	unsigned int max_connections;
	unsigned int max_per_peer; /* of an IPv4 address or IPv6 /64; 0: any */
	unsigned int max_per_uid;  /* of a user by Unix sockets; 0: any */
	size_t max_streams;	   /* event streams and WebSockets */
	size_t max_backlog; /* bytes that a slow reader of a stream may owe */
};

struct http_user {
	/*
	 * The head is there and well-formed. Returns how long a body may be, in
	 * bytes (413 if it is longer); or -1 if it has replied: on_request is
	 * not called then.
	 */
	int64_t (*on_head)(struct http_request *request, void *arg);
	/* The whole request is there. It is replied to now or later, exactly
	 * once, by http_reply(), http_stream_begin() or http_ws_begin(). */
	void (*on_request)(struct http_request *request, void *arg);
	/* The request ends without a reply of the user's, after on_head or
	 * on_request: its peer is gone, or its body was too long or too slow.
	 * It ends with this call. Its http_data() is the user's to free. */
	void (*on_gone)(struct http_request *request, void *arg);
	/* A peer waits because descriptors or memory have run short (`sys`);
	 * each time it is tried again. NULL: it is not told. */
	void (*on_short)(int sys, void *arg);
	/* Headers that the user's replies have, for the server's own refusals;
	 * the last has no name. NULL: none. */
	const struct http_field *refusal_fields;
	void *arg;
};

struct http_server *http_server_new(struct event_base *base,
				    const struct http_limits *limits,
				    const struct http_user *user,
				    struct err *err);
/* Closes all; streams' on_gone is called, requests' too. */
void http_server_free(struct http_server *server);

/* TLS of a listener: texts in PEM. */
struct http_tls {
	const char *certificates;
	const char *key;
	/* Peers show a certificate that one of these has signed (403 otherwise).
	 * NULL: they show none. */
	const char *client_ca;
};
/*
 * Whether these can be used: 0, or -1, an error that says why not, and in
 * *ret_bad which of them it is.
 */
enum http_tls_part { HTTP_TLS_CERTIFICATES, HTTP_TLS_KEY, HTTP_TLS_CLIENT_CA };
int http_tls_check(const struct http_tls *tls, enum http_tls_part *ret_bad,
		   struct err *err);
/* Accepts on a listening socket (TCP or Unix), which it closes in the end.
 * `tls` NULL: plain. */
int http_server_listen(struct http_server *server, int fd,
		       const struct http_tls *tls, struct err *err);
/* Takes no more connections; those that are there go on. */
void http_server_quiet(struct http_server *server);

/* --- the request; valid until it is replied to --------------------------- */

enum http_method http_method(const struct http_request *request);
/* What its reply, its problems and the log call it by: unique, and made here for
 * each. */
#define HTTP_ID_SIZE 24
const char *http_id(const struct http_request *request);
/* One for what is not a request. */
void http_make_id(char id[HTTP_ID_SIZE]);
/* The path, percent-decoded, UTF-8 without NUL; "/" first. A path with "..",
 * an encoded slash or bad UTF-8 has been refused (400). */
const char *http_path(const struct http_request *request);
/* The query as it came, without "?"; "" if there is none. */
const char *http_query(const struct http_request *request);
/* A header by its name in any case; NULL if it is not there. One that may come
 * once (Host, Authorization, Cookie, Content-Type, Origin, …) came once; of
 * others this is the first. */
const char *http_header(const struct http_request *request, const char *name);
/* How often it is there: a header that a proxy vouches for must be there once. */
size_t http_header_count(const struct http_request *request, const char *name);
struct slice http_body(const struct http_request *request);
/* The peer: "192.0.2.1" or "unix"; on a Unix socket its uid, else -1. */
const char *http_peer(const struct http_request *request);
int64_t http_peer_uid(const struct http_request *request);
/* Whether the process that has connected a Unix socket was in a group then; false of
 * other peers. */
bool http_peer_in_group(const struct http_request *request, gid_t gid);
bool http_is_tls(const struct http_request *request);
/* A pointer of the user's. */
void http_set_data(struct http_request *request, void *data);
void *http_data(const struct http_request *request);

/* --- the reply ---------------------------------------------------------- */

struct http_reply {
	unsigned int status;
	const char *type; /* Content-Type; NULL with an empty body */
	const struct http_field *fields;
	struct slice body;
	/* Called when `body` is not needed any more; NULL: it is copied. */
	void (*release)(void *arg);
	void *arg;
	bool close; /* the connection, after it */
};
void http_reply(struct http_request *request, const struct http_reply *reply);

/* --- problems ----------------------------------------------------------- */

/* What is refused or has failed, as programs read it: RFC 9457, with members of
 * our own. The server's own refusals are such; so should be the user's. */
#define HTTP_PROBLEM_TYPE "application/problem+json"
struct http_problem {
	unsigned int status;
	const char *code; /* NULL: that of the status */
	/* Texts; NULL, and what is not UTF-8, become null. */
	const char *detail, *field, *hint, *request_id;
	/* Where in the field it is wrong, in bytes from 1, and what stands there;
	 * 0: both are left out. */
	size_t column;
	const char *token;
};
/* Appends it, a JSON object. */
void http_problem_write(const struct http_problem *problem, struct buf *out);
/* The code of a status: "not_found". */
const char *http_problem_code(unsigned int status);
/* Replies with one, without the user's help, and closes the connection. */
void http_refuse(struct http_request *request, unsigned int status,
		 const char *detail);

/* --- event streams (text/event-stream) ---------------------------------- */

struct http_stream_user {
	/* The peer is gone; the stream ends with this call. */
	void (*on_gone)(struct http_stream *stream, void *arg);
	/* All that was owed has been taken. */
	void (*on_drained)(struct http_stream *stream, void *arg);
	void *arg;
};
/* Replies with 200 and a body without an end. NULL: it was replied to otherwise,
 * because it is HEAD (200), there are too many or no memory (503). */
struct http_stream *http_stream_begin(struct http_request *request,
				      const struct http_field *fields,
				      const struct http_stream_user *user);
/*
 * Sends bytes, or keeps them until the peer takes them. Returns the bytes that
 * are owed, or -1: they would be more than max_backlog, and nothing was kept.
 */
ssize_t http_stream_send(struct http_stream *stream, struct slice bytes);
/* The number of bytes that the peer owes to take. */
size_t http_stream_owed(const struct http_stream *stream);
/* Ends it when the peer has taken what it owes. It is no longer the user's: no
 * callback follows. */
void http_stream_end(struct http_stream *stream);

/* --- WebSockets (RFC 6455) ----------------------------------------------- */

struct http_ws_user {
	/* A whole text message; binary ones are refused (1003). */
	void (*on_text)(struct http_ws *ws, struct slice text, void *arg);
	/* The peer has closed it, or is gone; it ends with this call. */
	void (*on_gone)(struct http_ws *ws, void *arg);
	void *arg;
};
/* Whether it asks for an upgrade to a WebSocket. */
bool http_ws_asked(const struct http_request *request);
/* NULL: 400, 426 or 503 was replied. */
struct http_ws *http_ws_begin(struct http_request *request,
			      const struct http_ws_user *user);
/* As http_stream_send(), a text message. */
ssize_t http_ws_send(struct http_ws *ws, struct slice text);
/* Closes with a code of RFC 6455, section 7.4; texts that are owed are dropped. It
 * is no longer the user's: no callback follows. */
void http_ws_close(struct http_ws *ws, unsigned int code, const char *why);

/* --- texts -------------------------------------------------------------- */

/* Takes a query (application/x-www-form-urlencoded) apart: calls on_pair with each
 * name and value, decoded; its result not 0 ends it. -1 with *err (ERR_DATA) if
 * one cannot be decoded. */
int http_query_each(const char *query,
		    int (*on_pair)(const char *name, const char *value,
				   void *arg, struct err *err),
		    void *arg, struct err *err);
/* The value of a cookie, borrowed from `header`; 0 bytes if it is not there. */
struct slice http_cookie(const char *header, const char *name);
/* The reason phrase: "Not Found". */
const char *http_status_text(unsigned int status);

#endif
