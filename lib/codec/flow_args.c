/* SPDX-License-Identifier: MIT */
/*
 * References in arguments. They are found in the text, in one pass: a tree would not
 * keep its numbers, and would cost more than all else that is done with a task.
 */
#include "codec/flow_args.h"

#include <stdint.h>
#include <string.h>

#include "codec/scan.h"
#include "core/task.h"
#include "util/err.h"

#define FROM "\"$from\""
#define ALL "\"$all\""

/* In the text. */
struct reference {
	bool all;
	struct slice ids;  /* a string with its quotes, or an array of such */
	struct slice path; /* the inside of a string; empty: none */
};

typedef int reference_fn(void *arg, const struct reference *r, struct buf *out,
			 struct err *err);

struct walk {
	const char *p, *end;
	struct buf *out;
	reference_fn *on_reference;
	void *arg;
	bool strict; /* what is like a reference and is none is an error */
	struct err *err;
};

/* --- through the text ------------------------------------------------------ */

static void
skip_blanks(struct walk *w)
{
	while (w->p < w->end && strchr(" \t\r\n", *w->p) != NULL)
		w->p++;
}

static bool
take(struct walk *w, char c)
{
	skip_blanks(w);
	if (w->p == w->end || *w->p != c)
		return false;
	w->p++;
	return true;
}

/* A string with its quotes, which comes next; the text is valid. */
static struct slice
take_string(struct walk *w)
{
	const char *begin = w->p++;

	for (; w->p < w->end && *w->p != '"'; w->p++)
		if (*w->p == '\\')
			w->p++;
	if (w->p < w->end)
		w->p++;
	return (struct slice){begin, (size_t)(w->p - begin)};
}

static bool
take_text(struct walk *w, struct slice *ret)
{
	skip_blanks(w);
	if (w->p == w->end || *w->p != '"')
		return false;
	*ret = take_string(w);
	return true;
}

/* An array of strings. */
static bool
take_texts(struct walk *w, struct slice *ret)
{
	struct slice one;

	skip_blanks(w);
	ret->p = w->p;
	if (!take(w, '['))
		return false;
	if (!take(w, ']')) {
		do
			if (!take_text(w, &one))
				return false;
		while (take(w, ','));
		if (!take(w, ']'))
			return false;
	}
	ret->len = (size_t)(w->p - ret->p);
	return true;
}

/* --- one reference --------------------------------------------------------- */

static bool
is_key(struct slice text)
{
	return slice_eq(text, SLICE(FROM)) || slice_eq(text, SLICE(ALL));
}

/* Behind the bracket of an object. */
static bool
take_reference(struct walk *w, struct reference *r)
{
	struct slice key;

	*r = (struct reference){.all = false};
	if (!take_text(w, &key) || !is_key(key) || !take(w, ':'))
		return false;
	r->all = slice_eq(key, SLICE(ALL));
	if (!(r->all ? take_texts(w, &r->ids) : take_text(w, &r->ids)))
		return false;
	if (take(w, ',')) {
		if (!take_text(w, &key) || !slice_eq(key, SLICE("\"path\"")) ||
		    !take(w, ':') || !take_text(w, &r->path))
			return false;
		r->path.p++;
		r->path.len -= 2;
	}
	return take(w, '}');
}

static int
not_a_reference(struct walk *w, const char *at)
{
	const size_t left = (size_t)(w->end - at);

	return err_set(w->err, ERR_DATA,
		       "not a reference to results: %.*s...; write {\"$from\": "
		       "ID} or {\"$all\": [ID, ...]}, and a \"path\" behind it",
		       (int)(left < 40 ? left : 40), at);
}

/* At a bracket, or at a string, which a colon makes a name. */
static int
walk_step(struct walk *w)
{
	const char *at = w->p, *behind;
	struct reference r;

	if (*w->p == '{') {
		w->p++;
		if (take_reference(w, &r))
			return w->on_reference(w->arg, &r, w->out, w->err);
		behind = at + 1;
		w->p = behind;
	} else {
		const struct slice text = take_string(w);

		behind = w->p;
		if (w->strict && is_key(text) && take(w, ':'))
			return not_a_reference(w, at);
		w->p = behind;
	}
	if (w->out != NULL)
		buf_add(w->out, at, (size_t)(behind - at));
	return 0;
}

static int
walk_all(struct walk *w)
{
	const char *begin;

	while (w->p < w->end) {
		begin = w->p;
		while (w->p < w->end && *w->p != '{' && *w->p != '"')
			w->p++;
		if (w->out != NULL)
			buf_add(w->out, begin, (size_t)(w->p - begin));
		if (w->p < w->end && walk_step(w) != 0)
			return -1;
	}
	return w->out != NULL && w->out->failed ? err_nomem(w->err) : 0;
}

bool
flow_args_any(struct slice json)
{
	return json.len > 0 &&
	       (memmem(json.p, json.len, FROM, sizeof(FROM) - 1) != NULL ||
		memmem(json.p, json.len, ALL, sizeof(ALL) - 1) != NULL);
}

/* --- IDs ------------------------------------------------------------------- */

struct ids {
	flow_args_each_fn *on_id;
	void *arg;
};

static int
on_id_text(void *arg, const struct scan_value *value, struct err *err)
{
	const struct ids *ids = arg;
	struct buf text = BUF_INIT;
	int r;

	scan_unescape(value, &text);
	r = text.failed ? err_nomem(err)
			: ids->on_id(ids->arg,
				     (struct slice){text.data, text.len}, err);
	buf_done(&text);
	return r;
}

static int
each_id(const struct reference *r, flow_args_each_fn *on_id, void *arg,
	struct err *err)
{
	struct ids ids = {on_id, arg};
	struct scan_value value;

	if (r->all)
		return scan_array(r->ids, 2, on_id_text, &ids, err);
	if (scan_check(r->ids, 1, &value, err) != 0)
		return -1;
	return on_id_text(&ids, &value, err);
}

static int
on_each_reference(void *arg, const struct reference *r, struct buf *out,
		  struct err *err)
{
	const struct ids *ids = arg;

	return each_id(r, ids->on_id, ids->arg, err);
}

int
flow_args_each(struct slice json, flow_args_each_fn *on_id, void *arg,
	       struct err *err)
{
	struct ids ids = {on_id, arg};
	struct walk w = {.p = json.p,
			 .end = json.p + json.len,
			 .on_reference = on_each_reference,
			 .arg = &ids,
			 .err = err};

	return walk_all(&w);
}

static int
on_checked(void *arg, struct slice id, struct err *err)
{
	if (task_id_valid(id))
		return 0;
	return err_set(
	    err, ERR_DATA,
	    "a reference to results: \"%.*s\" is not a valid task ID",
	    (int)(id.len < 64 ? id.len : 64), id.len > 0 ? id.p : "");
}

int
flow_args_check(struct slice json, struct err *err)
{
	struct ids ids = {on_checked, NULL};
	struct walk w = {.p = json.p,
			 .end = json.p + json.len,
			 .on_reference = on_each_reference,
			 .arg = &ids,
			 .strict = true,
			 .err = err};

	return flow_args_any(json) ? walk_all(&w) : 0;
}

/* --- mapping --------------------------------------------------------------- */

struct mapping {
	flow_args_id_fn *on_id;
	void *arg;
	struct buf *out;
	size_t n; /* of this reference */
};

static int
on_mapped(void *arg, struct slice id, struct err *err)
{
	struct mapping *m = arg;
	int r;

	buf_adds(m->out, m->n > 0 ? ",\"" : "\"");
	r = m->on_id(m->arg, id, m->out, err);
	buf_addc(m->out, '"');
	if (r == 0 && ++m->n > FLOW_ARGS_IDS_MAX)
		r = err_set(err, ERR_DATA, "$all has more than %d IDs",
			    FLOW_ARGS_IDS_MAX);
	return r;
}

static int
map_reference(void *arg, const struct reference *r, struct buf *out,
	      struct err *err)
{
	struct mapping *m = arg;

	m->n = 0;
	buf_adds(out, r->all ? "{" ALL ":[" : "{" FROM ":");
	if (each_id(r, on_mapped, m, err) != 0)
		return -1;
	buf_adds(out, r->all ? "]" : "");
	if (r->path.p != NULL) {
		buf_adds(out, ",\"path\":\"");
		buf_add(out, r->path.p, r->path.len);
		buf_addc(out, '"');
	}
	buf_addc(out, '}');
	return 0;
}

int
flow_args_map(struct slice json, flow_args_id_fn *on_id, void *arg,
	      struct buf *out, struct err *err)
{
	struct mapping m = {.on_id = on_id, .arg = arg, .out = out};
	struct walk w = {.p = json.p,
			 .end = json.p + json.len,
			 .out = out,
			 .on_reference = map_reference,
			 .arg = &m,
			 .strict = true,
			 .err = err};

	return walk_all(&w);
}

/* --- results --------------------------------------------------------------- */

/* The part of a value that a segment of a path names. */
struct segment {
	struct slice name;
	size_t index, at; /* SIZE_MAX: not a number */
	struct slice found;
};

/* With the quotes of a string, which are around its text. */
static struct slice
whole_value(const struct scan_value *value)
{
	return value->type == SCAN_STRING
		   ? (struct slice){value->text.p - 1, value->text.len + 2}
		   : value->text;
}

static int
on_segment_member(void *arg, const struct scan_value *key,
		  const struct scan_value *value, struct err *err)
{
	struct segment *s = arg;

	if (slice_eq(key->text, s->name))
		s->found = whole_value(value);
	return 0;
}

static int
on_segment_element(void *arg, const struct scan_value *value, struct err *err)
{
	struct segment *s = arg;

	if (s->at++ == s->index)
		s->found = whole_value(value);
	return 0;
}

static size_t
segment_index(struct slice name)
{
	size_t i, n = 0;

	for (i = 0; i < name.len; i++) {
		if (name.p[i] < '0' || name.p[i] > '9' || i > 8)
			return SIZE_MAX;
		n = 10 * n + (size_t)(name.p[i] - '0');
	}
	return name.len > 0 ? n : SIZE_MAX;
}

/* Empty: it leads nowhere. */
static struct slice
follow(struct slice json, struct slice path)
{
	const char *p = path.p, *end = path.p + path.len, *dot;
	struct segment s;
	struct scan_value value;

	while (p != NULL && p < end && json.len > 0) {
		dot = memchr(p, '.', (size_t)(end - p));
		s = (struct segment){
		    .name = {p, (size_t)((dot != NULL ? dot : end) - p)}};
		s.index = segment_index(s.name);
		if (scan_check(json, TASK_DEPTH_MAX, &value, NULL) != 0)
			return (struct slice){NULL, 0};
		if (value.type == SCAN_OBJECT)
			scan_object(json, TASK_DEPTH_MAX, on_segment_member, &s,
				    NULL);
		else if (value.type == SCAN_ARRAY)
			scan_array(json, TASK_DEPTH_MAX, on_segment_element, &s,
				   NULL);
		json = s.found;
		p = dot != NULL ? dot + 1 : end;
	}
	return json;
}

struct filling {
	flow_args_result_fn *result;
	void *arg;
	struct buf *out;
	struct slice path;
	size_t n;
};

static int
on_filled(void *arg, struct slice id, struct err *err)
{
	struct filling *f = arg;
	const struct slice value = follow(f->result(f->arg, id), f->path);

	if (f->n++ > 0)
		buf_addc(f->out, ',');
	if (value.len > 0)
		buf_add(f->out, value.p, value.len);
	else
		buf_adds(f->out, "null");
	return 0;
}

static int
fill_reference(void *arg, const struct reference *r, struct buf *out,
	       struct err *err)
{
	struct filling *f = arg;

	f->n = 0;
	f->path = r->path;
	if (r->all)
		buf_addc(out, '[');
	if (each_id(r, on_filled, f, err) != 0)
		return -1;
	if (r->all)
		buf_addc(out, ']');
	return 0;
}

int
flow_args_fill(struct slice json, flow_args_result_fn *result, void *arg,
	       struct buf *out, struct err *err)
{
	struct filling f = {.result = result, .arg = arg, .out = out};
	struct walk w = {.p = json.p,
			 .end = json.p + json.len,
			 .out = out,
			 .on_reference = fill_reference,
			 .arg = &f,
			 .err = err};

	return walk_all(&w);
}
