/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: what an examination has found, for the operator. What several
 * nodes of a Cluster have in common is one finding, which names them.
 */
#ifndef STORE_REDIS_ADMIN_REPORT_H
#define STORE_REDIS_ADMIN_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"

struct err;
struct redis_finding;

struct report_finding {
	bool error;	 /* else a warning */
	struct buf what; /* without a NUL, like the others */
	struct buf remedy;
	struct buf nodes; /* their names, with ", " between; or empty */
	size_t n_nodes;
};

/* Zeroed by who keeps it. */
struct report {
	struct report_finding *findings;
	size_t n;
	bool failed; /* there was no memory */
};

void report_done(struct report *r);
/* Another one, to be filled; NULL: there is no memory. */
struct report_finding *report_add(struct report *r);
/* Of a node, whose name may be NULL: it is the only one. */
void report_add_found(struct report *r, const struct redis_finding *found,
		      const char *node);
/* The last step, when all is in it: `n_nodes` were examined. Texts end with a NUL from
 * now on. 0, or -1 with *err. */
int report_end(struct report *r, size_t n_nodes, struct err *err);

#endif
