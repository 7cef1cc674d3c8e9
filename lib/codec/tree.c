/* SPDX-License-Identifier: MIT */
/*
 * A tree of a JSON text, from the scanner's calls.
 *
 * The scanner calls for each part when it has read all of it, so what is inside
 * comes first: the parts of an array are called one level further down than the
 * array itself. Each open level has its array or object, made with its first
 * part; when the level above is told of that value, it takes it over.
 */
#include "codec/tree.h"

#include <string.h>

#include "codec/scan_int.h"
#include "util/err.h"

struct tree {
	struct scan s;
	struct buf scratch; /* a string without its escapes */
	unsigned int n;	    /* levels that have been open so far */
	json_t *levels[TREE_DEPTH_MAX];
};

/* The characters of a string, which stay until the next is asked for. */
static struct slice
tree_characters(struct tree *t, const struct scan_value *string)
{
	if (!string->escaped)
		return string->text;
	buf_reset(&t->scratch);
	scan_unescape(string, &t->scratch);
	return (struct slice){t->scratch.data, t->scratch.len};
}

static json_t *
tree_string(struct tree *t, const struct scan_value *value)
{
	struct slice text = tree_characters(t, value);

	/* A control character stands in a text only as an escape. */
	if (value->escaped && !t->scratch.failed &&
	    memchr(text.p, '\0', text.len) != NULL) {
		err_set(t->s.err, ERR_DATA, "a string holds \\u0000");
		return NULL;
	}
	return t->scratch.failed ? NULL
				 : json_stringn_nocheck(text.p, text.len);
}

static bool
is_whole(struct slice number)
{
	size_t i;

	for (i = 0; i < number.len; i++)
		if (number.p[i] == '.' || number.p[i] == 'e' ||
		    number.p[i] == 'E')
			return false;
	return true;
}

static json_t *
tree_number(struct tree *t, const struct scan_value *value)
{
	int64_t whole;
	double real;

	if (is_whole(value->text))
		return scan_int64(value, &whole, t->s.err) == 0
			   ? json_integer(whole)
			   : NULL;
	return scan_double(value, &real, t->s.err) == 0 ? json_real(real)
							: NULL;
}

/* What was made for the parts of an array or object that has just been read;
 * an empty one had none. */
static json_t *
tree_nested(struct tree *t, const struct scan_value *value)
{
	const unsigned int at = t->s.depth;
	json_t *made = at < t->n ? t->levels[at] : NULL;

	if (made != NULL)
		t->levels[at] = NULL;
	else
		made = value->type == SCAN_ARRAY ? json_array() : json_object();
	return made;
}

/* NULL without a message means that memory ran out. */
static json_t *
tree_value(struct tree *t, const struct scan_value *value)
{
	switch (value->type) {
	case SCAN_NULL:
		return json_null();
	case SCAN_FALSE:
		return json_false();
	case SCAN_TRUE:
		return json_true();
	case SCAN_NUMBER:
		return tree_number(t, value);
	case SCAN_STRING:
		return tree_string(t, value);
	case SCAN_ARRAY:
	case SCAN_OBJECT:
		break;
	}
	return tree_nested(t, value);
}

/* The array or object that is open. */
static json_t *
tree_open(struct tree *t, bool array)
{
	json_t **level = &t->levels[t->s.depth - 1];

	while (t->n < t->s.depth)
		t->levels[t->n++] = NULL;
	if (*level == NULL)
		*level = array ? json_array() : json_object();
	return *level;
}

static int
on_tree_element(void *arg, const struct scan_value *value, struct err *err)
{
	struct tree *t = arg;
	json_t *made = tree_value(t, value);

	if (made == NULL)
		return -1;
	/* Takes the value over even if it fails. */
	if (json_array_append_new(tree_open(t, true), made) != 0)
		return err_nomem(err);
	return 0;
}

static int
on_tree_member(void *arg, const struct scan_value *key,
	       const struct scan_value *value, struct err *err)
{
	struct tree *t = arg;
	json_t *made = tree_value(t, value);
	struct slice name;

	if (made == NULL)
		return -1;
	name = tree_characters(t, key);
	if (t->scratch.failed) {
		json_decref(made);
		return err_nomem(err);
	}
	if (json_object_setn_new_nocheck(tree_open(t, false), name.p, name.len,
					 made) != 0)
		return err_nomem(err);
	return 0;
}

json_t *
tree_read(struct slice text, struct err *err)
{
	struct tree t;
	const struct visitor parts = {.on_member = on_tree_member,
				      .on_element = on_tree_element,
				      .arg = &t};
	struct err why = ERR_INIT;
	struct scan_value value;
	json_t *made = NULL;

	/* Not all of it: the levels are many, and nearly all stay unused. */
	t.scratch = (struct buf)BUF_INIT;
	t.n = 0;
	if (scan_all(&t.s, text, TREE_DEPTH_MAX, &parts, &value, &why) == 0)
		made = tree_value(&t, &value);
	while (t.n > 0)
		json_decref(t.levels[--t.n]);
	buf_done(&t.scratch);
	if (made == NULL && why.code == ERR_NONE)
		err_nomem(&why);
	if (made == NULL && err != NULL)
		*err = why;
	return made;
}
