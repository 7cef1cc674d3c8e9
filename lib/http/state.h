/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the server share. Private to lib/http.
 *
 * A connection is the server's from accept() to its end. libmicrohttpd reads and
 * writes its socket; an event of ours beside it sees the first byte of a head,
 * and that the peer of a suspended request is gone: libmicrohttpd tells of
 * neither.
 */
#ifndef HTTP_STATE_H
#define HTTP_STATE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "http/http.h"

/* More header fields than browsers and proxies send together; Apache's limit
 * (LimitRequestFields). */
#define HTTP_FIELDS_MAX 100

/* Digits of a Content-Length that no int64_t overflows with. */
#define HTTP_LENGTH_DIGITS 18

/* Browsers send at most 180 of a host; libmicrohttpd copies each. */
#define HTTP_COOKIES_MAX 200

enum http_phase {
	HTTP_IDLE,   /* waits for the first byte of a head */
	HTTP_HEAD,   /* has a part of a head */
	HTTP_BODY,   /* has a head, and a part of its body */
	HTTP_ANSWER, /* the user has the request */
	HTTP_SEND,   /* a reply goes out */
	HTTP_STREAM, /* an event stream goes on */
	HTTP_LINGER, /* closed by us; what comes is thrown away */
};

/* A daemon of libmicrohttpd in the loop: one for all plain listeners, and one
 * for each with TLS, which has a certificate of its own. */
struct http_engine {
	struct http_server *server;
	struct MHD_Daemon *mhd;
	struct event watch;   /* of its epoll descriptor */
	struct timer *timer;  /* when it wants to run though nothing came */
	unsigned int n_again; /* turns since something came */
	bool tls;
	bool verifies; /* certificates of peers */
	bool running;  /* its callbacks are on the stack */
	bool parks;    /* connections are to be parked */
	struct http_engine *next;
};

struct http_listener {
	struct http_server *server;
	struct http_engine *engine;
	struct event event;
	int fd;
	struct http_listener *next;
};

struct http_conn {
	struct http_server *server;
	struct http_engine *engine;
	/* NULL: it has not got it yet, or has closed it. */
	struct MHD_Connection *mhd;
	int fd;
	enum http_phase phase;
	int64_t since_us;    /* in that phase */
	struct event watch;  /* of fd */
	struct timer *timer; /* of HTTP_HEAD and HTTP_BODY */
	struct http_request *request;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	char peer[INET6_ADDRSTRLEN];
	int64_t peer_uid;
	bool parks;	 /* when libmicrohttpd's turn is over */
	bool parked;	 /* suspended until a head is there, and read here */
	bool cut;	 /* what libmicrohttpd reads is nothing any more */
	bool linger;	 /* when it closes: unread bytes may be there */
	size_t lingered; /* bytes that were thrown away */
	struct http_conn *prev, *next; /* the newest first */
};

/* A field of a head; both end in a NUL. */
struct http_pair {
	struct slice name;
	struct slice value;
};

/* A status, and a sentence. */
struct http_refusal {
	unsigned int status;
	const char *detail;
};

struct http_request {
	struct http_conn *conn;
	char id[HTTP_ID_SIZE];
	char *target;	   /* as it came */
	const char *where; /* and where it stands in libmicrohttpd's memory */
	const char *after; /* and what stands behind the request there */
	const char *query; /* within target */
	char *path;	   /* decoded */
	const char *method_name;
	enum http_method method;
	struct buf text; /* method, and names and values of fields */
	struct http_pair fields[HTTP_FIELDS_MAX];
	size_t n_fields;
	uint64_t length; /* of the body, as it was announced */
	struct http_refusal refusal;
	struct buf body;
	void *data;
	struct MHD_Response *reply; /* waits for libmicrohttpd's next call */
	unsigned int status;
	bool http_1_0;
	bool begun;	/* libmicrohttpd's first call is over */
	bool owned;	/* the user has it and has not replied */
	bool given;	/* on_request was called */
	bool suspended; /* libmicrohttpd looks at nothing of it */
	bool alone;	/* no byte of a next one was read with it */
	bool gone;	/* is to be closed without a reply */
	struct http_stream *stream;
	struct http_ws *ws;
};

struct http_server {
	struct event_base *base;
	struct http_limits limits;
	struct http_user user;
	struct http_engine *engines;
	struct http_listener *listeners;
	struct http_conn *conns;
	struct http_conn *arriving; /* is being given to libmicrohttpd */
	struct timer *accept_again; /* after a shortage of descriptors */
	char *peeked;		    /* room for a head, and one byte */
	unsigned int n_conns;
	size_t n_streams;
	bool quiet;
	bool crowded; /* somebody waits for a connection to end */
	bool freeing;
};

/* --- server.c: the daemons of libmicrohttpd ----------------------------- */

/* That of plain listeners, or a new one for `tls`. NULL with *err. */
struct http_engine *http_engine_get(struct http_server *server,
				    const struct http_tls *tls,
				    struct err *err);
/* libmicrohttpd has something to do that no descriptor tells of. */
void http_engine_wake(struct http_engine *engine);

/* Whether libmicrohttpd refuses itself what the gate sees by places. */
bool http_parser_is_strict(void);

/* --- listen.c ------------------------------------------------------------ */

void http_listeners_free(struct http_server *server);
/* Accepts again, unless the server is quiet. */
void http_listeners_update(struct http_server *server);

/* --- conn.c -------------------------------------------------------------- */

/* Takes a socket, and closes it on failure. */
struct http_conn *http_conn_alloc(struct http_engine *engine, int fd,
				  const struct sockaddr_storage *addr,
				  socklen_t len);
/* Not its socket. */
void http_conn_free(struct http_conn *conn);
/* The same as http_conn_alloc(), and waits for its first head. */
void http_conn_new(struct http_engine *engine, int fd,
		   const struct sockaddr_storage *addr, socklen_t len);
/* Of libmicrohttpd: a connection begins or has ended. */
void http_conn_on_notify(void *cls, struct MHD_Connection *mhd, void **context,
			 enum MHD_ConnectionNotificationCode code);
struct http_conn *http_conn_of(struct MHD_Connection *mhd);
void http_conn_phase(struct http_conn *conn, enum http_phase phase);
/* Ends it: what it waits for fails, and libmicrohttpd sees an end of file. */
void http_conn_cut(struct http_conn *conn);

/* Whether the peer has ended. Of an error no flag of an event tells, and bytes
 * may have come, too. */
bool http_conn_is_over(int fd);
/* Closes a socket that is ours when the peer has read what was sent. */
void http_conn_linger(struct http_conn *conn);

/* --- peek.c ----------------------------------------------------------------- */

/* Looks at a head before libmicrohttpd does: hands it over, refuses it, or waits
 * for more of it. */
void http_conn_peek(struct http_conn *conn);
/* Gives the connection to libmicrohttpd. false: it has ended. */
bool http_conn_hand_over(struct http_conn *conn);
/* Parks those that are to be. */
void http_conns_park(struct http_engine *engine);
void http_conn_unpark(struct http_conn *conn);
/* Refuses those with a head of which libmicrohttpd's reply would have two. */
void http_conns_refuse_unread(struct http_engine *engine);
/* Closes it behind a last reply that libmicrohttpd knows nothing of. */
void http_conn_finish(struct http_conn *conn);

/* --- request.c ------------------------------------------------------------ */

void *http_request_on_target(void *cls, const char *target,
			     struct MHD_Connection *mhd);
enum MHD_Result http_request_on_call(void *cls, struct MHD_Connection *mhd,
				     const char *url, const char *method,
				     const char *version, const char *data,
				     size_t *size, void **context);
void http_request_on_completed(void *cls, struct MHD_Connection *mhd,
			       void **context,
			       enum MHD_RequestTerminationCode code);
/* libmicrohttpd leaves its connection alone, and looks at it again. */
void http_request_suspend(struct http_request *request);
void http_request_resume(struct http_request *request);
struct http_request *http_request_new(struct http_conn *conn);
void http_request_free(struct http_request *request);
/* Its peer is gone: tells the user, and ends the connection. */
void http_request_gone(struct http_request *request);
/* Gives a reply to libmicrohttpd, now or with its next call. Takes `reply`,
 * NULL closes the connection. */
void http_request_answer(struct http_request *request, unsigned int status,
			 struct MHD_Response *reply);

/* --- gate.c, gate_take.c --------------------------------------------------- */

/* Notes why a request is refused, and returns -1. */
int http_gate_refuse(struct http_request *request, unsigned int status,
		     const char *detail);
/* Copies a text into request->text, which has room for it. */
struct slice http_gate_keep(struct http_request *request, const char *p,
			    size_t len);
int http_gate_add(struct http_request *request, struct slice name,
		  struct slice value);
/* With what status to refuse a head with these (NULL: not there), since
 * libmicrohttpd cannot read it, and why; or 0. */
unsigned int http_gate_unreadable(const char *length, const char *cookie,
				  const char **ret_detail);
/* Judges a head by its method, target and fields. */
int http_gate_judge(struct http_request *request);
/* Takes the head of `request` and judges it. 0: it is well-formed; path, query,
 * fields and length are set. -1: `refusal` is. */
int http_gate(struct http_request *request, struct MHD_Connection *mhd,
	      const char *method, const char *version);

/* --- head.c ---------------------------------------------------------------- */

/*
 * Reads a head of at most `max` bytes into an empty request. 1; 0: its end is not
 * there yet, and what is there is well-formed; -1: `refusal` says why.
 */
int http_head_read(struct http_request *request, struct slice bytes,
		   size_t max);

/* --- reply.c ---------------------------------------------------------------- */

/* The same past libmicrohttpd, which would not take a reply now. `request` is what
 * is known of it; NULL: nothing is. */
void http_refuse_raw(struct http_conn *conn, const struct http_request *request,
		     unsigned int status, const char *detail);
/* Adds fields; -1 when memory runs out or a field is not one. */
int http_add_fields(struct MHD_Response *response,
		    const struct http_field *fields);

/* --- handshake.c ------------------------------------------------------------ */

/* Whether a request for a WebSocket was refused, and replied to. */
bool http_ws_refuses(struct http_request *request);
/* The value of Sec-WebSocket-Accept for a key that was not refused: 28 digits and
 * a NUL. -1: OpenSSL has no SHA-1. */
#define HTTP_WS_ACCEPT_SIZE 32
int http_ws_accept(const char *key, char accept[HTTP_WS_ACCEPT_SIZE]);

/* --- stream.c, ws.c --------------------------------------------------------- */

/* Of a request that has ended. */
void http_stream_on_completed(struct http_stream *stream);
void http_ws_on_completed(struct http_ws *ws);
/* Ends one whose socket is its own by now. */
void http_ws_cut(struct http_ws *ws);

#endif
