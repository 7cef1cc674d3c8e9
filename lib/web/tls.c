/* SPDX-License-Identifier: MIT */
/*
 * The files of TLS: read, checked, and overwritten when the library has a copy.
 *
 * They are checked one by one before libmicrohttpd has them, since that would say
 * no more than that it cannot start. A daemon that is told to encrypt never goes
 * on in clear text: whatever is wrong with a file ends the start.
 */
#include "web/tls.h"

#include <errno.h>
#include <string.h>

#include "util/conf.h"
#include "util/err.h"
#include "web/secret.h"

static int
web_tls_read(const char *path, const char *key, struct buf *out,
	     struct err *err)
{
	int r;

	if (path[0] == '\0')
		return 0;
	if ((r = secret_read(path, out, err)) == 0)
		return err_set(err, ERR_CONFIG, "[web] %s: there is no %s", key,
			       path);
	if (r < 0 && err != NULL && err->sys == EACCES)
		err_hint(err, "let the group of flowrra-web read it: chgrp "
			      "flowrra, chmod 640");
	return r == 1 ? 0 : err_prefix(err, "[web] %s", key);
}

void
web_tls_drop(struct web_tls *t)
{
	if (t->key.data != NULL)
		explicit_bzero(t->key.data, t->key.len);
	buf_done(&t->cert);
	buf_done(&t->key);
	buf_done(&t->ca);
}

/* Names the file that is wrong: libmicrohttpd would not. */
static int
web_tls_check(const struct conf_web *conf, const struct http_tls *tls,
	      struct err *err)
{
	const char *const bad[][2] = {
	    [HTTP_TLS_CERTIFICATES] = {"tls_cert", conf->tls_cert},
	    [HTTP_TLS_KEY] = {"tls_key", conf->tls_key},
	    [HTTP_TLS_CLIENT_CA] = {"tls_ca", conf->tls_ca}};
	enum http_tls_part part;

	if (http_tls_check(tls, &part, err) == 0)
		return 0;
	return err_prefix(err, "[web] %s: %s", bad[part][0], bad[part][1]);
}

/* A file that is there but empty has no text; "" is refused below, by name. */
int
web_tls_load(const struct conf_web *conf, struct web_tls *t,
	     struct http_tls *ret, struct err *err)
{
	if (web_tls_read(conf->tls_cert, "tls_cert", &t->cert, err) != 0 ||
	    web_tls_read(conf->tls_key, "tls_key", &t->key, err) != 0 ||
	    web_tls_read(conf->tls_ca, "tls_ca", &t->ca, err) != 0)
		return -1;
	if (conf->tls_cert[0] == '\0')
		return 0;
	ret->certificates = t->cert.data != NULL ? t->cert.data : "";
	ret->key = t->key.data != NULL ? t->key.data : "";
	if (conf->tls_ca[0] != '\0')
		ret->client_ca = t->ca.data != NULL ? t->ca.data : "";
	return web_tls_check(conf, ret, err);
}
