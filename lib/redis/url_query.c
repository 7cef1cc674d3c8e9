/* SPDX-License-Identifier: MIT */
/* The parameters of a Redis URL. */
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "redis/url_parse.h"
#include "util/err.h"

/* The parameters of the query that are strings, and their fields; the second
 * names are those of redis-py. */
static const struct parameter {
	const char *name;
	size_t offset;
	bool of_sentinels; /* and not of TLS */
} parameters[] = {
    {"cafile", offsetof(struct redis_url, cafile), false},
    {"certfile", offsetof(struct redis_url, certfile), false},
    {"keyfile", offsetof(struct redis_url, keyfile), false},
    {"servername", offsetof(struct redis_url, servername), false},
    {"ssl_ca_certs", offsetof(struct redis_url, cafile), false},
    {"ssl_certfile", offsetof(struct redis_url, certfile), false},
    {"ssl_keyfile", offsetof(struct redis_url, keyfile), false},
    {"sentinel_user", offsetof(struct redis_url, sentinel_user), true},
    {"sentinel_password", offsetof(struct redis_url, sentinel_password), true},
};

/* redis-py's parameters about the server's certificate. "optional" is as good
 * as "required" for a client, whose server always has one. */
static const struct {
	const char *name;
	const char *word;
	enum redis_verify verify;
} verifications[] = {
    {"ssl_cert_reqs", "required", REDIS_VERIFY_NAME},
    {"ssl_cert_reqs", "optional", REDIS_VERIFY_NAME},
    {"ssl_cert_reqs", "none", REDIS_VERIFY_NOTHING},
    {"ssl_check_hostname", "true", REDIS_VERIFY_NAME},
    {"ssl_check_hostname", "yes", REDIS_VERIFY_NAME},
    {"ssl_check_hostname", "1", REDIS_VERIFY_NAME},
    {"ssl_check_hostname", "false", REDIS_VERIFY_ISSUER},
    {"ssl_check_hostname", "no", REDIS_VERIFY_ISSUER},
    {"ssl_check_hostname", "0", REDIS_VERIFY_ISSUER},
};
#define N_VERIFICATIONS (sizeof(verifications) / sizeof(verifications[0]))

static bool
span_is(struct span s, const char *word)
{
	size_t len = (size_t)(s.end - s.p);

	return strlen(word) == len && memcmp(s.p, word, len) == 0;
}

static bool
span_is_word(struct span s, const char *word)
{
	size_t len = (size_t)(s.end - s.p);

	return strlen(word) == len && strncasecmp(s.p, word, len) == 0;
}

/* 1: it was one of those, 0: it was not, -1 with *err. The weaker of two
 * counts, as in redis-py. */
static int
url_parse_verification(struct span key, struct span value,
		       struct redis_url *url, struct err *err)
{
	const char *known = NULL;
	size_t i;

	for (i = 0; i < N_VERIFICATIONS; i++) {
		if (!span_is(key, verifications[i].name))
			continue;
		known = verifications[i].name;
		if (!span_is_word(value, verifications[i].word))
			continue;
		if (verifications[i].verify > url->verify)
			url->verify = verifications[i].verify;
		break;
	}
	if (known == NULL)
		return 0;
	if (i < N_VERIFICATIONS && url->tls)
		return 1;
	return err_set(err, ERR_CONFIG,
		       !url->tls ? "Redis URL: %s= needs rediss://"
		       : strcmp(known, "ssl_cert_reqs") == 0
			   ? "Redis URL: %s= must be required, optional or none"
			   : "Redis URL: %s= must be true or false",
		       known);
}

/* Whether the URL is of the kind that has the parameter. */
static int
url_check_parameter(const struct parameter *p, const struct redis_url *url,
		    struct err *err)
{
	if (p->of_sentinels ? url->master != NULL : url->tls)
		return 0;
	return err_set(err, ERR_CONFIG, "Redis URL: %s= needs %s", p->name,
		       p->of_sentinels ? "redis+sentinel://" : "rediss://");
}

static int
url_parse_parameter(struct span key, struct span value, struct redis_url *url,
		    struct err *err)
{
	int verification = url_parse_verification(key, value, url, err);
	const struct parameter *p;
	char **field;
	size_t i;

	if (verification != 0)
		return verification > 0 ? 0 : -1;
	for (i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		p = &parameters[i];
		if (!span_is(key, p->name))
			continue;
		field = (char **)((char *)url + p->offset);
		if (url_check_parameter(p, url, err) != 0)
			return -1;
		if (*field != NULL || span_empty(value))
			return err_set(err, ERR_CONFIG,
				       "Redis URL: %s= is empty or given twice",
				       p->name);
		return url_decode(value, p->name, field, err);
	}
	return url_bad(err,
		       "unknown parameter after the '?'; known: db, cafile, "
		       "certfile, keyfile, servername, ssl_ca_certs, "
		       "ssl_certfile, ssl_keyfile, ssl_cert_reqs, "
		       "ssl_check_hostname, sentinel_user, sentinel_password");
}

int
url_parse_query(struct span s, bool db_known, struct redis_url *url,
		struct err *err)
{
	struct span next = s, key, value;

	while (next.p != NULL) {
		key = next;
		next = (struct span){NULL, NULL};
		span_cut(&key, '&', &next);
		if (!span_cut(&key, '=', &value))
			return url_bad(err,
				       "a parameter after the '?' lacks '='");
		if (!span_is(key, "db")) {
			if (url_parse_parameter(key, value, url, err) != 0)
				return -1;
			continue;
		}
		if (db_known)
			return url_bad(err, "the database is given twice");
		db_known = true;
		if (url_parse_db(value, url, err) != 0)
			return -1;
	}
	return 0;
}
