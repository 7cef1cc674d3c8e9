/* SPDX-License-Identifier: MIT */
/* The tables of routes, one a file, and finding a route in them. */
#ifndef WEB_ROUTES_H
#define WEB_ROUTES_H

#include "web/web.h"

/* NULL-ended. */
extern const struct web_route *const web_routes[];

/* Parts of a path that stand for "{name}"; borrowed from the path, which they
 * cut up. */
#define WEB_PATH_MAX 4
struct web_match {
	const struct web_route *route; /* NULL: no route has this path */
	unsigned int methods;	       /* 1u << of those that the path has */
	size_t n;
	struct {
		char name[32];
		const char *value;
	} values[WEB_PATH_MAX];
};

/*
 * Finds the route of a path (below the prefix). If the path does not have this
 * method, `route` is NULL and `methods` says which ones it has; both are 0 if
 * nobody has the path. A literal part goes before one in braces. `path` is written
 * to.
 */
void routes_find(const struct web_route *const *tables, enum http_method method,
		 char *path, struct web_match *ret);

/* Whether a role may use a route; a submitter only for its own tasks, which the
 * route's function sees to. */
bool routes_permit(const struct web_route *route, enum web_role role);

#endif
