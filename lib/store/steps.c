/* SPDX-License-Identifier: MIT */
/* What requests say of a step of a workflow. */
#include "store/steps.h"

#include <stdlib.h>
#include <string.h>

#include "codec/scan.h"
#include "core/task.h"
#include "util/err.h"

#define N_HOWS (BROKER_AFTER_COMPLETE + 1)

enum broker_after_how
steps_cut_how(struct slice *id)
{
	const char *colon = id->len > 0 ? memrchr(id->p, ':', id->len) : NULL;
	struct slice word;
	size_t i;

	if (colon == NULL)
		return BROKER_AFTER_SUCCESS;
	word = (struct slice){colon + 1, id->len - (size_t)(colon + 1 - id->p)};
	for (i = 0; i < N_HOWS; i++)
		if (slice_eq(word, slice_of(broker_after_words[i]))) {
			id->len = (size_t)(colon - id->p);
			return (enum broker_after_how)i;
		}
	return BROKER_AFTER_SUCCESS;
}

struct after_reading {
	struct steps_after *after;
	size_t cap;
};

static int
after_grow(struct after_reading *r, struct err *err)
{
	const size_t cap = r->cap > 0 ? 2 * r->cap : 4;
	struct broker_after *grown;

	if (r->after->n < r->cap)
		return 0;
	grown = reallocarray(r->after->items, cap, sizeof(*grown));
	if (grown == NULL)
		return err_nomem(err);
	r->after->items = grown;
	r->cap = cap;
	return 0;
}

/* There is room for the text, which does not move. */
static int
on_after(void *arg, const struct scan_value *value, struct err *err)
{
	struct after_reading *r = arg;
	struct buf *text = &r->after->text;
	const size_t at = text->len;
	struct broker_after one;

	if (value->type != SCAN_STRING)
		return err_set(err, ERR_DATA,
			       "after must be an array of strings");
	if (after_grow(r, err) != 0)
		return -1;
	scan_unescape(value, text);
	one.id = (struct slice){text->data + at, text->len - at};
	one.how = steps_cut_how(&one.id);
	if (!task_id_valid(one.id))
		return err_set(err, ERR_DATA,
			       "after \"%.*s\": that is not a valid task ID",
			       (int)(one.id.len < 64 ? one.id.len : 64),
			       one.id.p);
	r->after->items[r->after->n++] = one;
	return 0;
}

int
steps_read_after(struct slice json, struct steps_after *ret, struct err *err)
{
	struct after_reading r = {.after = ret};
	struct scan_value all;

	if (scan_check(json, TASK_DEPTH_MAX, &all, err) != 0)
		return err_prefix(err, "after");
	if (all.type != SCAN_ARRAY)
		return err_set(err, ERR_DATA, "after must be an array");
	if (buf_reserve(&ret->text, json.len) != 0)
		return err_nomem(err);
	return scan_array(all.text, TASK_DEPTH_MAX, on_after, &r, err);
}

void
steps_after_done(struct steps_after *after)
{
	free(after->items);
	buf_done(&after->text);
	*after = (struct steps_after){.n = 0};
}

int
steps_read_on(struct slice word, enum flow_role *ret, struct err *err)
{
	static const enum flow_role roles[N_HOWS] = {
	    [BROKER_AFTER_SUCCESS] = FLOW_ON_SUCCESS,
	    [BROKER_AFTER_FAILURE] = FLOW_ON_FAILURE,
	    [BROKER_AFTER_COMPLETE] = FLOW_ON_COMPLETE};
	size_t i;

	for (i = 0; i < N_HOWS; i++)
		if (slice_eq(word, slice_of(broker_after_words[i]))) {
			*ret = roles[i];
			return 0;
		}
	return err_set(err, ERR_DATA,
		       "on \"%.*s\" is not one of success, failure, complete",
		       (int)(word.len < 64 ? word.len : 64), word.p);
}
