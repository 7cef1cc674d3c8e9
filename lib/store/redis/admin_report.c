/* SPDX-License-Identifier: MIT */
/* What an examination has found; see admin_report.h. */
#include "store/redis/admin_report.h"

#include <stdlib.h>

#include "store/redis/info.h"
#include "util/err.h"

void
report_done(struct report *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		buf_done(&r->findings[i].what);
		buf_done(&r->findings[i].remedy);
		buf_done(&r->findings[i].nodes);
	}
	free(r->findings);
	*r = (struct report){.n = 0};
}

struct report_finding *
report_add(struct report *r)
{
	struct report_finding *more =
	    reallocarray(r->findings, r->n + 1, sizeof(*more));

	if (more == NULL) {
		r->failed = true;
		return NULL;
	}
	r->findings = more;
	more[r->n] = (struct report_finding){
	    .what = BUF_INIT, .remedy = BUF_INIT, .nodes = BUF_INIT};
	return &more[r->n++];
}

/* Another node has the same: what it says may be a number of its own. */
static struct report_finding *
report_same(struct report *r, const struct redis_finding *found)
{
	struct report_finding *f;
	size_t i;

	for (i = 0; i < r->n; i++) {
		f = &r->findings[i];
		if (f->error == found->error && f->n_nodes > 0 &&
		    slice_eq((struct slice){f->what.data, f->what.len},
			     slice_of(found->what)))
			return f;
	}
	return NULL;
}

void
report_add_found(struct report *r, const struct redis_finding *found,
		 const char *node)
{
	struct report_finding *f = report_same(r, found);

	if (f == NULL) {
		if ((f = report_add(r)) == NULL)
			return;
		f->error = found->error;
		buf_adds(&f->what, found->what);
		buf_adds(&f->remedy, found->remedy);
	}
	if (node != NULL)
		buf_addf(&f->nodes, "%s%s", f->n_nodes++ > 0 ? ", " : "", node);
}

int
report_end(struct report *r, size_t n_nodes, struct err *err)
{
	struct report_finding *f;
	size_t i;

	for (i = 0; i < r->n; i++) {
		f = &r->findings[i];
		if (f->n_nodes == n_nodes && n_nodes > 1)
			buf_addf(&f->what, " (each of %zu masters)", n_nodes);
		else if (f->n_nodes > 0)
			buf_addf(&f->what, " (%.*s)", (int)f->nodes.len,
				 f->nodes.data);
		buf_addc(&f->what, '\0');
		buf_addc(&f->remedy, '\0');
		r->failed = r->failed || f->what.failed || f->remedy.failed ||
			    f->nodes.failed;
	}
	return r->failed ? err_nomem(err) : 0;
}
