/* SPDX-License-Identifier: MIT */
/*
 * Reads the members of a JSON object into a struct, as a table says.
 *
 * Every task that a worker claims and every record that a client reads comes
 * through here, so the way of the usual member is short: no copy, no
 * allocation, one comparison to find its entry.
 */
#include "codec/fields.h"

#include <string.h>

#include "codec/value.h"
#include "util/clock.h"
#include "util/err.h"

#define US_PER_S 1000000.0
/* Bytes of a bad value that a message shows. */
#define SHOWN_MAX 40

/* `seen` limits the table to 32 entries (FIELDS_MAX). */
struct reader {
	const struct fields_in *in;
	void *base;
	size_t text_len;
	size_t next;   /* entry to try first */
	uint32_t seen; /* a bit for each entry */
};

typedef int read_fn(struct reader *r, const struct field *field,
		    const struct scan_value *value, struct err *err);

/* %.15g prints limits such as 1e9 and 0.1 as they are written in the table. */
static int
wrong_range(const struct field *field, const struct scan_value *value,
	    const char *wanted, struct err *err)
{
	return err_set(
	    err, ERR_DATA, "field \"%s\": %.*s, must be %s from %.15g to %.15g",
	    field->name.p,
	    (int)(value->text.len < SHOWN_MAX ? value->text.len : SHOWN_MAX),
	    value->text.p, wanted, field->min, field->max);
}

static void *
target(const struct reader *r, const struct field *field)
{
	return (char *)r->base + field->offset;
}

/* For values that are handed on as they came: the scanner has checked them. */
static int
store_slice(struct reader *r, const struct field *field,
	    const struct scan_value *value, struct err *err)
{
	*(struct slice *)target(r, field) = value->text;
	return 0;
}

static int
store_any(struct reader *r, const struct field *field,
	  const struct scan_value *value, struct err *err)
{
	struct slice *to = target(r, field);

	*to = value->text;
	/* With its quotes a string is JSON again. */
	if (value->type == SCAN_STRING)
		*to = (struct slice){to->p - 1, to->len + 2};
	return 0;
}

static int
store_text(struct reader *r, const struct field *field,
	   const struct scan_value *value, struct err *err)
{
	struct buf *scratch = r->in->scratch;
	size_t begin = scratch->len;

	if (!value->escaped)
		return store_slice(r, field, value, err);
	/* Room for all the strings at once: what slices point to must not
	 * move. */
	if (begin == 0 && buf_reserve(scratch, r->text_len) != 0)
		return err_nomem(err);
	scan_unescape(value, scratch);
	*(struct slice *)target(r, field) =
	    (struct slice){scratch->data + begin, scratch->len - begin};
	return 0;
}

/* The table of types admits only SCAN_TRUE and SCAN_FALSE. */
static int
store_bool(struct reader *r, const struct field *field,
	   const struct scan_value *value, struct err *err)
{
	*(bool *)target(r, field) = value->type == SCAN_TRUE;
	return 0;
}

/*
 * Limits are doubles, which are exact up to 2^53; all of ours are below. The
 * scanner's own message is dropped, since the field's name and range say more.
 */
static int
store_whole(struct reader *r, const struct field *field,
	    const struct scan_value *value, struct err *err)
{
	int64_t whole;

	if (scan_int64(value, &whole, NULL) != 0 ||
	    (double)whole < field->min || (double)whole > field->max)
		return wrong_range(field, value, "a whole number", err);
	*(int64_t *)target(r, field) = whole;
	return 0;
}

/* scan_double() returns only finite numbers, so the comparisons do decide. */
static int
store_number(struct reader *r, const struct field *field,
	     const struct scan_value *value, struct err *err)
{
	double number;

	if (scan_double(value, &number, NULL) != 0 || number < field->min ||
	    number > field->max)
		return wrong_range(field, value, "a number", err);
	*(double *)target(r, field) = number;
	return 0;
}

/* Rounded to the nearest microsecond: 0.1 has no exact double. The sum is for
 * numbers that are not negative, which all durations are. */
static int
store_field_seconds(struct reader *r, const struct field *field,
		    const struct scan_value *value, struct err *err)
{
	double seconds;

	if (scan_double(value, &seconds, NULL) != 0 || seconds < field->min ||
	    seconds > field->max)
		return wrong_range(field, value, "a number of seconds", err);
	*(int64_t *)target(r, field) = (int64_t)(seconds * US_PER_S + 0.5);
	return 0;
}

static int
store_time(struct reader *r, const struct field *field,
	   const struct scan_value *value, struct err *err)
{
	char text[2 * CLOCK_TEXT_SIZE];
	size_t len = value->text.len;

	/* No time needs an escape; clock_parse() finds the backslash. What is
	 * cut off here is too long to be a time in any case. */
	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, value->text.p, len);
	text[len] = '\0';
	if (clock_parse_as(r->in->times, text, target(r, field), err) != 0)
		return err_prefix(err, "field \"%s\"", field->name.p);
	return 0;
}

#define BIT(name) (1u << SCAN_##name)

/* For each type of field, which JSON it takes and how it is stored. */
static const struct {
	unsigned int accepts; /* BIT()s */
	const char *wanted;
	read_fn *store;
} types[] = {
    [FIELD_TEXT] = {BIT(STRING), "a string", store_text},
    [FIELD_ARRAY] = {BIT(ARRAY), "an array", store_slice},
    [FIELD_OBJECT] = {BIT(OBJECT), "an object", store_slice},
    [FIELD_ANY] = {~0u, "anything", store_any},
    [FIELD_BOOL] = {BIT(TRUE) | BIT(FALSE), "true or false", store_bool},
    [FIELD_WHOLE] = {BIT(NUMBER), "a whole number", store_whole},
    [FIELD_NUMBER] = {BIT(NUMBER), "a number", store_number},
    [FIELD_SECONDS] = {BIT(NUMBER), "a number of seconds", store_field_seconds},
    [FIELD_TIME] = {BIT(STRING), "a time, as a string", store_time},
};

/*
 * Finds the entry of a name, or returns in->n. Members come in one order most
 * of the time, so the search goes on where the one before ended.
 */
static size_t
find_field(const struct reader *r, struct slice name)
{
	const struct fields_in *in = r->in;
	size_t at = r->next;
	size_t tried;

	for (tried = 0; tried < in->n; tried++, at++) {
		if (at >= in->n)
			at = 0;
		if (in->table[at].name.len == name.len &&
		    memcmp(in->table[at].name.p, name.p, name.len) == 0)
			return at;
	}
	return in->n;
}

/* A name with an escape ("na\u006de") is the same name to every JSON parser;
 * treated as unknown, a field could be set twice with different values. */
static int
find_unescaped(const struct reader *r, const struct scan_value *key,
	       size_t *ret, struct err *err)
{
	struct buf name = BUF_INIT;

	scan_unescape(key, &name);
	if (name.failed)
		return err_nomem(err);
	*ret = find_field(r, (struct slice){name.data, name.len});
	buf_done(&name);
	return 0;
}

/*
 * Unknown members are skipped: a later version may send more. One that comes
 * twice is an error, because parsers differ in which of the two they take, and
 * a worker must not read another task than its producer checked.
 */
static int
on_field_member(void *arg, const struct scan_value *key,
		const struct scan_value *value, struct err *err)
{
	struct reader *r = arg;
	const struct field *field;
	size_t at = 0;

	if (!key->escaped)
		at = find_field(r, key->text);
	else if (find_unescaped(r, key, &at, err) != 0)
		return -1;
	if (at == r->in->n)
		return 0;
	field = &r->in->table[at];
	if ((r->seen & (UINT32_C(1) << at)) != 0)
		return err_set(err, ERR_DATA, "field \"%s\" occurs twice",
			       field->name.p);
	r->seen |= UINT32_C(1) << at;
	r->next = at + 1;
	if (value->type == SCAN_NULL && !field->required)
		return 0;
	if ((types[field->type].accepts & (1u << value->type)) == 0)
		return err_set(err, ERR_DATA, "field \"%s\": %s, must be %s",
			       field->name.p, scan_type_text(value->type),
			       types[field->type].wanted);
	if (field->exact && value_check(value, err) != 0)
		return err_prefix(err, "field \"%s\"", field->name.p);
	return types[field->type].store(r, field, value, err);
}

/* What is missing is found only at the end, when all members have been seen. */
int
fields_read(const struct fields_in *in, struct slice text, void *base,
	    struct err *err)
{
	struct reader r = {.in = in, .base = base, .text_len = text.len};
	size_t i;

	buf_reset(in->scratch);
	if (scan_object(text, in->max_depth, on_field_member, &r, err) != 0)
		return -1;
	for (i = 0; i < in->n; i++)
		if (in->table[i].required && (r.seen & (UINT32_C(1) << i)) == 0)
			return err_set(err, ERR_DATA, "field \"%s\" is missing",
				       in->table[i].name.p);
	return 0;
}
