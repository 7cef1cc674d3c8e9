/* SPDX-License-Identifier: MIT */
/*
 * Who may come in: names of hosts, networks of proxies, and requests that another
 * site has made a browser send.
 *
 * All of it decides on what a client or its proxy has written, so each function
 * says no to what it cannot read. Nothing here asks DNS: an answer may change
 * between a check and its use, which is how DNS rebinding gets past a firewall.
 */
#include "web/access.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/buf.h"
#include "util/err.h"

/* --- names ---------------------------------------------------------------- */

/* "[::1]:7480" and "localhost:7480" without their ports. False: neither. */
static bool
access_name_of(const char *host, char name[256])
{
	const char *end;
	size_t n;

	if (host[0] == '[') {
		if ((end = strchr(host, ']')) == NULL)
			return false;
		n = (size_t)(end - host - 1);
		host++;
		end++;
	} else {
		n = strcspn(host, ":");
		end = host + n;
	}
	if (n == 0 || n > 255 || (*end != '\0' && *end != ':'))
		return false;
	if (*end == ':' && end[1 + strspn(end + 1, "0123456789")] != '\0')
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	/* The root of the tree of names. */
	if (n > 1 && name[n - 1] == '.')
		name[n - 1] = '\0';
	return true;
}

/* All of 127.0.0.0/8 (RFC 1122, section 3.2.1.3), and ::1 alone. A name is not an
 * address: "localhost" is known to access_host(). */
bool
access_is_loopback(const char *address)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, address, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, address, &six) == 1 &&
	       IN6_IS_ADDR_LOOPBACK(&six);
}

/* "*.example.com" is a name below it, not itself. */
static bool
access_name_matches(const char *name, const char *pattern)
{
	const size_t n = strlen(name), m = strlen(pattern);

	if (strncmp(pattern, "*.", 2) != 0)
		return strcasecmp(name, pattern) == 0;
	return n > m - 1 && strcasecmp(name + n - (m - 1), pattern + 1) == 0;
}

/* Names of the loopback are always ours: RFC 6761, section 6.3, keeps them from
 * being anybody else's. The last part of a configured name may be its port. */
bool
access_host(const char *host, char *const *hosts)
{
	char name[256], own[256];

	if (host == NULL || !access_name_of(host, name))
		return false;
	if (strcasecmp(name, "localhost") == 0 || access_is_loopback(name) ||
	    access_name_matches(name, "*.localhost"))
		return true;
	for (; *hosts != NULL; hosts++)
		if (access_name_matches(name, *hosts) ||
		    (access_name_of(*hosts, own) && strcasecmp(name, own) == 0))
			return true;
	return false;
}

/* One that never matches would be found out by being refused. */
int
access_check_hosts(char *const *hosts, struct err *err)
{
	const char *name;
	size_t n;

	for (; *hosts != NULL; hosts++) {
		name = *hosts + (strncmp(*hosts, "*.", 2) == 0 ? 2 : 0);
		n = strspn(name, "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]");
		if (n == 0 || name[n] != '\0')
			return err_set(err, ERR_CONFIG,
				       "[web] hosts: \"%.64s\" is not a name "
				       "such as tasks.example.com or "
				       "*.example.com; leave out http:// and "
				       "the path",
				       *hosts);
	}
	return 0;
}

/* --- networks --------------------------------------------------------------
 */

struct network {
	int family;
	unsigned char bytes[16];
	unsigned int bits;
};

/* An address as 16 bytes; one of IPv4 in IPv6 is one of IPv4. */
static bool
network_parse_address(const char *text, struct network *ret)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	unsigned char six[16];

	if (inet_pton(AF_INET, text, ret->bytes) == 1) {
		ret->family = AF_INET;
		ret->bits = 32;
		return true;
	}
	if (inet_pton(AF_INET6, text, six) != 1)
		return false;
	if (memcmp(six, mapped, sizeof(mapped)) == 0) {
		ret->family = AF_INET;
		memcpy(ret->bytes, six + 12, 4);
		ret->bits = 32;
	} else {
		ret->family = AF_INET6;
		memcpy(ret->bytes, six, 16);
		ret->bits = 128;
	}
	return true;
}

/* "10.0.0.0/8"; without a length it is one address. A sign or a blank before the
 * length, which strtoul() would take, is refused. */
static bool
network_parse(const char *text, struct network *ret)
{
	const char *slash = strchr(text, '/');
	char address[64], *end = NULL;
	unsigned long bits;

	snprintf(address, sizeof(address), "%.*s",
		 slash != NULL ? (int)(slash - text) : 63, text);
	if (!network_parse_address(address, ret))
		return false;
	if (slash == NULL)
		return true;
	if (slash[1] < '0' || slash[1] > '9')
		return false;
	bits = strtoul(slash + 1, &end, 10);
	if (*end != '\0' || bits > ret->bits)
		return false;
	ret->bits = (unsigned int)bits;
	return true;
}

/* Whether the first bits are the same; of two families none are. */
static bool
network_has(const struct network *net, const struct network *address)
{
	const unsigned int whole = net->bits / 8, rest = net->bits % 8;

	if (net->family != address->family ||
	    memcmp(net->bytes, address->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	       ((net->bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

#define PROXY_UNIX "unix"

/* The name of the user behind "unix:"; NULL: it is another kind of proxy. */
static const char *
proxy_user(const char *proxy)
{
	const size_t n = strlen(PROXY_UNIX ":");

	return strncmp(proxy, PROXY_UNIX ":", n) == 0 ? proxy + n : NULL;
}

/* By number, or by its name, which is looked up each time: a user may be deleted and
 * created again. -1: there is none. */
static int64_t
proxy_uid(const char *user)
{
	struct passwd entry, *found = NULL;
	char buffer[4096], *end;
	unsigned long uid;

	if (user[0] >= '0' && user[0] <= '9') {
		uid = strtoul(user, &end, 10);
		return *end == '\0' && uid < UINT32_MAX ? (int64_t)uid : -1;
	}
	if (getpwnam_r(user, &entry, buffer, sizeof(buffer), &found) != 0 ||
	    found == NULL)
		return -1;
	return (int64_t)found->pw_uid;
}

/* "unix" trusts all whom the mode of the socket lets in; "unix:NAME" one user, by
 * the uid that the kernel tells. */
static bool
proxy_is_unix_peer(const char *proxy, int64_t uid)
{
	const char *user = proxy_user(proxy);

	return strcmp(proxy, PROXY_UNIX) == 0 ||
	       (user != NULL && uid >= 0 && proxy_uid(user) == uid);
}

bool
access_is_proxy(const char *peer, int64_t uid, char *const *proxies)
{
	struct network net = {.bits = 0}, address = {.bits = 0};
	const bool is_unix = strcmp(peer, PROXY_UNIX) == 0;
	const bool is_address = network_parse_address(peer, &address);

	for (; *proxies != NULL; proxies++)
		if ((is_unix && proxy_is_unix_peer(*proxies, uid)) ||
		    (is_address && network_parse(*proxies, &net) &&
		     network_has(&net, &address)))
			return true;
	return false;
}

/* At the start: a name that is misspelt would otherwise trust nobody, unseen. */
static int
access_check_proxy(const char *proxy, struct err *err)
{
	const char *user = proxy_user(proxy);
	struct network net;

	if (user != NULL && proxy_uid(user) < 0)
		return err_set(err, ERR_CONFIG,
			       "[web] proxies: \"%.64s\": there is no system "
			       "user \"%.32s\"",
			       proxy, user);
	if (user != NULL || strcmp(proxy, PROXY_UNIX) == 0 ||
	    network_parse(proxy, &net))
		return 0;
	return err_set(err, ERR_CONFIG,
		       "[web] proxies: \"%.64s\" is neither an address "
		       "(10.0.0.5, 10.0.0.0/8, ::1) nor unix:USER nor unix",
		       proxy);
}

int
access_check_proxies(char *const *proxies, struct err *err)
{
	for (; *proxies != NULL; proxies++)
		if (access_check_proxy(*proxies, err) != 0)
			return -1;
	return 0;
}

/* Whether one of them comes by the network; one that comes by a Unix socket hides
 * nothing from it. */
bool
access_has_tcp_proxy(char *const *proxies)
{
	struct network net;

	for (; *proxies != NULL; proxies++)
		if (network_parse(*proxies, &net))
			return true;
	return false;
}

/* "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80": some proxies add the port, of
 * which a client has many. False: it is not an address. */
static bool
client_parse(struct slice text, char ret[ACCESS_PEER_SIZE])
{
	struct network net = {.bits = 0};
	char *colon;

	while (text.len > 0 && text.p[text.len - 1] == ' ')
		text.len--;
	for (; text.len > 0 && *text.p == ' '; text.len--)
		text.p++;
	if (text.len == 0 || text.len >= ACCESS_PEER_SIZE)
		return false;
	memcpy(ret, text.p, text.len);
	ret[text.len] = '\0';
	if (ret[0] == '[') {
		memmove(ret, ret + 1, text.len);
		ret[strcspn(ret, "]")] = '\0';
	} else if ((colon = strchr(ret, ':')) != NULL &&
		   strchr(colon + 1, ':') == NULL) {
		*colon = '\0';
	}
	return network_parse_address(ret, &net);
}

/*
 * The client behind trusted proxies: X-Forwarded-For is read from its right end,
 * where the last proxy wrote, as long as the one who wrote is trusted. What stands
 * further left a client can make up, so the first address that is not a proxy's
 * is taken, and nothing beyond it.
 */
void
access_client(const char *peer, int64_t uid, const char *forwarded_for,
	      char *const *proxies, char text[ACCESS_PEER_SIZE])
{
	char one[ACCESS_PEER_SIZE];
	const char *end, *begin;

	snprintf(text, ACCESS_PEER_SIZE, "%s", peer);
	if (forwarded_for == NULL || !access_is_proxy(peer, uid, proxies))
		return;
	end = forwarded_for + strlen(forwarded_for);
	for (;; end = begin - 1) {
		for (begin = end; begin > forwarded_for && begin[-1] != ',';)
			begin--;
		if (!client_parse((struct slice){begin, (size_t)(end - begin)},
				  one))
			return;
		memcpy(text, one, sizeof(one));
		if (begin == forwarded_for ||
		    !access_is_proxy(text, -1, proxies))
			return;
	}
}

/* By which failed logins are counted: an IPv4 address, or the /64 of an IPv6 one,
 * of which a single customer has 2^64 addresses. */
void
access_network(const char *peer, char text[ACCESS_PEER_SIZE])
{
	struct network net = {.bits = 0};
	char address[INET6_ADDRSTRLEN] = "";

	if (!network_parse_address(peer, &net)) {
		snprintf(text, ACCESS_PEER_SIZE, "%s", peer);
		return;
	}
	if (net.family == AF_INET6)
		memset(net.bytes + 8, 0, 8);
	inet_ntop(net.family, net.bytes, address, sizeof(address));
	snprintf(text, ACCESS_PEER_SIZE, "%s%s", address,
		 net.family == AF_INET6 ? "/64" : "");
}

/* --- requests of other sites -------------------------------------------------
 */

/* An origin is a scheme, a host and a port (RFC 6454, section 4). "null", which a
 * sandboxed frame sends, has no scheme and is never ours. */
bool
csrf_same_origin(const char *origin, const char *host, bool tls)
{
	const char *scheme = tls ? "https://" : "http://";
	const char *port = tls ? ":443" : ":80";
	size_t n, m;

	if (origin == NULL || host == NULL ||
	    strncasecmp(origin, scheme, strlen(scheme)) != 0)
		return false;
	origin += strlen(scheme);
	if (strcasecmp(origin, host) == 0)
		return true;
	/* A port that the scheme implies may stand in Host. */
	n = strlen(origin);
	m = strlen(host);
	return m == n + strlen(port) && strncasecmp(origin, host, n) == 0 &&
	       strcmp(host + n, port) == 0;
}

/* A type that a form of another site cannot send without being asked first. */
static bool
csrf_is_json(const char *type)
{
	const size_t n = type != NULL ? strcspn(type, "; \t") : 0;

	return (n == 16 && strncasecmp(type, "application/json", n) == 0) ||
	       (n == 20 && strncasecmp(type, "application/x-ndjson", n) == 0);
}

/*
 * Why a request is refused that another site may have made a browser send; NULL:
 * it is not. Only writes with credentials that a browser adds by itself can be
 * forged. Sec-Fetch-Site is asked first, since no script can set it; browsers
 * leave it out over plain HTTP, and then Origin has to do. The type of the body is
 * checked as well: a form can send neither JSON nor a header of its own.
 */
const char *
csrf_refuses(const struct csrf_request *r, bool *ret_type)
{
	*ret_type = false;
	if (!r->writes || !r->ambient)
		return NULL;
	if (r->fetch_site != NULL) {
		if (strcmp(r->fetch_site, "same-origin") != 0)
			return "the request comes from another site";
	} else if (r->origin != NULL) {
		if (!csrf_same_origin(r->origin, r->host, r->tls))
			return "the request comes from another site";
	} else if (!r->peer) {
		return "it does not say where it comes from: send the header "
		       "Origin, or use a token";
	}
	if (r->body && !csrf_is_json(r->type)) {
		*ret_type = true;
		return "the type of the body is not application/json";
	}
	return NULL;
}
