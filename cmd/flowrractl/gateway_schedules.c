/* SPDX-License-Identifier: MIT */
/* The gateway: operations on schedules, each by its route in the API. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/scan.h"
#include "codec/write.h"
#include "core/task.h"
#include "gateway.h"
#include "manager/member.h"
#include "manager/page.h"
#include "manager/schedule.h"
#include "manager/schedules.h"
#include "util/clock.h"
#include "util/err.h"

#define JSON_TYPE "application/json"
#define ROOT "schedules"
/* An edit is tried so often, while others edit the same schedule. */
#define EDITS_MAX 10

/* --- looking ----------------------------------------------------------------- */

static json_t *
schedules_step(struct gateway *g, const struct schedule_query *q,
	       const char *cursor, struct err *err)
{
	const char *const names[] = {"task", "text", "cursor"};
	const char *const values[] = {q->task, q->text, cursor};
	struct buf path = BUF_INIT;
	json_t *page = NULL;
	size_t i;

	buf_addf(&path, "/api/v1/" ROOT "?limit=%d", PAGE_LIMIT_MAX);
	if (q->enabled >= 0)
		buf_adds(&path,
			 q->enabled ? "&enabled=true" : "&enabled=false");
	for (i = 0; i < 3; i++)
		if (values[i] != NULL) {
			buf_addf(&path, "&%s=", names[i]);
			gateway_add_part(&path, values[i]);
		}
	if (path.failed)
		err_nomem(err);
	else
		page = gateway_get(g, path.data, err);
	buf_done(&path);
	return page;
}

/* What never fires comes last; at one time, by ID. Times are written so that their order
 * is that of their texts. */
static int
compare_next(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	const char *next_x = member_text(x, "next_run");
	const char *next_y = member_text(y, "next_run");
	int order = (next_x == NULL) - (next_y == NULL);

	if (next_x != NULL && next_y != NULL)
		order = strcmp(next_x, next_y);
	return order != 0 ? order
			  : strcmp(member_text(x, "id"), member_text(y, "id"));
}

/* Here, since the server lists a submitter's by ID alone. */
static json_t *
sort_by_next(json_t *list, struct err *err)
{
	const size_t n = json_array_size(list);
	json_t **items = calloc(n + 1, sizeof(json_t *));
	json_t *sorted = json_array();
	size_t i;

	if (items == NULL || sorted == NULL) {
		free(items);
		json_decref(sorted);
		json_decref(list);
		err_nomem(err);
		return NULL;
	}
	for (i = 0; i < n; i++)
		items[i] = json_array_get(list, i);
	qsort(items, n, sizeof(json_t *), compare_next);
	for (i = 0; i < n; i++)
		json_array_append(sorted, items[i]);
	free(items);
	json_decref(list);
	return sorted;
}

json_t *
gateway_schedules(struct gateway *g, const struct schedule_query *query,
		  struct err *err)
{
	json_t *all = json_array(), *page, *next = NULL;

	do {
		page = schedules_step(g, query, json_string_value(next), err);
		json_decref(next);
		if (page == NULL) {
			json_decref(all);
			return NULL;
		}
		json_array_extend(all, json_object_get(page, "items"));
		next = json_incref(json_object_get(page, "next"));
		json_decref(page);
	} while (json_is_string(next));
	json_decref(next);
	return query->by_next ? sort_by_next(all, err) : all;
}

/* `more`: what the server has below a schedule. */
static json_t *
schedule_get(struct gateway *g, const char *id, const char *more,
	     struct err *err)
{
	struct buf path = BUF_INIT;
	json_t *json = NULL;

	if (gateway_path(&path, ROOT, id, more, err) == 0)
		json = gateway_get(g, path.data, err);
	buf_done(&path);
	return json;
}

json_t *
gateway_schedule(struct gateway *g, const char *id, struct err *err)
{
	return schedule_get(g, id, "", err);
}

json_t *
gateway_schedule_fires(struct gateway *g,
		       const struct schedule_fires_query *query,
		       struct err *err)
{
	char before[CLOCK_TEXT_SIZE];
	struct buf more = BUF_INIT;
	json_t *page = NULL;

	buf_addf(&more, "/fires?limit=%zu", query->limit);
	if (query->before_us != 0) {
		clock_format(query->before_us, before);
		buf_adds(&more, "&before=");
		gateway_add_part(&more, before);
	}
	if (query->cursor != NULL) {
		buf_adds(&more, "&cursor=");
		gateway_add_part(&more, query->cursor);
	}
	if (more.failed)
		err_nomem(err);
	else
		page = schedule_get(g, query->id, more.data, err);
	buf_done(&more);
	return page;
}

/* --- making ------------------------------------------------------------------ */

/* What is not said is left out. */
static void
put_TEXT(struct buf *out, struct slice key, const char *text, const char *unset)
{
	if (text != unset && text != NULL)
		write_text(out, key, slice_of(text));
}

static void
put_INT(struct buf *out, struct slice key, int value, int unset)
{
	if (value != unset)
		write_whole(out, key, value);
}

static void
put_NUMBER(struct buf *out, struct slice key, double value, double unset)
{
	if (value != unset)
		write_double(out, key, value);
}
#define put_SECONDS put_NUMBER

static void
put_DEADLINE(struct buf *out, struct slice key, int64_t us, int64_t unset)
{
	if (us != unset)
		write_time(out, key, us);
}

/* As it was written, so that no number changes. */
static int
put_json(struct buf *out, struct slice key, const char *name, const char *text,
	 struct err *err)
{
	struct scan_value value;
	struct err why;

	if (text == NULL || text[0] == '\0')
		return 0;
	if (scan_check(slice_of(text), TASK_DEPTH_MAX, &value, &why) != 0)
		return err_set(err, ERR_DATA, "--%s: not JSON: %.300s", name,
			       why.msg);
	write_json(out, key, slice_of(text), SLICE("null"));
	return 0;
}

static int
form_write(const struct schedule_form *form, struct buf *out, struct err *err)
{
	struct schedule_form unset;
	int r = 0;

	schedule_form_init(&unset);
	write_bool(out, WRITE_FIRST("enabled"), form->enabled);
	if (form->force)
		write_bool(out, WRITE_NEXT("force"), true);
#define SCHEDULE_FIELD(field, type, member, ...)                               \
	put_##type(out, WRITE_NEXT(#field), form->member, unset.member);
#define SCHEDULE_SETTING SCHEDULE_FIELD
#define SCHEDULE_WORD(field, member, ...)                                      \
	put_TEXT(out, WRITE_NEXT(#field), form->member, unset.member);
#define SCHEDULE_NOTE SCHEDULE_WORD
#define SCHEDULE_NEW SCHEDULE_FIELD
#define SCHEDULE_JSON_FIELD(field, kind, member, ...)                          \
	if (r == 0)                                                            \
		r = put_json(out, WRITE_NEXT(#field), #field, form->member,    \
			     err);
#include "manager/schedule.def"
	write_end(out);
	return r == 0 && out->failed ? err_nomem(err) : r;
}

json_t *
gateway_schedule_make(struct gateway *g, const struct schedule_form *form,
		      bool *ret_existing, struct err *err)
{
	struct gateway_request r = {
	    .method = "POST", .path = "/api/v1/" ROOT, .type = JSON_TYPE};
	struct buf body = BUF_INIT;
	json_t *json = NULL;

	if (form_write(form, &body, err) == 0) {
		r.body = (struct slice){body.data, body.len};
		json = gateway_json(g, &r, err);
		*ret_existing = gateway_status(g) == 200;
	}
	buf_done(&body);
	return json;
}

/* --- editing ----------------------------------------------------------------- */

/* `was` is the schedule as the server has told it, and what its form borrows from. */
static int
edit_write(const struct buf *was, schedule_apply_fn *apply, void *arg,
	   struct buf *body, struct err *err)
{
	struct buf scratch = BUF_INIT;
	struct schedule_fault fault;
	struct schedule_form form;
	const char *field;
	int r;

	schedule_form_init(&form);
	r = schedule_form_read((struct slice){was->data, was->len}, &form,
			       &scratch, &field, err);
	if (r == 0)
		r = apply(&form, arg, &fault, err);
	if (r == 0)
		r = form_write(&form, body, err);
	buf_done(&scratch);
	return r;
}

static json_t *
edit_put(struct gateway *g, const char *path, const struct buf *was,
	 const struct buf *body, struct err *err)
{
	json_t *schedule = json_loadb(was->data, was->len, 0, NULL);
	const char *updated = member_text(schedule, "updated_at");
	char etag[CLOCK_TEXT_SIZE + 2];
	const struct gateway_request put = {.method = "PUT",
					    .path = path,
					    .type = JSON_TYPE,
					    .body = {body->data, body->len},
					    .match = etag};

	snprintf(etag, sizeof(etag), "\"%s\"", updated != NULL ? updated : "");
	json_decref(schedule);
	return gateway_json(g, &put, err);
}

json_t *
gateway_schedule_edit(struct gateway *g, const char *id,
		      schedule_apply_fn *apply, void *arg, struct err *err)
{
	struct buf path = BUF_INIT, was = BUF_INIT, body = BUF_INIT;
	struct gateway_request get = {.method = "GET"};
	json_t *json = NULL;
	int tries = 0, r = gateway_path(&path, ROOT, id, "", err);

	get.path = path.data;
	while (r == 0) {
		buf_reset(&body);
		if ((r = gateway_ask(g, &get, &was, err)) == 0 &&
		    (r = edit_write(&was, apply, arg, &body, err)) == 0)
			json = edit_put(g, path.data, &was, &body, err);
		if (json != NULL || gateway_status(g) != 412 ||
		    ++tries == EDITS_MAX)
			break;
	}
	buf_done(&body);
	buf_done(&was);
	buf_done(&path);
	return json;
}

/* --- changing ---------------------------------------------------------------- */

json_t *
gateway_schedule_change(struct gateway *g, const char *id, const char *what,
			struct err *err)
{
	const bool deletes = strcmp(what, "delete") == 0;
	struct gateway_request r = {.method = deletes ? "DELETE" : "POST"};
	struct buf path = BUF_INIT, answer = BUF_INIT;
	json_t *json = NULL;
	char more[16] = "";

	if (!deletes) {
		snprintf(more, sizeof(more), "/%s", what);
		r.type = JSON_TYPE;
		r.body = SLICE("{}");
	}
	if (gateway_path(&path, ROOT, id, more, err) == 0) {
		r.path = path.data;
		if (!deletes)
			json = gateway_json(g, &r, err);
		else if (gateway_ask(g, &r, &answer, err) == 0)
			json = json_null();
	}
	buf_done(&answer);
	buf_done(&path);
	return json;
}
