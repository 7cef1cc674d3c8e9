/* SPDX-License-Identifier: MIT */
/*
 * What can be read of bytes that are not a task.
 *
 * Only three things count here: where strings begin and end, how deep the
 * brackets are, and which string is followed by a colon. That much is the same
 * in JSON and in what people take for JSON (NaN, half a surrogate pair, raw
 * control characters), and it can be read from the end as well: so an id that
 * stands behind two megabytes of arguments is found, too.
 */
#include "codec/salvage.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "codec/scan.h"
#include "core/task.h"

/* An escape has six bytes for one; what is longer is none of our texts. */
#define QUOTED_MAX (6 * TASK_ID_MAX + 2)

/* A member that is looked for, as text with a NUL. */
struct found_text {
	char text[TASK_ID_MAX + 1];
	bool found;
	bool unsure; /* it is there twice, or is not a text */
};

struct salvager {
	struct found_text id, name, reply_to, flow;
};

/* --- strings ----------------------------------------------------------- */

static const char *
salvage_skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	return p;
}

/* `p` is at the opening quote; returns the closing one, or NULL. */
static const char *
string_end(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p : NULL;
}

/* `p` is at the closing quote; returns the opening one, or NULL. A quote with
 * an odd number of backslashes before it is part of the string. */
static const char *
string_begin(const char *p, const char *begin)
{
	const char *slash;

	while (p-- > begin) {
		if (*p != '"')
			continue;
		for (slash = p; slash > begin && slash[-1] == '\\'; slash--)
			;
		/* The first byte may itself be escaped by what is missing. */
		if (slash == begin)
			return NULL;
		if ((p - slash) % 2 == 0)
			return p;
	}
	return NULL;
}

/* The text of a string with its quotes, which must fit in. */
static bool
read_quoted(const char *p, const char *end, char text[TASK_ID_MAX + 1])
{
	const struct slice quoted = {p, (size_t)(end - p)};
	struct buf plain = BUF_INIT;
	struct scan_value value;
	bool fits;

	if (quoted.len > QUOTED_MAX || scan_check(quoted, 0, &value, NULL) != 0)
		return false;
	scan_unescape(&value, &plain);
	fits = !plain.failed && plain.len <= TASK_ID_MAX;
	if (fits) {
		memcpy(text, plain.data != NULL ? plain.data : "", plain.len);
		text[plain.len] = '\0';
		/* A NUL would cut it: the rest is not what it says. */
		fits = strlen(text) == plain.len;
	}
	buf_done(&plain);
	return fits;
}

/* --- members ----------------------------------------------------------- */

static struct found_text *
wanted_member(struct salvager *s, const char *key)
{
	if (strcmp(key, "id") == 0)
		return &s->id;
	if (strcmp(key, "name") == 0)
		return &s->name;
	if (strcmp(key, "reply_to") == 0)
		return &s->reply_to;
	return strcmp(key, "flow") == 0 ? &s->flow : NULL;
}

/* The string from `p` to its closing quote may be a key: then its value is
 * noted. Returns what follows of both, as far as they were read. */
static const char *
note_member(struct salvager *s, const char *p, const char *close,
	    const char *end)
{
	const char *value = salvage_skip_space(close + 1, end), *value_close;
	char key[TASK_ID_MAX + 1], text[TASK_ID_MAX + 1] = "";
	struct found_text *wanted;

	if (value == end || *value != ':' || !read_quoted(p, close + 1, key) ||
	    (wanted = wanted_member(s, key)) == NULL)
		return close + 1;
	value = salvage_skip_space(value + 1, end);
	if (value == end)
		return end;
	if (*value != '"') {
		wanted->unsure = true;
		return value;
	}
	if ((value_close = string_end(value, end)) == NULL)
		return end;
	if (!read_quoted(value, value_close + 1, text) ||
	    (wanted->found && strcmp(wanted->text, text) != 0))
		wanted->unsure = true;
	else
		memcpy(wanted->text, text, sizeof(wanted->text));
	wanted->found = true;
	return value_close + 1;
}

/* From the beginning to the end of the object, or of what there is of it. */
static void
salvage_forward(struct salvager *s, const char *p, const char *end)
{
	const char *close;
	size_t depth = 1;

	while (p < end && depth > 0) {
		if (*p == '"') {
			if ((close = string_end(p, end)) == NULL)
				return;
			p = depth == 1 ? note_member(s, p, close, end)
				       : close + 1;
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
			depth--;
		p++;
	}
}

/* From the end of the object towards the beginning of what there is of it. */
static void
salvage_backward(struct salvager *s, struct slice tail)
{
	const char *end = tail.p + tail.len, *p = end, *open;
	size_t depth = 0;

	while (p > tail.p && strchr(" \n\t\r", p[-1]) != NULL && p[-1] != '\0')
		p--;
	if (p == tail.p || p[-1] != '}')
		return;
	while (p-- > tail.p) {
		if (*p == '}' || *p == ']') {
			depth++;
		} else if (*p == '{' || *p == '[') {
			if (--depth == 0)
				return;
		} else if (*p == '"') {
			if ((open = string_begin(p, tail.p)) == NULL)
				return;
			if (depth == 1)
				note_member(s, open, p, end);
			p = open;
		}
	}
}

/* --- the task ---------------------------------------------------------- */

static bool
is_sure(const struct found_text *found)
{
	return found->found && !found->unsure;
}

static char *
copy_text(char **p, const char *text)
{
	char *begin = *p;

	*p = stpcpy(begin, text) + 1;
	return begin;
}

/* One block, as task_free() expects. */
static struct task *
salvaged_task(const struct salvager *s)
{
	const bool named =
	    is_sure(&s->name) &&
	    task_name_valid(slice_of(s->name.text), TASK_NAME_MAX);
	const bool awaited =
	    is_sure(&s->reply_to) &&
	    task_name_valid(slice_of(s->reply_to.text), TASK_REPLY_MAX);
	const bool is_step =
	    is_sure(&s->flow) &&
	    task_name_valid(slice_of(s->flow.text), TASK_FLOW_MAX);
	struct task *task = calloc(1, sizeof(*task) + sizeof(*s));
	char *p = (char *)(task + 1);

	if (task == NULL)
		return NULL;
	task->args = SLICE("[]");
	task->kwargs = SLICE("{}");
	task->id = copy_text(&p, s->id.text);
	task->name = copy_text(&p, named ? s->name.text : "");
	if (awaited)
		task->reply_to = slice_of(copy_text(&p, s->reply_to.text));
	if (is_step)
		task->flow = slice_of(copy_text(&p, s->flow.text));
	return task;
}

struct task *
task_salvage(struct slice head, struct slice tail)
{
	struct salvager s = {.id.found = false};
	const char *end, *p;

	if (head.len == 0)
		return NULL;
	end = head.p + head.len;
	p = salvage_skip_space(head.p, end);
	if (p == end || *p != '{')
		return NULL;
	salvage_forward(&s, p + 1, end);
	if (tail.len > 0)
		salvage_backward(&s, tail);
	if (!is_sure(&s.id) || !task_id_valid(slice_of(s.id.text)))
		return NULL;
	return salvaged_task(&s);
}
