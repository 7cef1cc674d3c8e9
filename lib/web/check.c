/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with [web], told by --check, by a reload, and by the start before
 * any socket is open. Types and ranges of single keys are checked where they are
 * read (util/conf); here is what several keys mean together, and what is in the
 * files that they name.
 */
#include <stdbool.h>
#include <string.h>

#include "manager/schedule_zone.h"
#include "schedules/schedules.h"
#include "store/store.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/findings.h"
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

static int
web_check_pair(const struct conf *conf, struct err *err)
{
	const struct conf_web *web = &conf->web;

	if ((web->tls_cert[0] != '\0') == (web->tls_key[0] != '\0'))
		return 0;
	return err_set(err, ERR_CONFIG,
		       "[web] tls_cert and tls_key: set both, or none");
}

static int
web_check_ca(const struct conf *conf, struct err *err)
{
	if (conf->web.tls_ca[0] == '\0' || conf->web.tls_cert[0] != '\0')
		return 0;
	return err_set(err, ERR_CONFIG,
		       "[web] tls_ca: needs tls_cert and tls_key");
}

static int
web_check_header(const struct conf *conf, struct err *err)
{
	if (conf->web.user_header[0] == '\0' || conf->web.proxies[0] != '\0')
		return 0;
	return err_set(err, ERR_CONFIG,
		       "[web] user_header: name the proxies that may send it, "
		       "in proxies");
}

static int
web_check_path(const struct conf *conf, struct err *err)
{
	return web_check_prefix(conf->web.prefix, err);
}

static int
web_check_database(const struct conf *conf, struct err *err)
{
	return schedules_check_url(conf->scheduler.database_url, err);
}

static int
web_check_files(const struct conf *conf, struct err *err)
{
	struct web_tls t = {.cert = BUF_INIT};
	struct http_tls tls = {.key = NULL};
	/* Other rules tell of one without the others. */
	const int r =
	    web_check_pair(conf, NULL) == 0 && web_check_ca(conf, NULL) == 0
		? web_tls_load(&conf->web, &t, &tls, err)
		: 0;

	web_tls_drop(&t);
	return r;
}

/* Schedules for which no zone is said could not be made. */
static int
web_check_zone(const struct conf *conf, struct err *err)
{
	struct zone_words words = {.local = ""};
	const char *zone;

	return zone_default(conf, &words, &zone, err);
}

/* --- the table -------------------------------------------------------------- */

/* What must be so, in the order in which a start finds it. */
static const struct web_rule {
	const char *section, *key; /* where it is said */
	bool probes; /* it reads files, or a start goes on without it */
	int (*check)(const struct conf *conf, struct err *err);
} web_rules[] = {
    {"scheduler", "database_url", false, web_check_database},
    {"web", "prefix", false, web_check_path},
    {"web", "listen", false, listen_check_words},
    {"web", "tls_cert", false, web_check_pair},
    {"web", "tls_ca", false, web_check_ca},
    {"web", "user_header", false, web_check_header},
    {"web", "tls_cert", true, web_check_files},
    {"web", "hosts", true, auth_check_hosts},
    {"web", "proxies", true, auth_check_proxies},
    {"web", "peers", true, auth_check_peers},
    {"web", "users", true, auth_check_users},
    {"web", "tokens", true, auth_check_tokens},
    {"scheduler", "timezone", true, web_check_zone},
};
#define N_RULES (sizeof(web_rules) / sizeof(web_rules[0]))

/* What no type of a key can check by itself. */
int
web_check(const struct conf *conf, struct err *err)
{
	int r = stores_check(conf, err);
	size_t i;

	for (i = 0; i < N_RULES && r == 0; i++)
		if (!web_rules[i].probes)
			r = web_rules[i].check(conf, err);
	return r;
}

void
web_examine(const struct conf *conf, struct findings *findings)
{
	struct err err;
	size_t i;

	stores_examine(conf, findings);
	for (i = 0; i < N_RULES; i++) {
		err = (struct err)ERR_INIT;
		if (web_rules[i].check(conf, &err) == 0)
			continue;
		conf_prefix_place(conf, web_rules[i].section, web_rules[i].key,
				  &err);
		findings_add(findings, &err);
	}
}
