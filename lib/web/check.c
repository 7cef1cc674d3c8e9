/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with [web], told by --check, by a reload, and by the start before
 * any socket is open. Types and ranges of single keys are checked where they are
 * read (util/conf); here is what several keys mean together, and what is in the
 * files that they name.
 */
#include <string.h>

#include "schedules/schedules.h"
#include "store/store.h"
#include "util/conf.h"
#include "util/err.h"
#include "web/auth.h"
#include "web/listen.h"
#include "web/server.h"
#include "web/tls.h"

/* What stands in URLs, cookies and the page unescaped has to be harmless in all
 * three. */
static int
web_check_prefix(const char *prefix, struct err *err)
{
	const size_t n = strlen(prefix);
	const char *p = prefix;

	while (*p == '/' || *p == '-' || *p == '_' || *p == '.' || *p == '~' ||
	       (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') ||
	       (*p >= 'a' && *p <= 'z'))
		p++;
	if (n == 0 ||
	    (prefix[0] == '/' && prefix[n - 1] != '/' && *p == '\0' &&
	     strstr(prefix, "//") == NULL && strstr(prefix, "..") == NULL))
		return 0;
	return err_set(
	    err, ERR_CONFIG,
	    "[web] prefix: \"%.64s\" is not a path such as /flowrra, "
	    "without a slash at its end",
	    prefix);
}

/* Reads files, and so not for a check of the words alone. */
int
web_probe(const struct conf *conf, struct err *err)
{
	struct web_tls t = {.cert = BUF_INIT};
	struct http_tls tls = {.key = NULL};
	int r = web_tls_load(&conf->web, &t, &tls, err);

	web_tls_drop(&t);
	return r == 0 ? auth_check(conf, err) : -1;
}

/* What no type of a key can check by itself. Also of --check, without opening
 * anything. */
int
web_check(const struct conf *conf, struct err *err)
{
	const struct conf_web *web = &conf->web;

	if (stores_check(conf, err) != 0 ||
	    schedules_check_url(conf->scheduler.database_url, err) != 0 ||
	    web_check_prefix(web->prefix, err) != 0 ||
	    listen_check_words(conf, err) != 0)
		return -1;
	if ((web->tls_cert[0] != '\0') != (web->tls_key[0] != '\0'))
		return err_set(err, ERR_CONFIG,
			       "[web] tls_cert and tls_key: set both, or none");
	if (web->tls_ca[0] != '\0' && web->tls_cert[0] == '\0')
		return err_set(err, ERR_CONFIG,
			       "[web] tls_ca: needs tls_cert and tls_key");
	if (web->user_header[0] != '\0' && web->proxies[0] == '\0')
		return err_set(err, ERR_CONFIG,
			       "[web] user_header: name the proxies that may "
			       "send it, in proxies");
	return 0;
}
