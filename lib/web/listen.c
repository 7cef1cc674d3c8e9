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
#include <unistd.h>

#include "http/address.h"
#include "util/conf.h"
#include "util/err.h"
#include "web/access.h"

static const struct http_address_of of = {
    .key = "[web] listen",
    .denied = "this user may not: have flowrra-web.socket listen there, or set "
	      "another one"};

static int
listen_check_count(int n, struct err *err)
{
	return n <= LISTEN_MAX
		   ? 0
		   : err_set(err, ERR_CONFIG, "[web] listen: at most %d",
			     LISTEN_MAX);
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
		if (listen_check_count(n + 1, err) != 0 ||
		    (fds[n] = http_address_open(&of, words[n], err)) < 0) {
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
listen_check_address(const struct conf *conf, const union http_address *address,
		     struct err *err)
{
	char text[INET6_ADDRSTRLEN] = "";

	/* What systemd passes may be of another family, of this machine or not. */
	if ((address->any.sa_family != AF_INET &&
	     address->any.sa_family != AF_INET6) ||
	    http_address_is_local(address) || conf->web.tls_cert[0] != '\0' ||
	    listen_has_proxy(conf))
		return 0;
	inet_ntop(address->any.sa_family,
		  address->any.sa_family == AF_INET6
		      ? (const void *)&address->six.sin6_addr
		      : (const void *)&address->four.sin_addr,
		  text, sizeof(text));
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
	union http_address address = {.any = {.sa_family = AF_UNSPEC}};
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
	union http_address address = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t len;
	int i, r = 0;

	if (words == NULL)
		return err_nomem(err);
	for (i = 0; r == 0 && words[i] != NULL; i++)
		r = listen_check_count(i + 1, err) != 0 ||
			    http_address_parse(&of, words[i], &address, &len,
					       err) != 0 ||
			    listen_check_address(conf, &address, err) != 0
			? -1
			: 0;
	conf_list_free(words);
	return r;
}
