/* SPDX-License-Identifier: MIT */
/* The files of TLS that [web] names. Private to lib/web. */
#ifndef WEB_TLS_H
#define WEB_TLS_H

#include "http/http.h"
#include "util/buf.h"

struct conf_web;
struct err;

/* Their texts, in PEM. All zero: nothing was read. */
struct web_tls {
	struct buf cert, key, ca;
};

/* Reads and checks them: fills in *t, which web_tls_drop() empties also after a
 * failure, and *ret, which borrows from it. 0 and nothing in them: none are
 * configured. -1 with *err, which names the key and the file. */
int web_tls_load(const struct conf_web *conf, struct web_tls *t,
		 struct http_tls *ret, struct err *err);
/* Overwrites the key and frees all. */
void web_tls_drop(struct web_tls *t);

#endif
