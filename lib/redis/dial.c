/* SPDX-License-Identifier: MIT */
/*
 * Reaching a server: resolve its name, then try its addresses one by one.
 *
 * libevent's evdns resolves names, since getaddrinfo() would block the loop.
 * bufferevent_socket_connect_hostname() does not block either, but tries only
 * the first address: "localhost" is often ::1 first, while Redis listens on
 * 127.0.0.1.
 */
#include "redis/dial.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loaded/evdns.h"
#include "redis/redis.h"
#include "redis/url.h"
#include "util/err.h"
#include "util/library.h"

/* An address needs no resolver, and a path none either. */
LIBRARY("names of hosts", evdns);

/* The argument of evdns' callback. evdns may call back after its base was
 * freed, so this outlives a dial that was given up; `dial` is NULL then. */
struct lookup {
	struct redis_dial *dial;
};

struct redis_dial {
	struct event_base *base;
	const struct redis_url *url;
	int64_t timeout_ms;
	redis_dialed_fn *on_dialed;
	void *arg;

	struct evdns_base *dns;
	struct lookup *lookup;
	int lookup_result; /* EVUTIL_EAI_* */
	struct evutil_addrinfo *addresses;
	const struct evutil_addrinfo *next;
	struct timeval patience; /* with one address */
	struct event *turn;  /* goes on from the loop, not from a callback */
	struct event *event; /* waits for the socket */
	int fd;
	int why; /* the errno of the address tried last */
};

/* The callback may free the dial: it is the last statement, and the socket
 * belongs to the callback. */
static void
dial_finish(struct redis_dial *d, const struct err *err)
{
	int fd = d->fd;

	d->fd = -1;
	d->on_dialed(fd, err, d->arg);
}

static void
dial_give_up(struct redis_dial *d)
{
	struct err err;

	errno = d->why;
	err_sys(&err, ERR_UNAVAILABLE, "cannot connect");
	dial_finish(d, &err);
}

/*
 * TCP_NODELAY: Nagle's algorithm would hold a small command back until the one
 * before is acknowledged. SO_KEEPALIVE: the kernel finds a dead peer even while
 * the connection is idle. TCP_USER_TIMEOUT: what it gets no answer for is not sent
 * again later than that (see redis_drops_stale()).
 */
static void
tune(int fd)
{
	const unsigned int stale_ms = REDIS_STALE_MS;
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stale_ms,
		   sizeof(stale_ms));
}

static void try_addresses(struct redis_dial *d);

/* The result of a connect() that does not block: writable means that it has
 * ended, and SO_ERROR says how (connect(2)). */
static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct redis_dial *d = arg;
	socklen_t len = sizeof(d->why);

	event_free(d->event);
	d->event = NULL;
	if (what & EV_TIMEOUT)
		d->why = ETIMEDOUT;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &d->why, &len) != 0)
		d->why = errno;
	if (d->why == 0) {
		dial_finish(d, NULL);
		return;
	}
	close(d->fd);
	d->fd = -1;
	try_addresses(d);
}

/* Begins to connect: 0, 1 if that has ended (a Unix socket), or -1 with d->why. */
static int
try_address(struct redis_dial *d, const struct sockaddr *sa, socklen_t len)
{
	d->fd = socket(sa->sa_family,
		       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0) {
		d->why = errno;
		return -1;
	}
	if (sa->sa_family != AF_UNIX)
		tune(d->fd);
	/*
	 * A Unix socket whose backlog is full fails with EAGAIN and does not
	 * connect later. A TCP socket goes on connecting by itself, also after
	 * a signal (EINTR).
	 */
	if (connect(d->fd, sa, len) == 0)
		return 1;
	if (errno != EINPROGRESS && errno != EINTR) {
		d->why = errno;
		goto fail;
	}
	d->event = event_new(d->base, d->fd, EV_WRITE, on_connected, d);
	if (d->event == NULL || event_add(d->event, &d->patience) != 0) {
		d->why = ENOMEM;
		goto fail;
	}
	return 0;

fail:
	close(d->fd);
	d->fd = -1;
	return -1;
}

/* Tries the next addresses until one is under way. */
static void
try_addresses(struct redis_dial *d)
{
	const struct evutil_addrinfo *ai;
	int under_way = -1;

	while (under_way < 0 && (ai = d->next) != NULL) {
		d->next = ai->ai_next;
		under_way =
		    try_address(d, ai->ai_addr, (socklen_t)ai->ai_addrlen);
	}
	if (under_way < 0)
		dial_give_up(d);
	else if (under_way > 0)
		dial_finish(d, NULL);
}

/* All addresses share the time for one attempt: one that does not answer must
 * leave time for those after it. */
static void
set_patience(struct redis_dial *d, int64_t n_addresses)
{
	int64_t us = d->timeout_ms * 1000 / n_addresses;

	d->patience.tv_sec = us / 1000000;
	d->patience.tv_usec = us % 1000000;
}

static void
on_resolved(int result, struct evutil_addrinfo *addresses, void *arg)
{
	struct lookup *lookup = arg;
	struct redis_dial *d = lookup->dial;

	free(lookup);
	if (d == NULL) {
		if (addresses != NULL)
			evutil_freeaddrinfo(addresses);
		return;
	}
	/* This may run inside evdns, which the user's callback could free. So
	 * the result is only noted, and the rest runs from the loop. */
	d->lookup = NULL;
	d->lookup_result = result;
	d->addresses = addresses;
	event_active(d->turn, EV_TIMEOUT, 0);
}

/* NUMERICSERV: the port is a number, so /etc/services need not be read. */
static struct evutil_addrinfo
hints_with(int flags)
{
	return (struct evutil_addrinfo){
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_protocol = IPPROTO_TCP,
	    .ai_flags = flags | EVUTIL_AI_NUMERICSERV,
	};
}

/* A host that is an address needs no DNS: NUMERICHOST parses it without any
 * traffic. Only if that fails is a resolver made. -1 with *err: there is none. */
static int
dial_resolve(struct redis_dial *d, struct err *err)
{
	struct evutil_addrinfo hints = hints_with(EVUTIL_AI_NUMERICHOST);
	char port[8];

	snprintf(port, sizeof(port), "%u", (unsigned int)d->url->port);
	d->lookup = calloc(1, sizeof(*d->lookup));
	if (d->lookup == NULL) {
		d->lookup_result = EVUTIL_EAI_MEMORY;
		event_active(d->turn, EV_TIMEOUT, 0);
		return 0;
	}
	d->lookup->dial = d;
	if (evutil_getaddrinfo(d->url->host, port, &hints, &d->addresses) ==
	    0) {
		on_resolved(0, d->addresses, d->lookup);
		return 0;
	}
	if (library_load(&library_evdns, err) != 0) {
		free(d->lookup);
		d->lookup = NULL;
		return -1;
	}
	/* A new resolver for each attempt: it reads resolv.conf and hosts,
	 * which may have changed while the server was away. */
	d->dns = evdns_base_new(d->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
					     EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (d->dns == NULL) {
		on_resolved(EVUTIL_EAI_FAIL, NULL, d->lookup);
		return 0;
	}
	/*
	 * A lost packet is sent again after one second. evdns waits five by
	 * default, and the whole attempt has less (CONNECT_MAX_MS in conn.c).
	 */
	evdns_base_set_option(d->dns, "timeout:", "1");
	/* Without EVUTIL_AI_ADDRCONFIG: for that, libevent asks for the
	 * machine's addresses, which a service may not do that may not use
	 * netlink, and complains. An address that this machine cannot reach
	 * fails at once, and the next one is tried. */
	hints = hints_with(0);
	evdns_getaddrinfo(d->dns, d->url->host, port, &hints, on_resolved,
			  d->lookup);
	return 0;
}

/* The name was resolved, or it could not be. */
static void
on_addresses(struct redis_dial *d)
{
	const struct evutil_addrinfo *ai;
	int64_t n = 0;
	struct err err;

	if (d->lookup_result != 0) {
		err_set(&err, ERR_UNAVAILABLE, "cannot resolve its host: %s",
			evutil_gai_strerror(d->lookup_result));
		dial_finish(d, &err);
		return;
	}
	for (ai = d->addresses; ai != NULL; ai = ai->ai_next)
		n++;
	set_patience(d, n != 0 ? n : 1);
	d->next = d->addresses;
	try_addresses(d);
}

static void
dial_on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct redis_dial *d = arg;
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int under_way;

	if (d->url->path == NULL) {
		on_addresses(d);
		return;
	}
	/* Its length was checked when the URL was read. */
	memccpy(sun.sun_path, d->url->path, '\0', sizeof(sun.sun_path) - 1);
	set_patience(d, 1);
	under_way = try_address(d, (const struct sockaddr *)&sun, sizeof(sun));
	if (under_way < 0)
		dial_give_up(d);
	else if (under_way > 0)
		dial_finish(d, NULL);
}

struct redis_dial *
redis_dial_new(struct event_base *base, const struct redis_url *url,
	       int64_t timeout_ms, redis_dialed_fn *on_dialed, void *arg,
	       struct err *err)
{
	struct redis_dial *d = calloc(1, sizeof(*d));

	if (d == NULL ||
	    (d->turn = evtimer_new(base, dial_on_turn, d)) == NULL) {
		free(d);
		err_nomem(err);
		return NULL;
	}
	d->base = base;
	d->url = url;
	d->timeout_ms = timeout_ms;
	d->on_dialed = on_dialed;
	d->arg = arg;
	d->fd = -1;
	d->why = EADDRNOTAVAIL;
	if (url->path != NULL) {
		event_active(d->turn, EV_TIMEOUT, 0);
	} else if (dial_resolve(d, err) != 0) {
		redis_dial_free(d);
		return NULL;
	}
	return d;
}

void
redis_dial_free(struct redis_dial *d)
{
	if (d == NULL)
		return;
	if (d->lookup != NULL)
		d->lookup->dial = NULL;
	if (d->dns != NULL)
		evdns_base_free(d->dns, 1); /* calls on_resolved, later */
	if (d->addresses != NULL)
		evutil_freeaddrinfo(d->addresses);
	if (d->event != NULL)
		event_free(d->event);
	event_free(d->turn);
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}
