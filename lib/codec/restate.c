/* SPDX-License-Identifier: MIT */
#include "codec/restate.h"

#include <string.h>

#include "codec/scan.h"
#include "core/task.h"
#include "util/err.h"

/* Where its value stands; and whether there is any member. */
struct restate {
	struct slice name, found;
	bool any;
};

/* The quotes of a string are not in its text. */
static int
restate_on_member(void *arg, const struct scan_value *key,
		  const struct scan_value *value, struct err *err)
{
	struct restate *r = arg;
	const size_t quote = value->type == SCAN_STRING;

	r->any = true;
	if (r->found.p == NULL && !key->escaped && slice_eq(key->text, r->name))
		r->found = (struct slice){value->text.p - quote,
					  value->text.len + 2 * quote};
	return 0;
}

/* The end of an object: what is behind its last member. */
static const char *
restate_end(struct slice object)
{
	return memrchr(object.p, '}', object.len);
}

int
restate_text(struct slice object, const char *name, struct slice text,
	     struct buf *out, struct err *err)
{
	struct restate r = {.name = slice_of(name)};
	const char *from, *to, *end = object.p + object.len;

	if (scan_object(object, TASK_DEPTH_MAX + 2, restate_on_member, &r,
			err) != 0)
		return -1;
	from = r.found.p != NULL ? r.found.p : restate_end(object);
	to = from + r.found.len;
	buf_add(out, object.p, (size_t)(from - object.p));
	if (r.found.p == NULL)
		buf_addf(out, "%s\"%s\":", r.any ? "," : "", name);
	scan_quote(out, text);
	buf_add(out, to, (size_t)(end - to));
	return out->failed ? err_nomem(err) : 0;
}
