/* SPDX-License-Identifier: MIT */
/*
 * Reads Redis URLs, strictly: what is not understood is an error. The schemes
 * redis: and rediss: are those registered with IANA; unix:// is what other
 * clients use, and so are redis+sentinel:// and redis+cluster://.
 *
 * Any piece of a badly written URL may be a piece of a password (one with an
 * unescaped '/', for example), so no message quotes its input.
 */
#include "redis/url.h"

#include <string.h>
#include <sys/un.h>

#include "redis/url_parse.h"
#include "util/err.h"

/* What the kernel accepts (unix(7)), less the NUL. */
#define UNIX_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

static const struct scheme {
	const char *text;
	bool tls, of_sentinels, of_cluster, is_path;
} schemes[] = {
    {.text = "redis://"},
    {.text = "rediss://", .tls = true},
    {.text = "redis+sentinel://", .of_sentinels = true},
    {.text = "rediss+sentinel://", .tls = true, .of_sentinels = true},
    {.text = "redis+cluster://", .of_cluster = true},
    {.text = "rediss+cluster://", .tls = true, .of_cluster = true},
    {.text = "unix://", .is_path = true},
    {.text = NULL},
};

/* A Unix socket's path: *s begins with its '/'. */
static int
parse_path(struct span s, struct redis_url *url, struct err *err)
{
	const unsigned char *c;

	if (url_decode(s, "path", &url->path, err) != 0)
		return -1;
	if (strlen(url->path) > UNIX_PATH_MAX || strlen(url->path) < 2)
		return url_bad(err, "a socket's path has 2 to 107 bytes");
	for (c = (const unsigned char *)url->path; *c != '\0'; c++)
		if (*c < ' ' || *c == 0x7f)
			return url_bad(err, "the path has a control character");
	return 0;
}

/* Sentinel takes such names only. */
static bool
url_is_master_name(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_";

	return s[0] != '\0' && s[strspn(s, allowed)] == '\0';
}

/* "/NAME[/db]"; *path becomes "/db", or empty. */
static int
url_parse_master(struct span *path, struct redis_url *url, struct err *err)
{
	struct span name = {path->p + 1, path->end}, db = {NULL, NULL};

	if (span_empty(*path))
		return url_bad(err, "write behind the hosts what the Sentinels "
				    "call the master: /NAME");
	*path = (struct span){path->end, path->end};
	if (span_cut(&name, '/', &db))
		*path = (struct span){db.p - 1, db.end};
	if (url_decode(name, "name of the master", &url->master, err) != 0)
		return -1;
	return url_is_master_name(url->master)
		   ? 0
		   : url_bad(err, "the name of the master may have letters, "
				  "digits, '.', '-' and '_'");
}

/* [user][:password@]hosts[/NAME][/db], or [user:password@]/path */
static int
parse_hierarchy(struct span s, const struct scheme *scheme, bool *ret_db_known,
		struct redis_url *url, struct err *err)
{
	struct span authority = s, path = {s.end, s.end}, host;

	if (span_cut(&authority, '/', &path))
		path.p--; /* keeps the slash */
	host = authority;
	if (span_cut(&authority, '@', &host) &&
	    url_parse_userinfo(authority, url, err) != 0)
		return -1;
	/*
	 * A remaining '@' belongs to a password with an unescaped '/' or '@'.
	 * The host would then be a piece of the password, and appear in logs.
	 */
	if (memchr(host.p, '@', (size_t)(host.end - host.p)) ||
	    memchr(path.p, '@', (size_t)(path.end - path.p)))
		return url_bad(err,
			       "misplaced '@'; in a password, write '@' as "
			       "%40 and '/' as %2F");
	if (scheme->is_path) {
		if (!span_empty(host) || span_empty(path))
			return url_bad(err, "a socket's path must be absolute: "
					    "unix:///path");
		return parse_path(path, url, err);
	}
	if ((scheme->of_sentinels && url_parse_master(&path, url, err) != 0) ||
	    url_parse_hosts(host, url, err) != 0)
		return -1;
	if (path.end - path.p <= 1)
		return 0;
	*ret_db_known = true;
	return url_parse_db((struct span){path.p + 1, path.end}, url, err);
}

static int
url_check_whole(const struct redis_url *url, struct err *err)
{
	if ((url->certfile == NULL) != (url->keyfile == NULL))
		return url_bad(
		    err,
		    "certfile= needs keyfile= and keyfile= needs certfile=");
	if (url->servername != NULL && !redis_is_host_name(url->servername) &&
	    !redis_is_ipv6(url->servername))
		return url_bad(err, "servername= is not a host name");
	if (url->sentinel_user != NULL && url->sentinel_password == NULL)
		return url_bad(err, "sentinel_user= needs sentinel_password=");
	if (url->cluster && url->db != 0)
		return url_bad(err, "a Redis Cluster has only database 0");
	return 0;
}

/* Everything behind the scheme. */
static int
parse_rest(struct span s, const struct scheme *scheme, struct redis_url *url,
	   struct err *err)
{
	struct span query = {NULL, NULL};
	bool db_known = false;
	const char *c;

	/* A column number can be shown: it reveals nothing of a password. */
	for (c = s.p; c < s.end; c++)
		if (*c <= ' ' || *c > '~' || *c == '#')
			return err_set(err, ERR_CONFIG,
				       "Redis URL: the character in column "
				       "%zu must be percent-encoded",
				       strlen(scheme->text) +
					   (size_t)(c - s.p) + 1);
	span_cut(&s, '?', &query);
	url->tls = scheme->tls;
	url->cluster = scheme->of_cluster;
	if (parse_hierarchy(s, scheme, &db_known, url, err) != 0 ||
	    url_parse_query(query, db_known, url, err) != 0)
		return -1;
	return url_check_whole(url, err);
}

int
redis_url_parse(const char *text, struct redis_url *ret, struct err *err)
{
	struct redis_url url = {.tls = false};
	struct span s = {text, text + strlen(text)};
	const struct scheme *scheme = schemes;

	while (scheme->text != NULL &&
	       strncasecmp(text, scheme->text, strlen(scheme->text)) != 0)
		scheme++;
	if (scheme->text == NULL)
		return url_bad(err, "it must begin with redis://, rediss://, "
				    "redis+sentinel://, rediss+sentinel://, "
				    "redis+cluster://, rediss+cluster:// or "
				    "unix://");
	s.p += strlen(scheme->text);
	if (parse_rest(s, scheme, &url, err) != 0) {
		redis_url_done(&url);
		return -1;
	}
	*ret = url;
	return 0;
}
