/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets.
 *
 * What other machines can reach must be encrypted, or have a proxy in front of it
 * that encrypts: passwords and cookies would travel in clear text otherwise. That
 * is checked twice, of the words of the configuration and of the sockets as they
 * are, since systemd may have opened others than the configuration says.
 */
#include "web/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/conf.h"
#include "util/err.h"
#include "web/access.h"

/* Peers that wait while the limit of connections is reached, or the loop is busy. */
#define BACKLOG 128
/* The group of the service may connect: a proxy is a member of it. */
#define SOCKET_MODE 0660

union listen_address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
	struct sockaddr_un path;
};

/* With the three forms that there are. */
static int
listen_bad(const char *word, struct err *err)
{
	return err_set(err, ERR_CONFIG,
		       "[web] listen: \"%.128s\" is not ADDRESS:PORT, "
		       "[ADDRESS]:PORT or unix:/PATH",
		       word);
}

/* A path from the root: a relative one would depend on where the daemon starts. */
static int
listen_parse_path(const char *word, union listen_address *ret, socklen_t *len,
		  struct err *err)
{
	const char *path = word + strlen("unix:");

	if (path[0] != '/' || strlen(path) >= sizeof(ret->path.sun_path))
		return listen_bad(word, err);
	ret->path = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(ret->path.sun_path, path); /* NOLINT: it was measured */
	*len = sizeof(ret->path);
	return 0;
}

/* Numbers only, and "localhost": a name that DNS answers for may change. */
static int
listen_parse(const char *word, union listen_address *ret, socklen_t *len,
	     struct err *err)
{
	const char *colon = strrchr(word, ':');
	char host[64], *end;
	unsigned long port;
	size_t n;

	memset(ret, 0, sizeof(*ret));
	if (strncmp(word, "unix:", 5) == 0)
		return listen_parse_path(word, ret, len, err);
	if (colon == NULL || colon[1] < '0' || colon[1] > '9')
		return listen_bad(word, err);
	port = strtoul(colon + 1, &end, 10);
	n = (size_t)(colon - word);
	if (*end != '\0' || port > 65535 || n >= sizeof(host))
		return listen_bad(word, err);
	snprintf(host, sizeof(host), "%.*s", (int)n, word);
	if (host[0] == '[' && n > 2 && host[n - 1] == ']') {
		host[n - 1] = '\0';
		ret->six.sin6_family = AF_INET6;
		ret->six.sin6_port = htons((uint16_t)port);
		*len = sizeof(ret->six);
		return inet_pton(AF_INET6, host + 1, &ret->six.sin6_addr) == 1
			   ? 0
			   : listen_bad(word, err);
	}
	ret->four.sin_family = AF_INET;
	ret->four.sin_port = htons((uint16_t)port);
	*len = sizeof(ret->four);
	return inet_pton(AF_INET,
			 strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
			 &ret->four.sin_addr) == 1
		   ? 0
		   : listen_bad(word, err);
}

/* Removes a socket that nobody listens on any more: bind() would fail. One that
 * answers is another daemon's and stays; so does any other kind of file. */
static void
listen_remove_stale(const union listen_address *address, socklen_t len)
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
listen_failed(const char *word, struct err *err)
{
	const int sys = errno;

	err_sys(err, ERR_CONFIG, "[web] listen: cannot listen on %s", word);
	if (sys == EADDRINUSE)
		err_hint(err, "another flowrra-web or program has it (ss -lptn "
			      "shows which): stop that, or set another one");
	else if (sys == ENOENT)
		err_hint(err, "make its directory first, or set another one");
	else if (sys == EADDRNOTAVAIL)
		err_hint(err, "this machine does not have that address");
	else if (sys == EACCES || sys == EPERM)
		err_hint(err, "this user may not: have flowrra-web.socket "
			      "listen there, or set another one");
	return -1;
}

/* IPv6 alone on an IPv6 socket (IPV6_V6ONLY): "[::]" must not open IPv4 as well,
 * unseen. */
static int
listen_open_one(const char *word, struct err *err)
{
	union listen_address address = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t len = 0;
	const int one = 1;
	int fd;

	if (listen_parse(word, &address, &len, err) != 0)
		return -1;
	if (address.any.sa_family == AF_UNIX)
		listen_remove_stale(&address, len);
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
		listen_failed(word, err);
		close(fd);
		return -1;
	}
	return fd;
}

/* All or none: a daemon that listens on half of what it was told is found out
 * late. */
int
listen_open(const struct conf *conf, int fds[LISTEN_MAX], struct err *err)
{
	char **words = conf_list(conf->web.listen);
	int n = 0;

	if (words == NULL)
		return err_nomem(err);
	for (; words[n] != NULL; n++) {
		if (n == LISTEN_MAX)
			err_set(err, ERR_CONFIG, "[web] listen: at most %d",
				LISTEN_MAX);
		if (n == LISTEN_MAX ||
		    (fds[n] = listen_open_one(words[n], err)) < 0) {
			while (n > 0)
				close(fds[--n]);
			n = -1;
			break;
		}
	}
	conf_list_free(words);
	return n;
}

/* --- safe ---------------------------------------------------------------------- */

/* A proxy that comes by a Unix socket encrypts nothing on the network. */
static bool
listen_has_proxy(const struct conf *conf)
{
	char **proxies = conf_list(conf->web.proxies);
	const bool has = proxies != NULL && access_has_tcp_proxy(proxies);

	conf_list_free(proxies);
	return has;
}

/* An address of all interfaces (0.0.0.0, ::) is reached by other machines, too. */
static int
listen_check_address(const struct conf *conf,
		     const union listen_address *address, struct err *err)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (address->any.sa_family == AF_INET)
		inet_ntop(AF_INET, &address->four.sin_addr, text, sizeof(text));
	else if (address->any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &address->six.sin6_addr, text,
			  sizeof(text));
	if (text[0] == '\0' || access_is_loopback(text) ||
	    conf->web.tls_cert[0] != '\0' || listen_has_proxy(conf))
		return 0;
	return err_set(
	    err, ERR_CONFIG,
	    "[web] listen: other machines reach %s, and passwords "
	    "would travel in clear text; set tls_cert and tls_key, or "
	    "the addresses of the proxies in front of it",
	    text);
}

/* Of sockets as they are: systemd may have opened them elsewhere. */
int
listen_check(const struct conf *conf, const int *fds, size_t n, struct err *err)
{
	union listen_address address = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t len;
	size_t i;

	for (i = 0; i < n; i++) {
		len = sizeof(address);
		if (getsockname(fds[i], &address.any, &len) != 0)
			return err_sys(err, ERR_CONFIG,
				       "a passed descriptor is not a socket");
		if (listen_check_address(conf, &address, err) != 0)
			return -1;
	}
	return 0;
}

/* The same before anything is opened, for a mistake is to be told by a check of
 * the configuration, too. */
int
listen_check_words(const struct conf *conf, struct err *err)
{
	char **words = conf_list(conf->web.listen);
	union listen_address address = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t len;
	int i, r = 0;

	if (words == NULL)
		return err_nomem(err);
	for (i = 0; r == 0 && words[i] != NULL; i++)
		r = listen_parse(words[i], &address, &len, err) != 0 ||
			    listen_check_address(conf, &address, err) != 0
			? -1
			: 0;
	conf_list_free(words);
	return r;
}
