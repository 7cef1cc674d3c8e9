/* SPDX-License-Identifier: MIT */
/*
 * What the files that read Redis URLs share.
 *
 *	url.c		the scheme, and the parts in order
 *	url_host.c	user, password, and hosts
 *	url_query.c	the parameters
 *	url_text.c	pieces of the text
 *	url_use.c	what is done with a URL that was read
 */
#ifndef REDIS_URL_PARSE_H
#define REDIS_URL_PARSE_H

#include "redis/url.h"

/* A piece of the text. */
struct span {
	const char *p;
	const char *end;
};

bool span_empty(struct span s);
/* Cuts `s` before the first `c`, if there is one; *ret_rest is what follows
 * it. */
bool span_cut(struct span *s, char c, struct span *ret_rest);

/* Sets *err; returns -1. */
int url_bad(struct err *err, const char *what);

/*
 * Decodes percent-encoding (RFC 3986, 2.1); `what` names the part in messages.
 * A NUL is an error: the result is a C string, and what follows the NUL would
 * be ignored without notice.
 */
int url_decode(struct span s, const char *what, char **ret, struct err *err);
/* 0, or -1 without a message. */
int url_parse_number(struct span s, unsigned long max, unsigned long *ret);
int url_parse_db(struct span s, struct redis_url *url, struct err *err);

/* user:password, without the '@' behind it. */
int url_parse_userinfo(struct span s, struct redis_url *url, struct err *err);
/* host[:port], or a list of them with commas between. */
int url_parse_hosts(struct span s, struct redis_url *url, struct err *err);
int url_parse_query(struct span s, bool db_known, struct redis_url *url,
		    struct err *err);

#endif
