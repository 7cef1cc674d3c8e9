/* SPDX-License-Identifier: MIT */
/* Sessions: "1.TEXT.MAC", where TEXT is base64url of "kind until nonce stamp
 * user". */
#include "web/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/err.h"
#include "util/path.h"
#include "web/secret.h"

#define COOKIE_MAX 1024

struct revoked {
	uint64_t nonce;
	int64_t until_s;
};

struct web_sessions {
	unsigned char key[SECRET_BYTES];
	char *list_path;
	struct revoked *revoked;
	size_t n_revoked;
};

static int64_t
session_now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* --- the key -------------------------------------------------------------- */

static int
session_load_key(struct web_sessions *s, const char *path, struct err *err)
{
	struct buf key = BUF_INIT;
	int r = secret_read(path, &key, err);

	if (r == 0) {
		secret_random(s->key, sizeof(s->key));
		r = secret_write(
		    path, (struct slice){(const char *)s->key, sizeof(s->key)},
		    0600, err);
	} else if (r == 1 && key.len == sizeof(s->key)) {
		memcpy(s->key, key.data, sizeof(s->key));
		r = 0;
	} else if (r == 1) {
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

static int
session_add_revoked(struct web_sessions *s, const struct revoked *one,
		    struct err *err)
{
	struct revoked *list =
	    reallocarray(s->revoked, s->n_revoked + 1, sizeof(*list));

	if (list == NULL)
		return err_nomem(err);
	s->revoked = list;
	list[s->n_revoked++] = *one;
	return 0;
}

/* Two numbers a line; a line that is none is of no use to anybody. What has
 * expired by itself need not be remembered. */
static int
session_load_revoked(struct web_sessions *s, struct err *err)
{
	struct buf text = BUF_INIT;
	struct revoked one;
	char *line, *save = NULL;
	int r = secret_read(s->list_path, &text, err);

	/* An empty file has no text at all. */
	line = r == 1 && text.len > 0 ? strtok_r(text.data, "\n", &save) : NULL;
	for (; r >= 0 && line != NULL; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%16" SCNx64 " %18" SCNd64, &one.nonce,
			   &one.until_s) == 2 &&
		    one.until_s >= session_now_s() &&
		    session_add_revoked(s, &one, err) != 0)
			r = -1;
	buf_done(&text);
	return r < 0 ? -1 : 0;
}

struct web_sessions *
sessions_new(const char *dir, struct err *err)
{
	struct web_sessions *s = calloc(1, sizeof(*s));
	struct buf path = BUF_INIT;

	if (s == NULL) {
		err_nomem(err);
		return NULL;
	}
	buf_addf(&path, "%s/web.revoked", dir);
	s->list_path = buf_take(&path);
	buf_addf(&path, "%s/web.key", dir);
	if (path.failed || s->list_path == NULL)
		err_nomem(err);
	else if (path_make_dir(dir, err) == 0 &&
		 session_load_key(s, path.data, err) == 0 &&
		 session_load_revoked(s, err) == 0) {
		buf_done(&path);
		return s;
	}
	buf_done(&path);
	sessions_free(s);
	return NULL;
}

void
sessions_free(struct web_sessions *s)
{
	if (s == NULL)
		return;
	explicit_bzero(s->key, sizeof(s->key));
	free(s->list_path);
	free(s->revoked);
	free(s);
}

/* --- cookies -------------------------------------------------------------- */

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

static bool
session_is_revoked(const struct web_sessions *s, uint64_t nonce)
{
	size_t i;

	for (i = 0; i < s->n_revoked; i++)
		if (s->revoked[i].nonce == nonce)
			return true;
	return false;
}

/* Of a text that we have signed. */
static bool
session_parse(const char *text, struct session *ret)
{
	int kind, end = 0;

	if (sscanf(text, "%2d %18" SCNd64 " %16" SCNx64 " %23s %n", &kind,
		   &ret->until_s, &ret->nonce, ret->stamp, &end) != 4 ||
	    end == 0 || kind <= WEB_BY_NOTHING || kind >= WEB_N_KINDS ||
	    strlen(text + end) > WEB_USER_MAX)
		return false;
	ret->kind = (enum web_kind)kind;
	snprintf(ret->user, sizeof(ret->user), "%s", text + end);
	return true;
}

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
		       ret->until_s > session_now_s() &&
		       !session_is_revoked(s, ret->nonce);
	buf_done(&same);
	buf_done(&given);
	buf_done(&plain);
	return good;
}

/* The whole list, without what is over: it is short. */
int
session_revoke(struct web_sessions *s, const struct session *session,
	       struct err *err)
{
	const struct revoked one = {session->nonce, session->until_s};
	struct revoked *list;
	struct buf text = BUF_INIT;
	size_t i, n = 0;
	int r;

	if (session_add_revoked(s, &one, err) != 0)
		return -1;
	list = s->revoked;
	for (i = 0; i < s->n_revoked; i++)
		if (list[i].until_s >= session_now_s())
			list[n++] = list[i];
	s->n_revoked = n;
	for (i = 0; i < n; i++)
		buf_addf(&text, "%016" PRIx64 " %" PRId64 "\n", list[i].nonce,
			 list[i].until_s);
	r = text.failed ? err_nomem(err)
			: secret_write(
			      s->list_path,
			      (struct slice){text.data != NULL ? text.data : "",
					     text.len},
			      0600, err);
	buf_done(&text);
	return r;
}
