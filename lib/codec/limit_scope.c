/* SPDX-License-Identifier: MIT */
/*
 * What a task counts against. The scanner checks all of the text, and only the
 * members on the way to the group are looked at.
 */
#include "codec/limit_scope.h"

#include <stdlib.h>
#include <string.h>

#include "codec/scan.h"
#include "core/limit.h"
#include "core/task.h"
#include "util/sha.h"

/* A step of a path, and what is there. */
struct step {
	struct slice name;
	size_t index; /* of an array: how many are before it */
	struct scan_value value;
	bool found;
};

static int
on_step_member(void *arg, const struct scan_value *key,
	       const struct scan_value *value, struct err *err)
{
	struct step *s = arg;

	if (!key->escaped && slice_eq(key->text, s->name)) {
		s->value = *value;
		s->found = true;
	}
	return 0;
}

static int
on_step_element(void *arg, const struct scan_value *value, struct err *err)
{
	struct step *s = arg;

	if (s->index-- == 0) {
		s->value = *value;
		s->found = true;
	}
	return 0;
}

/* Goes on from *value; false: there is nothing. */
static bool
follow(struct slice name, struct scan_value *value)
{
	struct step s = {.name = name};
	char digits[8];

	if (value->type == SCAN_OBJECT) {
		scan_object(value->text, TASK_DEPTH_MAX, on_step_member, &s,
			    NULL);
	} else if (value->type == SCAN_ARRAY && name.len > 0 &&
		   name.len < sizeof(digits) && name.p[0] >= '0' &&
		   name.p[0] <= '9') {
		memcpy(digits, name.p, name.len);
		digits[name.len] = '\0';
		s.index = strtoul(digits, NULL, 10);
		scan_array(value->text, TASK_DEPTH_MAX, on_step_element, &s,
			   NULL);
	}
	*value = s.value;
	return s.found;
}

static bool
walk(struct slice path, struct scan_value *value)
{
	const char *end = path.p + path.len, *at = path.p, *dot;

	for (; at < end; at = dot + 1) {
		dot = memchr(at, '.', (size_t)(end - at));
		if (dot == NULL)
			dot = end;
		if (!follow((struct slice){at, (size_t)(dot - at)}, value))
			return false;
	}
	return true;
}

/* A text, a number, true or false; else it is none. */
static void
add_group(const struct scan_value *value, struct buf *group)
{
	unsigned char digest[SHA1_SIZE];
	char hex[2 * SHA1_SIZE + 1];
	struct slice text;
	size_t begin;

	if (value->type == SCAN_NULL || value->type == SCAN_ARRAY ||
	    value->type == SCAN_OBJECT || value->text.len == 0)
		return;
	buf_adds(group, "g:");
	begin = group->len;
	if (value->type == SCAN_STRING)
		scan_unescape(value, group);
	else
		buf_add(group, value->text.p, value->text.len);
	if (group->failed)
		return;
	text = (struct slice){group->data + begin, group->len - begin};
	if (limit_check_group(text, ERR_DATA, NULL) == 0)
		return;
	sha1(text, digest);
	sha_hex(digest, sizeof(digest), hex);
	group->len = begin;
	buf_adds(group, hex);
}

void
limit_scopes(struct slice bytes, struct slice by, struct buf *task,
	     struct buf *group)
{
	const struct scan_value whole = {.type = SCAN_OBJECT, .text = bytes};
	struct scan_value name = whole, at = whole;

	if (scan_check(bytes, TASK_DEPTH_MAX, &name, NULL) != 0 ||
	    !walk(SLICE("name"), &name) || name.type != SCAN_STRING ||
	    name.escaped || name.text.len > TASK_NAME_MAX)
		return;
	buf_adds(task, "t:");
	buf_add(task, name.text.p, name.text.len);
	if (walk(SLICE("group"), &at) && at.type == SCAN_STRING &&
	    at.text.len > 0) {
		add_group(&at, group);
		return;
	}
	at = whole;
	if (by.len > 0 && walk(by, &at))
		add_group(&at, group);
}
