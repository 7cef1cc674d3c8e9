/* SPDX-License-Identifier: MIT */
/*
 * Authentication: the ways to say who one is, tried one after the other. What a
 * request says of itself goes before what a browser adds to it unasked.
 *
 * A wrong credential is never passed over for another one: a script with an
 * outdated token must not become the user whom the socket or a cookie names. With
 * nothing configured there is a token of the start, so that the daemon is closed
 * in every case.
 */
#include "web/auth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "util/conf.h"
#include "util/err.h"
#include "util/path.h"
#include "web/access.h"
#include "web/auth_private.h"
#include "web/peers.h"

/* --- making --------------------------------------------------------------- */

/* Peers of a Unix socket do not count: they are on this machine, and could have
 * the token as well. */
static bool
auth_is_configured(const struct conf_web *web)
{
	return web->tokens[0] != '\0' || web->users[0] != '\0' ||
	       web->user_header[0] != '\0';
}

/* One that is there stays: a restart does not log out, nor change what
 * `flowrractl web` printed a moment ago. */
static int
auth_start_token(struct web_auth *auth, struct err *err)
{
	struct buf text = BUF_INIT;
	char *slash = strrchr(auth->token_path, '/');
	int r;

	*slash = '\0';
	r = path_make_dir(auth->token_path, err);
	*slash = '/';
	if (r == 0 &&
	    (r = secret_read_own(auth->token_path, &text, err)) == 0) {
		secret_make(auth->token);
		buf_addf(&text, "%s\n", auth->token);
		r = secret_create(auth->token_path,
				  (struct slice){text.data, text.len}, 0640,
				  err);
		buf_reset(&text);
		/* Another daemon may have been faster. */
		if (r == 0)
			r = secret_read_own(auth->token_path, &text, err);
	}
	if (r == 1 && text.len >= SECRET_TEXT_SIZE - 1) {
		memcpy(auth->token, text.data, SECRET_TEXT_SIZE - 1);
		r = 0;
	} else if (r >= 0) {
		r = err_set(err, ERR_CONFIG,
			    "%s: not a token; remove it, and start again",
			    auth->token_path);
	}
	buf_done(&text);
	return r;
}

/* --- for a check -------------------------------------------------------------- */

static int
auth_check_list(const char *list, int (*check)(char *const *, struct err *),
		struct err *err)
{
	char **words = conf_list(list);
	const int r = words != NULL ? check(words, err) : err_nomem(err);

	conf_list_free(words);
	return r;
}

int
auth_check_hosts(const struct conf *conf, struct err *err)
{
	return auth_check_list(conf->web.hosts, access_check_hosts, err);
}

int
auth_check_proxies(const struct conf *conf, struct err *err)
{
	return auth_check_list(conf->web.proxies, access_check_proxies, err);
}

int
auth_check_peers(const struct conf *conf, struct err *err)
{
	struct web_peers *peers = peers_new(conf->web.peers, err);

	peers_free(peers);
	return peers != NULL ? 0 : -1;
}

/* Reads the files without keeping them. */
static int
auth_check_files(const char *users, const char *tokens, struct err *err)
{
	struct web_users *read = users_new(users, tokens, err);

	if (read == NULL)
		return -1;
	users_free(read);
	return 0;
}

int
auth_check_users(const struct conf *conf, struct err *err)
{
	return auth_check_files(conf->web.users, "", err);
}

int
auth_check_tokens(const struct conf *conf, struct err *err)
{
	return auth_check_files("", conf->web.tokens, err);
}

/* --- what it reads ------------------------------------------------------------ */

static char *
auth_state_dir(const struct conf_web *web, struct err *err)
{
	char *dir;

	if (web->state_dir[0] == '\0')
		return path_state_dir(err);
	if ((dir = strdup(web->state_dir)) == NULL)
		err_nomem(err);
	return dir;
}

/* What is in a directory cannot be read or made. The files of another user's
 * daemon, such as the service's, may be in the way. */
static int
auth_hint_dir(const char *path, const char *key, struct err *err)
{
	return err->code == ERR_REFUSED
		   ? err_hint(err,
			      "a flowrra-web of another user needs a directory "
			      "of its own in %s",
			      key)
		   : path_hint(path, key, err);
}

/* The key of sessions, and who was logged out. */
static int
auth_open_sessions(struct web_auth *auth, struct err *err)
{
	char *dir = auth_state_dir(&auth->conf->web, err), *path = NULL;

	if (dir == NULL)
		return -1;
	if (asprintf(&path, "%s/web.key", dir) < 0) {
		free(dir);
		return err_nomem(err);
	}
	auth->sessions = sessions_new(dir, err);
	if (auth->sessions == NULL)
		auth_hint_dir(path, "[web] state_dir", err);
	free(path);
	free(dir);
	return auth->sessions != NULL ? 0 : -1;
}

/* The lists are NULL-ended and never NULL afterwards; auth_free() takes what was
 * made before an error. */
static int
auth_load(struct web_auth *auth, struct err *err)
{
	const struct conf_web *web = &auth->conf->web;

	auth->hosts = conf_list(web->hosts);
	auth->proxies = conf_list(web->proxies);
	auth->operators = conf_list(web->operators);
	auth->token_path = secret_token_path(auth->conf);
	if (auth->hosts == NULL || auth->proxies == NULL ||
	    auth->operators == NULL || auth->token_path == NULL)
		return err_nomem(err);
	if (auth_open_sessions(auth, err) != 0 ||
	    access_check_hosts(auth->hosts, err) != 0 ||
	    access_check_proxies(auth->proxies, err) != 0 ||
	    (auth->peers = peers_new(web->peers, err)) == NULL ||
	    (auth->users = users_new(web->users, web->tokens, err)) == NULL)
		return -1;
	return auth_is_configured(web) || auth_start_token(auth, err) == 0
		   ? 0
		   : auth_hint_dir(auth->token_path, "[web] runtime_dir", err);
}

/* One for each configuration: a reload makes another, and what was remembered of
 * passwords ends with the old one. */
struct web_auth *
auth_new(const struct conf *conf, struct err *err)
{
	struct web_auth *auth = calloc(1, sizeof(*auth));

	if (auth == NULL) {
		err_nomem(err);
		return NULL;
	}
	auth->conf = conf;
	secret_random(auth->key, sizeof(auth->key));
	if (auth_load(auth, err) != 0) {
		auth_free(auth);
		return NULL;
	}
	return auth;
}

/* All of it is overwritten: it has the token and the key. */
void
auth_free(struct web_auth *auth)
{
	if (auth == NULL)
		return;
	users_free(auth->users);
	sessions_free(auth->sessions);
	conf_list_free(auth->hosts);
	conf_list_free(auth->proxies);
	conf_list_free(auth->operators);
	peers_free(auth->peers);
	free(auth->token_path);
	explicit_bzero(auth, sizeof(*auth));
	free(auth);
}

/* --- who ------------------------------------------------------------------- */

/* Clears all else, so that nothing of an earlier answer stays behind. */
void
auth_set_who(struct web_identity *who, enum web_kind kind, const char *user,
	     enum web_role role)
{
	*who = (struct web_identity){.kind = kind, .role = role};
	snprintf(who->user, sizeof(who->user), "%s", user);
}

/* Of the users file, and of a proxy's header. */
enum web_role
auth_role_of_user(const struct web_auth *auth, const char *user)
{
	char *const *p;

	for (p = auth->operators; *p != NULL; p++)
		if (strcmp(*p, "*") == 0 || strcmp(*p, user) == 0)
			return WEB_OPERATOR;
	return WEB_VIEWER;
}

/* The token of the start is compared first; of a file all are. */
bool
auth_token(struct web_auth *auth, const char *token, struct web_identity *who)
{
	const struct token *found;

	users_refresh(auth->users);
	if (auth->token[0] != '\0' && secret_same(token, auth->token)) {
		auth_set_who(who, WEB_BY_START, "start", WEB_OPERATOR);
		auth_note_stamp(auth, who);
		return true;
	}
	if ((found = users_token(auth->users, token)) == NULL)
		return false;
	auth_set_who(who, WEB_BY_TOKEN, found->name, found->role);
	auth_note_stamp(auth, who);
	return true;
}

/* --- the ways, in their order ----------------------------------------------- */

/* An unknown scheme is a wrong credential, not none. */
static enum auth_answer
auth_by_authorization(struct web_auth *auth, const char *value,
		      struct web_identity *who, struct auth_password *ret)
{
	const char *rest = value + strcspn(value, " ");

	rest += strspn(rest, " ");
	if (strncasecmp(value, "Bearer ", 7) == 0)
		return auth_token(auth, rest, who) ? AUTH_KNOWN : AUTH_WRONG;
	if (strncasecmp(value, "Basic ", 6) == 0)
		return auth_basic(auth, rest, who, ret);
	return AUTH_WRONG;
}

/* The header is believed only of a trusted peer, and only once: a proxy that adds
 * its own behind a client's would otherwise pass the client's on. */
static enum auth_answer
auth_by_proxy(struct web_auth *auth, const char *user, size_t n,
	      const struct auth_request *r, struct web_identity *who)
{
	if (n != 1 || !access_is_proxy(r->peer, r->uid, auth->proxies))
		return AUTH_FORGED;
	if (!users_name_valid(user))
		return AUTH_WRONG;
	auth_set_who(who, WEB_BY_PROXY, user, auth_role_of_user(auth, user));
	who->ambient = true;
	return AUTH_KNOWN;
}

/* A request that was forwarded is not its peer's own. Any of these headers is
 * enough: a proxy that is not configured as one may set only one of them. */
static bool
auth_was_forwarded(const struct auth_request *r)
{
	static const char *const names[] = {
	    "Forwarded",	"X-Forwarded-For", "X-Forwarded-Proto",
	    "X-Forwarded-Host", "X-Real-IP",	   "Via"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (r->header(r->arg, names[i]) != NULL)
			return true;
	return false;
}

/* What the kernel calls users whom a user namespace does not have, all of them
 * alike (user_namespaces(7)). */
#define OVERFLOW_UID 65534

/* A proxy's own uid is not its client's, so neither a proxy nor what has been
 * forwarded is taken for the peer. */
static bool
auth_by_peer(const struct web_auth *auth, const struct auth_request *r,
	     struct web_identity *who)
{
	char name[PATH_USER_SIZE];
	const char *subject;
	enum web_role role;

	if (r->uid < 0 || auth_was_forwarded(r) ||
	    access_is_proxy(r->peer, r->uid, auth->proxies))
		return false;
	if (r->uid == OVERFLOW_UID)
		return false;
	path_user_name((uid_t)r->uid, name);
	/* Without a name it is its number, so that no line is meant by chance. */
	if (strcmp(name, "unknown") == 0)
		snprintf(name, sizeof(name), "%lld", (long long)r->uid);
	role = peers_role(auth->peers, name, r, &subject);
	/* Who runs the daemon has all that it has. */
	if ((uid_t)r->uid == geteuid() && strcmp(subject, name) != 0) {
		role = WEB_OPERATOR;
		subject = "";
	}
	if (role == WEB_OPEN)
		return false;
	auth_set_who(who, WEB_BY_PEER, name, role);
	snprintf(who->subject, sizeof(who->subject), "%s", subject);
	who->uid = r->uid;
	who->ambient = true;
	return true;
}

/* The order is that of auth.h. */
enum auth_answer
auth_identify(struct web_auth *auth, const struct auth_request *r,
	      struct web_identity *who, struct auth_password *ret_password)
{
	const char *header = auth->conf->web.user_header;
	const char *value;

	auth_set_who(who, WEB_BY_NOTHING, "", WEB_OPEN);
	ret_password->hash[0] = ret_password->user[0] = '\0';
	if ((value = r->header(r->arg, "Authorization")) != NULL)
		return auth_by_authorization(auth, value, who, ret_password);
	if (header[0] != '\0' && (value = r->header(r->arg, header)) != NULL &&
	    value[0] != '\0')
		return auth_by_proxy(auth, value, r->count(r->arg, header), r,
				     who);
	if ((value = r->header(r->arg, "Cookie")) != NULL &&
	    auth_by_session(auth, value, who))
		return AUTH_KNOWN;
	return auth_by_peer(auth, r, who) ? AUTH_KNOWN : AUTH_NOBODY;
}

/* --- of the request --------------------------------------------------------- */

void
auth_peer(const struct web_auth *auth, const struct auth_request *r,
	  char text[static 64])
{
	/* Of two, nobody can tell which one the proxy has written. */
	access_client(r->peer, r->uid,
		      r->count(r->arg, "X-Forwarded-For") == 1
			  ? r->header(r->arg, "X-Forwarded-For")
			  : NULL,
		      auth->proxies, text);
}

/* For "Secure" of a cookie and for the origin: what the client speaks, which with
 * a proxy before us is what the proxy says. */
bool
auth_is_https(const struct web_auth *auth, const struct auth_request *r)
{
	const char *proto = r->header(r->arg, "X-Forwarded-Proto");

	if (proto != NULL && access_is_proxy(r->peer, r->uid, auth->proxies))
		return strcasecmp(proto, "https") == 0;
	return r->tls;
}

bool
auth_host(const struct web_auth *auth, const char *host)
{
	return access_host(host, auth->hosts);
}
