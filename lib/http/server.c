/* SPDX-License-Identifier: MIT */
/*
 * The server: daemons of libmicrohttpd in a libevent loop.
 *
 * libmicrohttpd keeps its sockets in an epoll descriptor of its own. The loop
 * watches that one, and runs the daemon when something is ready there, when one
 * of its time-outs is due, or when a connection was resumed.
 */
#include "http/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/state.h"
#include "util/err.h"
#include "util/timer.h"

#define US_PER_S 1000000
/* TLS 1.2 and 1.3: older ones are deprecated by RFC 8996. */
#define ENGINE_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
/* Turns without anything new after which libmicrohttpd waits: more than it takes
 * to send a reply in parts. */
#define ENGINE_AGAIN_MAX 16
#define ENGINE_AGAIN_MS 5
/*
 * MHD_USE_NO_THREAD_SAFETY, which headers before 1.0 do not have: the version that
 * runs may be newer. Without it, 1.0 begins a connection that it is given in its
 * next turn, and http_conn_hand_over() could not tell whether it will.
 */
#define ENGINE_ONE_THREAD (1U << 19)
/* For the head of a reply, beside that of the request: what a security policy
 * and a cookie take, several times over. */
#define HTTP_REPLY_ROOM 8192
/* Up to 32 KiB libmicrohttpd takes a connection's memory from malloc(); beyond
 * that it is zero at first, as request.c needs it. */
#define HTTP_POOL_MIN 40960

/*
 * Its next time-out; zero when a connection has more to do at once. Those have
 * their turns of the loop among the others, and not within one of them. While a
 * peer takes its time in a handshake of TLS libmicrohttpd (0.9.75) says zero
 * again and again: after some turns in which nothing came we believe it less.
 */
static void
engine_plan(struct http_engine *engine)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(engine->mhd, &ms) != MHD_YES)
		timer_cancel(engine->timer);
	else if (ms == 0)
		timer_set_ms(engine->timer, engine->n_again < ENGINE_AGAIN_MAX
						? 0
						: ENGINE_AGAIN_MS);
	else
		timer_set_ms(engine->timer, ms < INT64_MAX ? (int64_t)ms : 0);
}

/* It may be called from within itself, by a callback that wakes it: then the
 * running turn sees to that. */
static void
engine_run(struct http_engine *engine)
{
	if (engine->running)
		return;
	engine->running = true;
	MHD_run(engine->mhd);
	engine->running = false;
	if (engine->parks)
		http_conns_park(engine);
	if (!engine->server->freeing)
		engine_plan(engine);
}

/* Counted: see engine_plan(). */
static void
engine_on_timer(void *arg)
{
	struct http_engine *engine = arg;

	engine->n_again++;
	engine_run(engine);
}

/* Something has come, so that its zeros are believed again. */
static void
engine_on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct http_engine *engine = arg;

	engine->n_again = 0;
	engine_run(engine);
}

/* In the next turn of the loop: not from within a callback of libmicrohttpd. */
void
http_engine_wake(struct http_engine *engine)
{
	engine->n_again = 0;
	timer_fire(engine->timer);
}

/* From 1.0 on it parses strictly, if it is told to. */
bool
http_parser_is_strict(void)
{
	return MHD_get_version()[0] != '0';
}

/* Escapes stay: the gate decodes them by stricter rules. */
static size_t
engine_unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
	return strlen(text);
}

/*
 * libmicrohttpd logs that it cannot read a Content-Length, or that cookies take
 * all its memory (as it believes of some), before it replies with a head that it
 * sends twice (seen in 0.9.75): ours goes out first, and closes. Only requests that
 * were pipelined, and those within TLS, come here unseen.
 */
static void
engine_on_log(void *cls, const char *format, va_list ap)
{
	if (strstr(format, "Content-Length") != NULL ||
	    strstr(format, "memory in pool") != NULL)
		http_conns_refuse_unread(cls);
}

/* Time-outs of idle connections and of peers that do not read are
 * libmicrohttpd's, in whole seconds. */
static unsigned int
idle_timeout_s(const struct http_limits *limits)
{
	int64_t s = (limits->idle_timeout_us + US_PER_S - 1) / US_PER_S;

	return s < 1 ? 1 : (unsigned int)s;
}

/* A head is read into half of it at first. */
static size_t
engine_pool_size(const struct http_limits *limits)
{
	size_t size = 2 * (limits->max_head + HTTP_REPLY_ROOM);

	return size > HTTP_POOL_MIN ? size : HTTP_POOL_MIN;
}

static struct MHD_Daemon *
engine_start(struct http_engine *engine, const struct http_tls *tls)
{
	const struct http_limits *limits = &engine->server->limits;
	unsigned int flags = MHD_USE_ERROR_LOG | MHD_USE_EPOLL |
			     MHD_USE_NO_LISTEN_SOCKET |
			     MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
			     (http_parser_is_strict() ? ENGINE_ONE_THREAD : 0) |
			     (tls != NULL ? MHD_USE_TLS : 0);
	struct MHD_OptionItem more[5] = {{MHD_OPTION_END, 0, NULL}};

	if (tls != NULL) {
		more[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0,
						  (void *)tls->certificates};
		more[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0,
						  (void *)tls->key};
		more[2] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES,
						  0, (void *)ENGINE_PRIORITIES};
		more[3] = (struct MHD_OptionItem){
		    tls->client_ca != NULL ? MHD_OPTION_HTTPS_MEM_TRUST
					   : MHD_OPTION_END,
		    0, (void *)tls->client_ca};
		more[4] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	}
	return MHD_start_daemon(
	    flags, 0, NULL, NULL, http_request_on_call, engine,
	    /* First: what follows may be logged. */
	    MHD_OPTION_EXTERNAL_LOGGER, engine_on_log, engine,
	    MHD_OPTION_URI_LOG_CALLBACK, http_request_on_target, engine,
	    MHD_OPTION_UNESCAPE_CALLBACK, engine_unescape, NULL,
	    MHD_OPTION_NOTIFY_COMPLETED, http_request_on_completed, engine,
	    MHD_OPTION_NOTIFY_CONNECTION, http_conn_on_notify, engine,
	    MHD_OPTION_CONNECTION_TIMEOUT, idle_timeout_s(limits),
	    /* Ours is reached first, and tells more. */
	    MHD_OPTION_CONNECTION_LIMIT, limits->max_connections + 1,
	    /* The gate is as strict before 1.0, and has its own replies. */
	    MHD_OPTION_STRICT_FOR_CLIENT, http_parser_is_strict() ? 1 : 0,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, engine_pool_size(limits),
	    MHD_OPTION_ARRAY, more, MHD_OPTION_END);
}

/* The daemon of plain listeners is made at the first one's. */
static struct http_engine *
engine_new(struct http_server *server, const struct http_tls *tls,
	   struct err *err)
{
	struct http_engine *engine = calloc(1, sizeof(*engine));
	const union MHD_DaemonInfo *info;

	if (engine == NULL) {
		err_nomem(err);
		return NULL;
	}
	engine->server = server;
	engine->tls = tls != NULL;
	engine->verifies = tls != NULL && tls->client_ca != NULL;
	engine->timer = timer_new(server->base, engine_on_timer, engine);
	engine->mhd = engine_start(engine, tls);
	if (engine->timer == NULL || engine->mhd == NULL) {
		if (tls != NULL)
			err_set(err, ERR_CONFIG,
				"cannot use this certificate and key for TLS");
		else
			err_sys(err, ERR_SYSTEM, "cannot start libmicrohttpd");
		goto fail;
	}
	info = MHD_get_daemon_info(engine->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	event_assign(&engine->watch, server->base, info->epoll_fd,
		     EV_READ | EV_PERSIST, engine_on_ready, engine);
	if (event_add(&engine->watch, NULL) != 0) {
		err_nomem(err);
		goto fail;
	}
	engine->next = server->engines;
	server->engines = engine;
	return engine;
fail:
	if (engine->mhd != NULL)
		MHD_stop_daemon(engine->mhd);
	timer_free(engine->timer);
	free(engine);
	return NULL;
}

struct http_engine *
http_engine_get(struct http_server *server, const struct http_tls *tls,
		struct err *err)
{
	struct http_engine *engine = server->engines;

	if (tls != NULL)
		return engine_new(server, tls, err);
	while (engine != NULL && engine->tls)
		engine = engine->next;
	return engine != NULL ? engine : engine_new(server, NULL, err);
}

struct http_server *
http_server_new(struct event_base *base, const struct http_limits *limits,
		const struct http_user *user, struct err *err)
{
	struct http_server *server = calloc(1, sizeof(*server));

	if (server == NULL) {
		err_nomem(err);
		return NULL;
	}
	server->base = base;
	server->limits = *limits;
	server->peeked = malloc(limits->max_head + 1);
	if (server->peeked == NULL) {
		free(server);
		err_nomem(err);
		return NULL;
	}
	server->user = *user;
	return server;
}

/*
 * Ends all connections first: libmicrohttpd aborts the program when it is
 * stopped with suspended ones. A turn lets those that were cut end; a second
 * one those that became ready in the first.
 */
void
http_server_free(struct http_server *server)
{
	struct http_engine *engine;
	struct http_conn *conn, *next;

	if (server == NULL)
		return;
	server->freeing = true;
	http_listeners_free(server);
	for (conn = server->conns; conn != NULL; conn = next) {
		next = conn->next;
		http_conn_cut(conn);
	}
	while ((engine = server->engines) != NULL) {
		server->engines = engine->next;
		event_del(&engine->watch);
		engine_run(engine);
		engine_run(engine);
		MHD_stop_daemon(engine->mhd);
		timer_free(engine->timer);
		free(engine);
	}
	/* Sockets that waited for the last bytes of their peers. */
	while (server->conns != NULL)
		http_conn_cut(server->conns);
	free(server->peeked);
	free(server);
}
