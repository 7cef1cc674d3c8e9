/* SPDX-License-Identifier: MIT */
/* Addresses that servers listen on: read, opened, and who reaches them. */
#include "http/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/err.h"

/* Peers that wait while the limit of connections is reached, or the loop is busy. */
#define BACKLOG 128
/* The group of the service may connect: a proxy is a member of it. */
#define SOCKET_MODE 0660

/* With the three forms that there are. */
static int
address_bad(const struct http_address_of *of, const char *word, struct err *err)
{
	return err_set(err, ERR_CONFIG,
		       "%s: \"%.128s\" is not ADDRESS:PORT, "
		       "[ADDRESS]:PORT or unix:/PATH",
		       of->key, word);
}

/* A path from the root: a relative one would depend on where the daemon starts. */
static int
address_parse_path(const struct http_address_of *of, const char *word,
		   union http_address *ret, socklen_t *len, struct err *err)
{
	const char *path = word + strlen("unix:");

	if (path[0] != '/' || strlen(path) >= sizeof(ret->path.sun_path))
		return address_bad(of, word, err);
	ret->path = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(ret->path.sun_path, path); /* NOLINT: it was measured */
	*len = sizeof(ret->path);
	return 0;
}

/* Numbers only, and "localhost": a name that DNS answers for may change. */
int
http_address_parse(const struct http_address_of *of, const char *word,
		   union http_address *ret, socklen_t *len, struct err *err)
{
	const char *colon = strrchr(word, ':');
	char host[64], *end;
	unsigned long port;
	size_t n;

	memset(ret, 0, sizeof(*ret));
	if (strncmp(word, "unix:", 5) == 0)
		return address_parse_path(of, word, ret, len, err);
	if (colon == NULL || colon[1] < '0' || colon[1] > '9')
		return address_bad(of, word, err);
	port = strtoul(colon + 1, &end, 10);
	n = (size_t)(colon - word);
	if (*end != '\0' || port > 65535 || n >= sizeof(host))
		return address_bad(of, word, err);
	snprintf(host, sizeof(host), "%.*s", (int)n, word);
	if (host[0] == '[' && n > 2 && host[n - 1] == ']') {
		host[n - 1] = '\0';
		ret->six.sin6_family = AF_INET6;
		ret->six.sin6_port = htons((uint16_t)port);
		*len = sizeof(ret->six);
		return inet_pton(AF_INET6, host + 1, &ret->six.sin6_addr) == 1
			   ? 0
			   : address_bad(of, word, err);
	}
	ret->four.sin_family = AF_INET;
	ret->four.sin_port = htons((uint16_t)port);
	*len = sizeof(ret->four);
	return inet_pton(AF_INET,
			 strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
			 &ret->four.sin_addr) == 1
		   ? 0
		   : address_bad(of, word, err);
}

/* Removes a socket that nobody listens on any more: bind() would fail. One that
 * answers is another daemon's and stays; so does any other kind of file. */
static void
address_remove_stale(const union http_address *address, socklen_t len)
{
	struct stat st;
	int fd;

	if (lstat(address->path.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, &address->any, len) != 0 &&
	    errno == ECONNREFUSED)
		unlink(address->path.sun_path);
	if (fd >= 0)
		close(fd);
}

/* What bind() has failed with, and what can be done about it. */
static int
address_failed(const struct http_address_of *of, const char *word,
	       struct err *err)
{
	const int sys = errno;

	err_sys(err, ERR_CONFIG, "%s: cannot listen on %s", of->key, word);
	if (sys == EADDRINUSE)
		err_hint(err, "another program has it (ss -lptn shows "
			      "which): stop that, or set another one");
	else if (sys == ENOENT)
		err_hint(err, "make its directory first, or set another one");
	else if (sys == EADDRNOTAVAIL)
		err_hint(err, "this machine does not have that address");
	else if (sys == EACCES || sys == EPERM)
		err_hint(err, "%s", of->denied);
	return -1;
}

/* IPv6 alone on an IPv6 socket (IPV6_V6ONLY): "[::]" must not open IPv4 as well,
 * unseen. */
int
http_address_open(const struct http_address_of *of, const char *word,
		  struct err *err)
{
	union http_address address = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t len = 0;
	const int one = 1;
	int fd;

	if (http_address_parse(of, word, &address, &len, err) != 0)
		return -1;
	if (address.any.sa_family == AF_UNIX)
		address_remove_stale(&address, len);
	fd = socket(address.any.sa_family,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, ERR_SYSTEM, "cannot listen on %s", word);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (address.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	/* Before bind(), so that no other user can connect in between. */
	if (address.any.sa_family == AF_UNIX)
		fchmod(fd, SOCKET_MODE);
	if (bind(fd, &address.any, len) != 0 || listen(fd, BACKLOG) != 0 ||
	    (address.any.sa_family == AF_UNIX &&
	     chmod(address.path.sun_path, SOCKET_MODE) != 0)) {
		address_failed(of, word, err);
		close(fd);
		return -1;
	}
	return fd;
}

/* A path is as private as its mode; what is no address is not told from one of
 * others. */
bool
http_address_is_local(const union http_address *address)
{
	switch (address->any.sa_family) {
	case AF_UNIX:
		return true;
	case AF_INET:
		return ntohl(address->four.sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&address->six.sin6_addr);
	default:
		return false;
	}
}
