/* SPDX-License-Identifier: MIT */
/*
 * Who may come in at all: Host, trusted proxies, requests of other sites, and how
 * often one may try. Nothing here knows who the user is. Not thread-safe.
 */
#ifndef WEB_ACCESS_H
#define WEB_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* --- names ---------------------------------------------------------------- */

/* Whether a Host header (with or without a port) names this server: a name of the
 * loopback, or one of `hosts` (conf_list(); "*.example.com": all names below it). */
bool access_host(const char *host, char *const *hosts);
/* ERR_CONFIG: an element of `hosts` can be no Host, such as a URL. */
int access_check_hosts(char *const *hosts, struct err *err);
/* Whether an address is of the loopback. */
bool access_is_loopback(const char *address);
/* Whether a peer ("192.0.2.1"; "unix" with its uid) is one of `proxies`:
 * addresses, networks, "unix" for every peer of a Unix socket, or "unix:USER" for
 * the peers that are this system user. */
bool access_is_proxy(const char *peer, int64_t uid, char *const *proxies);
/* ERR_CONFIG: an element of `proxies` has another form, or its user does not
 * exist. */
int access_check_proxies(char *const *proxies, struct err *err);
/* Whether one of them comes by TCP. */
bool access_has_tcp_proxy(char *const *proxies);
/* The client of a trusted proxy: the last address of X-Forwarded-For, without a
 * port, that is not a proxy itself, into `text`; `peer` if there is none. */
#define ACCESS_PEER_SIZE 64
void access_client(const char *peer, int64_t uid, const char *forwarded_for,
		   char *const *proxies, char text[ACCESS_PEER_SIZE]);
/* What one subscriber has of the Internet: an IPv4 address or an IPv6 /64; another
 * text as it is. */
void access_network(const char *peer, char text[ACCESS_PEER_SIZE]);

/* --- requests of other sites ----------------------------------------------- */

struct csrf_request {
	bool writes;  /* anything but GET */
	bool ambient; /* the browser has added the credential itself */
	bool peer;    /* … which is the uid of a Unix socket's peer */
	bool body;    /* it has one, or its method may */
	bool tls;     /* of the URL that the browser sees */
	const char *fetch_site, *origin, *host, *type; /* headers, or NULL */
};
/* NULL: it may pass. Else why not, for people; *ret_type: because of its type. */
const char *csrf_refuses(const struct csrf_request *request, bool *ret_type);
/* Whether an Origin is this server: for upgrades, where it must be. */
bool csrf_same_origin(const char *origin, const char *host, bool tls);

/* --- how often ------------------------------------------------------------- */

/* For addresses that have failed to log in, and users that write. Their number is
 * bounded; the one that was quiet for the longest time is forgotten. */
struct access_limits;
struct access_limits *access_limits_new(struct err *err);
void access_limits_free(struct access_limits *limits);

/* Failed logins of a network (access_network()): 5 a minute, then a pause of a
 * minute, which doubles with each further failure up to an hour. Of the name of a
 * user, from all networks: 20 a minute, then a pause of a minute, which does not
 * apply where the user has logged in within the last day. `user` NULL: by a token
 * or a code, which nobody guesses. Returns the seconds to wait; 0: go on. */
int64_t access_login_wait(struct access_limits *limits, const char *peer,
			  const char *user);
void access_login_failed(struct access_limits *limits, const char *peer,
			 const char *user);
void access_login_succeeded(struct access_limits *limits, const char *peer,
			    const char *user);
/* Takes one of 20 writes a second, of which 40 may come at once. */
bool access_write(struct access_limits *limits, const char *user);
/* The same for 50 reads, of which 100 may come at once. */
bool access_read(struct access_limits *limits, const char *user);
/* Takes n of `per_s` tasks a second, of which ten times as many may come at once.
 * Returns the seconds to wait; 0: they are taken. -1: they are too many for once. */
int64_t access_submit(struct access_limits *limits, const char *user, size_t n,
		      int64_t per_s);

#endif
