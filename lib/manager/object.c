/* SPDX-License-Identifier: MIT */
/*
 * JSON objects by a table. Strings are copied into one buffer, which is
 * reserved at the beginning and does not move.
 */
#include "manager/object.h"

#include <string.h>

#include "codec/scan.h"
#include "core/task.h"
#include "util/closest.h"
#include "util/err.h"

/* One reading. */
struct object_reader {
	const struct object_spec *spec;
	struct buf *scratch; /* has room for all that is put into it */
	char *base;
	const char *name; /* of the member in hand, or that failed */
	/* A bit for each member. JSON that names one twice is refused: readers
	 * differ in which of the two they take. */
	uint64_t seen;
};

#define BIT(name) (1u << SCAN_##name)

/* What JSON has for each type of value. Durations and times come as numbers or
 * in an operator's words; a flag never as 0 or 1. */
static const struct {
	unsigned int accepts;
	const char *wanted;
} json_types[] = {
    [VALUE_FLAG] = {BIT(TRUE) | BIT(FALSE), "true or false"},
    [VALUE_SWITCH] = {BIT(TRUE) | BIT(FALSE), "true or false"},
    [VALUE_TEXT] = {BIT(STRING), "a string"},
    [VALUE_INT] = {BIT(NUMBER), "a whole number"},
    [VALUE_NUMBER] = {BIT(NUMBER), "a number"},
    [VALUE_SECONDS] = {BIT(NUMBER) | BIT(STRING),
		       "a number of seconds or a duration (\"1h30m\")"},
    [VALUE_TIME] = {BIT(STRING), "a time (\"2026-11-23T11:53:08+00:00\")"},
    [VALUE_DEADLINE] = {BIT(STRING),
			"a time, or a duration from now (\"1h30m\")"},
};

/* A copy that ends in a NUL and does not move. */
static const char *
keep_value(struct object_reader *r, const struct scan_value *value)
{
	size_t begin = r->scratch->len;

	if (value->type == SCAN_STRING && value->escaped)
		scan_unescape(value, r->scratch);
	else
		buf_add(r->scratch, value->text.p, value->text.len);
	buf_addc(r->scratch, '\0');
	return r->scratch->data + begin;
}

/* Arguments are not looked into: they are the task's, and are checked when it
 * is encoded. */
static int
store_json(struct object_reader *r, const struct object_member *member,
	   const struct scan_value *value, struct err *err)
{
	enum scan_type wanted =
	    member->kind == OBJECT_ARRAY ? SCAN_ARRAY : SCAN_OBJECT;

	if (value->type != wanted)
		return err_set(err, ERR_DATA, "\"%s\" must be %s", member->name,
			       wanted == SCAN_ARRAY ? "an array" : "an object");
	*(const char **)(void *)(r->base + member->value.offset) =
	    keep_value(r, value);
	return 0;
}

/* Python writes 1e-05, which is not a duration that a person would write. */
static int
store_seconds(struct object_reader *r, const struct object_member *member,
	      const struct scan_value *value, struct err *err)
{
	const struct value_spec *spec = &member->value;
	double seconds;

	if (scan_double(value, &seconds, err) != 0)
		return err_prefix(err, "\"%s\"", member->name);
	if (!(seconds >= spec->min && seconds <= spec->max))
		return err_set(err, ERR_DATA,
			       "\"%s\": %g: out of range (%g to %g seconds)",
			       member->name, seconds, spec->min, spec->max);
	*(double *)(void *)(r->base + spec->offset) = seconds;
	return 0;
}

/* By way of its text, since value_set() reads those: so the ranges and messages
 * are the same as for options. All numbers of JSON are read by it as well, but
 * for seconds. */
static int
store_value(struct object_reader *r, const struct object_member *member,
	    const struct scan_value *value, struct err *err)
{
	const enum value_type type = member->value.type;
	const char *text;

	if ((json_types[type].accepts & (1u << value->type)) == 0)
		return err_set(err, ERR_DATA, "\"%s\" must be %s", member->name,
			       json_types[type].wanted);
	if (type == VALUE_SECONDS && value->type == SCAN_NUMBER)
		return store_seconds(r, member, value, err);
	text = keep_value(r, value);
	/* An escaped U+0000 would end the C string early, and hide the rest. */
	if (strlen(text) + 1 <
	    r->scratch->len - (size_t)(text - r->scratch->data))
		return err_set(err, ERR_DATA, "\"%s\" contains a NUL byte",
			       member->name);
	if (value_set(&member->value, text, r->base, err) != 0)
		return err_prefix(err, "\"%s\"", member->name);
	return 0;
}

/* Which name may have been meant; if none is close, all that there are. */
static int
suggest_member(const struct object_spec *spec, const char *name,
	       struct err *err)
{
	struct closest close = CLOSEST_INIT(name);
	char near[CLOSEST_TEXT_SIZE];
	struct buf all = BUF_INIT;
	size_t i;

	for (i = 0; i < spec->n; i++) {
		closest_offer(&close, spec->members[i].name);
		buf_adds(&all, i > 0 ? ", " : "");
		buf_adds(&all, spec->members[i].name);
	}
	buf_addc(&all, '\0');
	if (closest_write(&close, near) > 0)
		err_hint(err, "did you mean %s?", near);
	else if (!all.failed)
		err_hint(err, "the names are: %s", all.data);
	buf_done(&all);
	return -1;
}

/* What an answer has can be sent again as it is: what nobody may set is passed
 * over. Anything else is most likely a spelling mistake. */
static int
unknown_member(struct object_reader *r, struct slice name, struct err *err)
{
	const size_t begin = r->scratch->len;
	const char *const *skipped;

	for (skipped = r->spec->skipped; *skipped != NULL; skipped++)
		if (slice_eq(name, slice_of(*skipped)))
			return 0;
	/* There is room for it, as for any text of the object. */
	buf_add(r->scratch, name.p, name.len);
	buf_addc(r->scratch, '\0');
	if (r->scratch->failed)
		return err_nomem(err);
	r->name = r->scratch->data + begin;
	err_set(err, ERR_DATA, "unknown %s \"%.64s\"", r->spec->what, r->name);
	return suggest_member(r->spec, r->name, err);
}

/* A null is "not given", as many libraries write it. */
static int
on_object_member(void *arg, const struct scan_value *key,
		 const struct scan_value *value, struct err *err)
{
	struct object_reader *r = arg;
	const struct object_member *member;
	size_t i;

	/* A linear search: about 20 names, compared by length first. */
	for (i = 0; i < r->spec->n; i++)
		if (slice_eq(key->text, slice_of(r->spec->members[i].name)))
			break;
	if (i == r->spec->n)
		return unknown_member(r, key->text, err);
	member = &r->spec->members[i];
	r->name = member->name;
	if ((r->seen & (UINT64_C(1) << i)) != 0)
		return err_set(err, ERR_DATA, "\"%s\" is given twice",
			       member->name);
	r->seen |= UINT64_C(1) << i;
	if (value->type != SCAN_NULL &&
	    (member->kind != OBJECT_VALUE
		 ? store_json(r, member, value, err)
		 : store_value(r, member, value, err)) != 0)
		return -1;
	r->name = NULL;
	return 0;
}

/* Into a copy where half a form would matter: callers hand in one
 * (manager/schedule.h). */
int
object_read(struct slice json, const struct object_spec *spec, void *base,
	    struct buf *scratch, const char **ret_name, struct err *err)
{
	struct object_reader r = {
	    .spec = spec, .scratch = scratch, .base = base};
	int result;

	buf_reset(scratch);
	/* Unescaping makes nothing longer, and each member's NUL has the room
	 * of its name and quotes. */
	if (buf_reserve(scratch, json.len + spec->n) != 0)
		return err_nomem(err);
	result = scan_object(json, TASK_DEPTH_MAX, on_object_member, &r, err);
	if (ret_name != NULL)
		*ret_name = result != 0 ? r.name : NULL;
	return result;
}
