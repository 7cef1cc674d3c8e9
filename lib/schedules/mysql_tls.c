/* SPDX-License-Identifier: MIT */
/*
 * No connection in plain text where TLS is demanded.
 *
 * Of a server without TLS, MariaDB's client library sends user, proof of the
 * password and statements in plain text unless it also has to verify the host's
 * name. Someone on the way who takes one bit out of the server's greeting
 * becomes such a server, and may then ask for the password itself by another
 * method of authentication. So the greeting is looked at before the library
 * reads it: the server speaks first, and the library lets others wait for it
 * (MARIADB_OPT_IO_WAIT). The bytes stay in the socket, so that the library sees
 * the same.
 */
#include <errno.h>
#include <limits.h>
#include <mysql.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "schedules/mysql_tls.h"
#include "util/clock.h"
#include "util/err.h"

/* The protocol's packets: three bytes of length, a number, the content. */
#define HEADER 4
/* A greeting takes about 100 bytes; the version's text is free. */
#define GREETING_MAX 512
#define GREETING_ERROR 0xff
/* Between the version's NUL and the flags: thread, half a nonce, a zero. */
#define FLAGS_AFTER (4 + 8 + 1)
#define FLAG_TLS 0x0800

/* The library hands the callback nothing but the socket. */
static _Thread_local enum { TLS_IDLE, TLS_EXPECTED, TLS_MISSING } state;

/* Waits until `fd` is ready for `events`: what poll() returns, but a signal
 * only begins the wait again. */
static int
tls_poll(int fd, short events, int64_t until_ms, short *ret_events)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left;
	int n;

	do {
		left = until_ms - clock_mono_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT; /* as the library's own wait does */
	*ret_events = p.revents;
	return n;
}

/* Whether the content of the first packet, of which `len` bytes are there, lets
 * the library begin TLS or end the connection. */
static bool
greeting_is_safe(const unsigned char *p, size_t len)
{
	const unsigned char *nul;
	size_t at;

	if (len > 0 && p[0] == GREETING_ERROR)
		return true; /* the library shows it, and sends nothing */
	if (len < 2 || (nul = memchr(p + 1, '\0', len - 1)) == NULL)
		return false;
	at = (size_t)(nul - p) + 1 + FLAGS_AFTER;
	return at + 2 <= len && ((p[at] | p[at + 1] << 8) & FLAG_TLS) != 0;
}

/* How much of the first packet is wanted: all, if it is of a usual size. */
static size_t
greeting_wanted(const unsigned char *p, size_t len)
{
	size_t wanted = HEADER;

	if (len >= HEADER)
		wanted += p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16;
	return wanted < GREETING_MAX ? wanted : GREETING_MAX;
}

/* Looks at the greeting; returns as poll() does. What comes in pieces is waited
 * for by the least number of bytes that makes the socket readable. */
static int
greeting_look(int fd, int64_t until_ms)
{
	unsigned char p[GREETING_MAX];
	int wanted = HEADER, one = 1, n;
	ssize_t len = 0;
	short events;

	while (len < wanted) {
		setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &wanted,
			   sizeof(wanted));
		if ((n = tls_poll(fd, POLLIN, until_ms, &events)) <= 0)
			return n;
		len = recv(fd, p, sizeof(p), MSG_PEEK | MSG_DONTWAIT);
		if (len < wanted)
			break; /* it is closed */
		wanted = (int)greeting_wanted(p, (size_t)len);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
	if (len <= 0)
		return 1; /* the library shows why */
	if (len > HEADER &&
	    greeting_is_safe(p + HEADER, (size_t)len - HEADER)) {
		state = TLS_IDLE;
		return 1;
	}
	state = TLS_MISSING;
	errno = EPROTO;
	return -1;
}

/* A connection to a Unix socket is there at once, without this call: what has
 * no one on the way is only looked at afterwards. An address that cannot be
 * reached is followed by the host's next one. */
static int
on_wait(my_socket fd, my_bool is_read, int timeout_ms)
{
	const int64_t until_ms =
	    clock_mono_ms() + (timeout_ms > 0 ? timeout_ms : INT_MAX);
	short events = 0;
	int n;

	if (state == TLS_MISSING)
		return -1;
	n = tls_poll(fd, is_read ? POLLIN : POLLOUT, until_ms, &events);
	if (n <= 0 || is_read || state != TLS_EXPECTED ||
	    (events & (POLLERR | POLLHUP)) != 0)
		return n;
	return greeting_look(fd, until_ms);
}

void
mysql_tls_begin(MYSQL *mysql)
{
	state = TLS_EXPECTED;
	mysql_optionsv(mysql, MARIADB_OPT_IO_WAIT, on_wait);
}

bool
mysql_tls_end(void)
{
	const bool missing = state == TLS_MISSING;

	state = TLS_IDLE;
	return missing;
}

int
mysql_tls_refuse(const char *name, struct err *err)
{
	return err_set(err, ERR_UNAVAILABLE,
		       "%s: connecting: the server does not offer TLS, which "
		       "sslmode= demands",
		       name);
}
