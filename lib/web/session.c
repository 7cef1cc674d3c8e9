/* SPDX-License-Identifier: MIT */
/*
 * Sessions: "1.TEXT.MAC", where TEXT is base64url of "kind until nonce stamp
 * user", and MAC is HMAC-SHA-256 of all that stands before it (RFC 2104).
 *
 * There is no table of sessions: the cookie is the session. So they outlive a
 * restart and cost no memory, and only those that were logged out early have to be
 * remembered. The number in front is the version of the format; another format
 * will have another one, and can never be taken for this.
 */
#include "web/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"
#include "util/path.h"
#include "web/revoked.h"
#include "web/secret.h"

/* The longest that session_write() makes is half of it: a longer one is not ours. */
#define COOKIE_MAX 1024

struct web_sessions {
	unsigned char key[SECRET_BYTES];
	struct web_revoked *revoked;
};

static int64_t
session_now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* --- the key -------------------------------------------------------------- */

/* A key that is there stays. Of two daemons that make one at the same time, both
 * use the one that is there in the end. */
static int
session_load_key(struct web_sessions *s, const char *path, struct err *err)
{
	struct buf key = BUF_INIT;
	int r = secret_read_own(path, &key, err);

	if (r == 0) {
		secret_random(s->key, sizeof(s->key));
		r = secret_create(
		    path, (struct slice){(const char *)s->key, sizeof(s->key)},
		    0600, err);
		if (r == 0)
			r = secret_read_own(path, &key, err);
	}
	if (r == 1 && key.len == sizeof(s->key)) {
		memcpy(s->key, key.data, sizeof(s->key));
		r = 0;
	} else if (r >= 0) {
		r = err_set(err, ERR_CONFIG,
			    "%s: not a key of %d bytes; remove it, and all log "
			    "in again",
			    path, SECRET_BYTES);
	}
	if (key.data != NULL)
		explicit_bzero(key.data, key.len);
	buf_done(&key);
	return r;
}

/* Key and list lie in the state directory, so that daemons which share it share
 * sessions. */
struct web_sessions *
sessions_new(const char *dir, struct err *err)
{
	struct web_sessions *s = calloc(1, sizeof(*s));
	struct buf list = BUF_INIT, key = BUF_INIT;
	int r = -1;

	buf_addf(&list, "%s/web.revoked", dir);
	buf_addf(&key, "%s/web.key", dir);
	if (s == NULL || list.failed || key.failed)
		err_nomem(err);
	else if (path_make_dir(dir, err) == 0 &&
		 session_load_key(s, key.data, err) == 0 &&
		 (s->revoked = revoked_new(list.data, key.data, err)) != NULL)
		r = 0;
	buf_done(&list);
	buf_done(&key);
	if (r == 0)
		return s;
	sessions_free(s);
	return NULL;
}

void
sessions_free(struct web_sessions *s)
{
	if (s == NULL)
		return;
	explicit_bzero(s->key, sizeof(s->key));
	revoked_free(s->revoked);
	free(s);
}

/* --- cookies -------------------------------------------------------------- */

/* A MAC and not a digest: a cookie must not let anybody try passwords against it. */
void
session_stamp(const struct web_sessions *s, const char *credential,
	      char stamp[SESSION_STAMP_SIZE])
{
	unsigned char mac[SECRET_BYTES];
	struct buf out = BUF_INIT;

	secret_hmac(s->key, slice_of(credential), mac);
	secret_encode(mac, 16, &out);
	snprintf(stamp, SESSION_STAMP_SIZE, "%s",
		 out.data != NULL ? out.data : "");
	buf_done(&out);
}

/* Of the text with its version, so that no other use of the key is a cookie. */
static void
session_sign(const struct web_sessions *s, struct slice text, struct buf *out)
{
	unsigned char mac[SECRET_BYTES];

	secret_hmac(s->key, text, mac);
	secret_encode(mac, sizeof(mac), out);
}

/* Each has a nonce, by which a single one can be logged out. */
void
session_write(const struct web_sessions *s, struct session *session,
	      struct buf *out)
{
	struct buf text = BUF_INIT;
	struct buf mac = BUF_INIT;
	char head[256];

	secret_random(&session->nonce, sizeof(session->nonce));
	snprintf(head, sizeof(head), "%d %" PRId64 " %016" PRIx64 " %s ",
		 (int)session->kind, session->until_s, session->nonce,
		 session->stamp);
	buf_adds(&text, head);
	buf_adds(&text, session->user);
	buf_adds(&mac, "1.");
	secret_encode(text.data, text.len, &mac);
	buf_add(out, mac.data, mac.len);
	buf_addc(out, '.');
	session_sign(s, (struct slice){mac.data, mac.len}, out);
	out->failed = out->failed || text.failed || mac.failed;
	buf_done(&text);
	buf_done(&mac);
}

/* By the wall clock, as the cookie is: a clock that is set back lets a session live
 * longer by as much, no more. */
bool
session_is_over(const struct web_sessions *s, const struct session *session)
{
	struct revoked one = {session->nonce, session->until_s, ""};

	memcpy(one.stamp, session->stamp, sizeof(one.stamp));
	return session->until_s <= session_now_s() ||
	       revoked_has(s->revoked, &one);
}

/* The text has our signature, and yet is read with bounds: it may be an older
 * version's. */
static bool
session_parse(const char *text, struct session *ret)
{
	int kind, end = 0;

	/* NOLINTNEXTLINE(cert-err34-c): the digits have bounds */
	if (sscanf(text, "%2d %18" SCNd64 " %16" SCNx64 " %23s %n", &kind,
		   &ret->until_s, &ret->nonce, ret->stamp, &end) != 4 ||
	    end == 0 || kind <= WEB_BY_NOTHING || kind >= WEB_N_KINDS ||
	    strlen(text + end) > WEB_USER_MAX)
		return false;
	ret->kind = (enum web_kind)kind;
	snprintf(ret->user, sizeof(ret->user), "%s", text + end);
	return true;
}

/* The signature is compared in constant time (secret_same()): an answer that comes
 * sooner for a better guess would give the MAC away, byte by byte. */
bool
session_read(const struct web_sessions *s, struct slice cookie,
	     struct session *ret)
{
	const char *mac =
	    cookie.len < COOKIE_MAX ? memrchr(cookie.p, '.', cookie.len) : NULL;
	struct slice text = {cookie.p, 0};
	struct buf same = BUF_INIT, given = BUF_INIT, plain = BUF_INIT;
	bool good = false;

	if (mac == NULL || cookie.len < 3 || memcmp(cookie.p, "1.", 2) != 0 ||
	    mac < cookie.p + 2)
		return false;
	text.len = (size_t)(mac - cookie.p);
	session_sign(s, text, &same);
	buf_add(&given, mac + 1, cookie.len - text.len - 1);
	/* Nothing of it is looked at before its signature. */
	if (given.data != NULL && same.data != NULL &&
	    secret_same(given.data, same.data))
		good = secret_decode((struct slice){text.p + 2, text.len - 2},
				     &plain) == 0 &&
		       plain.data != NULL && session_parse(plain.data, ret) &&
		       !session_is_over(s, ret);
	buf_done(&same);
	buf_done(&given);
	buf_done(&plain);
	return good;
}

int
session_revoke(struct web_sessions *s, const struct session *session,
	       struct err *err)
{
	struct revoked one = {session->nonce, session->until_s, ""};

	memcpy(one.stamp, session->stamp, sizeof(one.stamp));
	return revoked_add(s->revoked, &one, err);
}

/* A list that cannot be written leaves the code spent for this process at least. */
bool
session_spend(struct web_sessions *s, uint64_t nonce, int64_t until_s)
{
	const struct revoked one = {nonce, until_s, "code"};
	struct err err;

	if (revoked_has(s->revoked, &one))
		return false;
	if (revoked_add(s->revoked, &one, &err) != 0)
		log_error("a code that was used is good again after a restart: "
			  "%s",
			  err.msg);
	return true;
}
