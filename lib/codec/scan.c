/* SPDX-License-Identifier: MIT */
/*
 * Values, arrays and objects of a JSON text: a recursive descent without a
 * tree.
 *
 * The functions take a position and return the one behind what they read, or
 * NULL with s->err set. All of them stay below s->end; the text need not end in
 * a NUL. The errors name what is wrong in the words of a person who wrote the
 * text by hand, since producers in scripts do.
 */
#include "codec/scan.h"

#include <string.h>

#include "codec/scan_int.h"
#include "util/err.h"

/*
 * Below what jansson allows (2048, a number or string inside counting as one
 * more), and little enough for the stack of any thread.
 */
#define DEPTH_LIMIT 2000

/* Bytes, not lines: a task is one line. */
const unsigned char *
scan_fail(const struct scan *s, const unsigned char *p, const char *what)
{
	err_set(s->err, ERR_DATA, "not JSON: %s (byte %zu)", what,
		(size_t)(p - s->start));
	return NULL;
}

static const unsigned char *
skip_space(const struct scan *s, const unsigned char *p)
{
	while (p < s->end &&
	       (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	return p;
}

static bool
begins_with(const struct scan *s, const unsigned char *p, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(s->end - p) >= len && memcmp(p, word, len) == 0;
}

/* What Python's json module writes and JSON does not have is named: it is a
 * frequent cause of such an error. */
static const unsigned char *
no_value(const struct scan *s, const unsigned char *p)
{
	if (p == s->end)
		return scan_fail(s, p,
				 "the text ends where a value is expected");
	if (begins_with(s, p, "NaN"))
		return scan_fail(s, p, "NaN is not JSON");
	if (begins_with(s, p, "Infinity"))
		return scan_fail(s, p, "Infinity is not JSON");
	if (p == s->start && begins_with(s, p, "\xEF\xBB\xBF"))
		return scan_fail(s, p, "a byte order mark is not allowed");
	return scan_fail(s, p, "a value is expected here");
}

static const unsigned char *
read_word(const struct scan *s, const unsigned char *p, const char *word)
{
	if (!begins_with(s, p, word))
		return no_value(s, p);
	return p + strlen(word);
}

/* The parts of a value inside another one are nobody's: they are checked, and
 * handed on as text. */
static const struct visitor nobody;

/* Reads a part; for a visitor, it is noted what in this part is not exact. */
static const unsigned char *
scan_part(struct scan *s, const unsigned char *p, struct scan_value *ret,
	  bool visited)
{
	if (visited)
		s->inexact = NULL;
	p = scan_value(s, p, ret);
	ret->inexact = s->inexact;
	return p;
}

/* Reads the elements of an array, and calls on_element unless it is NULL. */
static const unsigned char *
read_array(struct scan *s, const unsigned char *p, const struct visitor *v)
{
	struct scan_value value;

	p = skip_space(s, p + 1);
	if (p < s->end && *p == ']')
		return p + 1;
	for (;;) {
		if ((p = scan_part(s, p, &value, v->on_element != NULL)) ==
			NULL ||
		    (v->on_element != NULL &&
		     v->on_element(v->arg, &value, s->err) != 0))
			return NULL;
		p = skip_space(s, p);
		if (p == s->end)
			return scan_fail(s, p, "the text ends inside an array");
		if (*p == ']')
			return p + 1;
		if (*p != ',')
			return scan_fail(s, p,
					 "\",\" or \"]\" is expected here");
		p = skip_space(s, p + 1);
	}
}

/* Also refuses a comma before the closing brace, which JSON does not allow. */
static const unsigned char *
read_key(struct scan *s, const unsigned char *p, struct scan_value *ret)
{
	if (p == s->end)
		return scan_fail(s, p, "the text ends inside an object");
	if (*p != '"')
		return scan_fail(s, p, "a quoted member name is expected here");
	if ((p = scan_string(s, p + 1, true, ret)) == NULL)
		return NULL;
	p = skip_space(s, p);
	if (p == s->end || *p != ':')
		return scan_fail(s, p, "\":\" is expected here");
	return skip_space(s, p + 1);
}

/* Reads the members of an object, and calls on_member unless it is NULL. */
static const unsigned char *
read_object(struct scan *s, const unsigned char *p, const struct visitor *v)
{
	struct scan_value key, value;

	p = skip_space(s, p + 1);
	if (p < s->end && *p == '}')
		return p + 1;
	for (;;) {
		if ((p = read_key(s, p, &key)) == NULL ||
		    (p = scan_part(s, p, &value, v->on_member != NULL)) == NULL)
			return NULL;
		if (v->on_member != NULL &&
		    v->on_member(v->arg, &key, &value, s->err) != 0)
			return NULL;
		p = skip_space(s, p);
		if (p == s->end)
			return scan_fail(s, p,
					 "the text ends inside an object");
		if (*p == '}')
			return p + 1;
		if (*p != ',')
			return scan_fail(s, p,
					 "\",\" or \"}\" is expected here");
		p = skip_space(s, p + 1);
	}
}

/* Reads an array or an object one level further down. */
static const unsigned char *
read_nested(struct scan *s, const unsigned char *p, const struct visitor *v)
{
	if (s->depth == s->max_depth) {
		err_set(s->err, ERR_DATA,
			"too deep: more than %u arrays and objects inside one "
			"another (byte %zu)",
			s->max_depth, (size_t)(p - s->start));
		return NULL;
	}
	s->depth++;
	p = *p == '[' ? read_array(s, p, v) : read_object(s, p, v);
	s->depth--;
	return p;
}

const unsigned char *
scan_value(struct scan *s, const unsigned char *p, struct scan_value *ret)
{
	const unsigned char *begin = p;

	if (p == s->end)
		return no_value(s, p);
	switch (*p) {
	case '"':
		ret->type = SCAN_STRING;
		return scan_string(s, p + 1, false, ret);
	case '[':
	case '{':
		ret->type = *p == '[' ? SCAN_ARRAY : SCAN_OBJECT;
		p = read_nested(s, p, s->inside);
		break;
	case 'n':
		ret->type = SCAN_NULL;
		p = read_word(s, p, "null");
		break;
	case 'f':
		ret->type = SCAN_FALSE;
		p = read_word(s, p, "false");
		break;
	case 't':
		ret->type = SCAN_TRUE;
		p = read_word(s, p, "true");
		break;
	default:
		if (*p != '-' && (*p < '0' || *p > '9'))
			return no_value(s, p);
		ret->type = SCAN_NUMBER;
		p = scan_number(s, p);
		break;
	}
	if (p == NULL)
		return NULL;
	ret->text = (struct slice){(const char *)begin, (size_t)(p - begin)};
	ret->escaped = false;
	return p;
}

static void
scan_init(struct scan *s, struct slice text, unsigned int max_depth,
	  struct err *err)
{
	/* Never NULL: pointers are compared and subtracted. */
	const char *p = text.p != NULL ? text.p : "";

	*s = (struct scan){
	    .start = (const unsigned char *)p,
	    .end = (const unsigned char *)p + text.len,
	    .max_depth = max_depth < DEPTH_LIMIT ? max_depth : DEPTH_LIMIT,
	    .err = err,
	    .inside = &nobody,
	};
}

/* Checks that nothing follows the value that ended at p. */
static int
scan_finish(const struct scan *s, const unsigned char *p)
{
	if (p == NULL)
		return -1;
	p = skip_space(s, p);
	if (p == s->end)
		return 0;
	scan_fail(s, p, "something follows the end of the value");
	return -1;
}

/* The whole text must be one value that begins with `opening`. Another value is
 * read all the same, so that text that is not JSON at all is called that. */
static int
scan_nested(struct scan *s, unsigned char opening, const struct visitor *v)
{
	const unsigned char *p = skip_space(s, s->start);
	struct scan_value other;

	if (p < s->end && *p == opening)
		return scan_finish(s, read_nested(s, p, v));
	if (scan_finish(s, scan_value(s, p, &other)) != 0)
		return -1;
	return err_set(
	    s->err, ERR_DATA, "the text is %s, must be %s",
	    scan_type_text(other.type),
	    scan_type_text(opening == '{' ? SCAN_OBJECT : SCAN_ARRAY));
}

int
scan_object(struct slice text, unsigned int max_depth,
	    scan_member_fn *on_member, void *arg, struct err *err)
{
	const struct visitor v = {.on_member = on_member, .arg = arg};
	struct scan s;

	scan_init(&s, text, max_depth, err);
	return scan_nested(&s, '{', &v);
}

int
scan_array(struct slice text, unsigned int max_depth,
	   scan_element_fn *on_element, void *arg, struct err *err)
{
	const struct visitor v = {.on_element = on_element, .arg = arg};
	struct scan s;

	scan_init(&s, text, max_depth, err);
	return scan_nested(&s, '[', &v);
}

int
scan_all(struct scan *s, struct slice text, unsigned int max_depth,
	 const struct visitor *parts, struct scan_value *ret, struct err *err)
{
	struct scan_value value;

	scan_init(s, text, max_depth, err);
	s->inside = parts;
	if (scan_finish(s, scan_value(s, skip_space(s, s->start), &value)) != 0)
		return -1;
	value.inexact = s->inexact;
	*ret = value;
	return 0;
}

int
scan_check(struct slice text, unsigned int max_depth, struct scan_value *ret,
	   struct err *err)
{
	struct scan s;

	return scan_all(&s, text, max_depth, &nobody, ret, err);
}

const char *
scan_type_text(enum scan_type type)
{
	static const char *const texts[] = {
	    [SCAN_NULL] = "null",	 [SCAN_FALSE] = "false",
	    [SCAN_TRUE] = "true",	 [SCAN_NUMBER] = "a number",
	    [SCAN_STRING] = "a string",	 [SCAN_ARRAY] = "an array",
	    [SCAN_OBJECT] = "an object",
	};

	return texts[type];
}
