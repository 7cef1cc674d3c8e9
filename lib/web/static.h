/* SPDX-License-Identifier: MIT */
/* The files of the pages, which are in the program itself. */
#ifndef WEB_STATIC_H
#define WEB_STATIC_H

#include <stdbool.h>

#include "util/buf.h"

struct conf;

struct static_file {
	const char *name;	    /* "views/tasks.js" */
	struct slice bytes, packed; /* as it is, and by gzip */
};

/* What stands in URLs before a name: of all files together. */
const char *static_digest(void);
/* NULL: there is none. */
const struct static_file *static_find(const char *name);
/* The type by the ending of a name. */
const char *static_type(const char *name);
/* Whether a path (below the prefix) is that of a page. */
bool static_is_page(const char *path);
/* Appends index.html with its places filled in. `version` is "" for clients that are
 * not logged in. */
void static_page(const struct conf *conf, const char *version, struct buf *out);
/* Whether an Accept-Encoding takes gzip. */
bool static_takes_gzip(const char *accept);

#endif
