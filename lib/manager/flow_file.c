/* SPDX-License-Identifier: MIT */
/*
 * Reading a file: where its steps stand, and what each says. What they say of one
 * another is flow_graph.c's.
 */
#include "manager/flow_file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "codec/scan.h"
#include "core/task.h"
#include "manager/object.h"
#include "manager/request.h"
#include "util/err.h"

void
flow_file_done(struct flow_file *file)
{
	struct flow_file_step *s;

	for (s = file->steps; s < file->steps + file->n; s++) {
		buf_done(&s->scratch);
		buf_done(&s->id);
		buf_done(&s->after);
		buf_done(&s->args);
		buf_done(&s->kwargs);
		free(s->needs);
	}
	free(file->steps);
	free(file->order);
	buf_done(&file->scratch);
	*file = (struct flow_file){.n = 0};
}

/* --- mistakes -------------------------------------------------------------- */

static void
flow_tell(struct flow_reading *r, int line, const char *text)
{
	r->wrong = true;
	r->tell(r->arg, line, text);
}

void
flow_file_tell(struct flow_reading *r, const struct flow_file_step *s, int line,
	       const char *text)
{
	struct err e;

	err_set(&e, ERR_DATA, "step \"%.*s\": %s", FLOW_STEP_NAME_MAX, s->name,
		text);
	flow_tell(r, line, e.msg);
}

static int
lines_between(const char *from, const char *to)
{
	int n = 0;

	for (; (from = memchr(from, '\n', (size_t)(to - from))) != NULL; from++)
		n++;
	return n;
}

struct member_place {
	struct slice name;
	const char *at;
};

static int
on_member_name(void *arg, const struct scan_value *key,
	       const struct scan_value *value, struct err *err)
{
	struct member_place *m = arg;

	if (slice_eq(key->text, m->name))
		m->at = key->text.p;
	return 0;
}

int
flow_file_line(const struct flow_reading *r, const struct flow_file_step *s,
	       const char *member)
{
	struct member_place m = {slice_of(member != NULL ? member : ""), NULL};

	if (member != NULL)
		scan_object(s->text, TASK_DEPTH_MAX, on_member_name, &m, NULL);
	return m.at == NULL ? s->line
			    : s->line + lines_between(s->text.p, m.at);
}

/* --- steps ----------------------------------------------------------------- */

static struct flow_file_step *
flow_add(struct flow_file *file)
{
	const size_t cap = file->cap > 0 ? 2 * file->cap : 16;
	struct flow_file_step *grown;

	if (file->n == file->cap) {
		grown = reallocarray(file->steps, cap, sizeof(*grown));
		if (grown == NULL)
			return NULL;
		file->steps = grown;
		file->cap = cap;
	}
	file->steps[file->n] = (struct flow_file_step){.line = 0};
	return &file->steps[file->n++];
}

/* One without a name has its number: "7". */
static int
flow_name_step(struct flow_reading *r, struct flow_file_step *s,
	       struct err *err)
{
	if (s->request.id == NULL) {
		buf_addf(&s->id, "%zu", r->file->n);
		s->name = s->id.data;
		return s->id.failed ? err_nomem(err) : 0;
	}
	s->name = s->request.id;
	if (!name_valid(slice_of(s->name), FLOW_STEP_NAME_MAX))
		return err_set(err, ERR_DATA,
			       "\"id\": not 1 to %d of the characters A-Z a-z "
			       "0-9 _ . -",
			       FLOW_STEP_NAME_MAX);
	return 0;
}

/* What a step in a file may not say, though a task could. */
static int
flow_check_step(const struct flow_file_step *s, const char **ret_member,
		struct err *err)
{
	*ret_member = "flow";
	if (s->request.flow != NULL)
		return err_set(err, ERR_DATA,
			       "\"flow\": the file is the workflow");
	*ret_member = "unique";
	if (s->request.unique != NULL)
		return err_set(err, ERR_DATA,
			       "\"unique\": a step of a workflow cannot have a "
			       "key");
	return 0;
}

/* false: no more are to be read. */
static bool
flow_read_step(struct flow_reading *r, struct slice text, int line)
{
	const char *member = NULL;
	struct err err = ERR_INIT;
	struct flow_file_step *s = flow_add(r->file);

	if (s == NULL) {
		flow_tell(r, line, "out of memory");
		return false;
	}
	s->line = line;
	s->text = text;
	s->name = "";
	if (request_read(text, r->base, &s->scratch, &s->request, &member,
			 &err) == 0 &&
	    flow_name_step(r, s, &err) == 0 &&
	    flow_check_step(s, &member, &err) == 0) {
		s->request.flow = r->id;
		return true;
	}
	flow_tell(r, flow_file_line(r, s, member), err.msg);
	return true;
}

static bool
flow_is_full(struct flow_reading *r, int line)
{
	struct err e;

	if (r->file->n < FLOW_FILE_MAX)
		return false;
	err_set(&e, ERR_DATA,
		"more than %d steps; begin a workflow and add them with "
		"submit --stdin --flow",
		FLOW_FILE_MAX);
	flow_tell(r, line, e.msg);
	return true;
}

/* --- a step a line --------------------------------------------------------- */

static void
flow_read_lines(struct flow_reading *r)
{
	const char *p = r->text, *end;
	struct slice text;
	int line = 1;

	for (; *p != '\0'; p = *end == '\n' ? end + 1 : end, line++) {
		end = p + strcspn(p, "\n");
		text = (struct slice){p, (size_t)(end - p)};
		while (text.len > 0 && strchr(" \t\r", *text.p) != NULL) {
			text.p++;
			text.len--;
		}
		if (text.len > 0 &&
		    (flow_is_full(r, line) || !flow_read_step(r, text, line)))
			return;
	}
}

/* --- one JSON text --------------------------------------------------------- */

struct elements {
	struct flow_reading *reading;
	const char *counted; /* lines up to here */
	int line;
};

static int
on_step(void *arg, const struct scan_value *value, struct err *err)
{
	struct elements *e = arg;
	const char *at = value->text.p;

	/* Of a string the quotes are not in it. */
	e->line += lines_between(e->counted, at);
	e->counted = at;
	if (value->type != SCAN_OBJECT) {
		flow_tell(e->reading, e->line, "a step is a JSON object");
		return 0;
	}
	return flow_is_full(e->reading, e->line) ||
		       !flow_read_step(e->reading, value->text, e->line)
		   ? err_set(err, ERR_DATA, "that was enough")
		   : 0;
}

static void
flow_read_array(struct flow_reading *r, struct slice array)
{
	struct elements e = {r, r->text, 1};

	scan_array(array, TASK_DEPTH_MAX, on_step, &e, NULL);
}

/* Where the steps are, in the text itself: their lines are told. */
static int
on_file_member(void *arg, const struct scan_value *key,
	       const struct scan_value *value, struct err *err)
{
	struct slice *steps = arg;

	if (slice_eq(key->text, SLICE("steps")))
		*steps = value->text;
	return 0;
}

struct file_head {
	const char *label, *on_failure, *steps;
	double life_s;
};

#define MEMBER(of_name, of_kind, of_type, at, low, high)                       \
	{                                                                      \
		.name = (of_name), .kind = OBJECT_##of_kind, .value = {        \
			.type = VALUE_##of_type,                               \
			.offset = offsetof(struct file_head, at),              \
			.min = (low),                                          \
			.max = (high)                                          \
		}                                                              \
	}
static const struct object_member head_members[] = {
    MEMBER("label", VALUE, TEXT, label, 0, 0),
    MEMBER("on_failure", VALUE, TEXT, on_failure, 0, 0),
    MEMBER("life", VALUE, SECONDS, life_s, 1, TASK_DURATION_MAX_S),
    MEMBER("steps", ARRAY, TEXT, steps, 0, 0),
};
static const char *const nothing_skipped[] = {NULL};
static const struct object_spec head_spec = {
    .members = head_members,
    .n = sizeof(head_members) / sizeof(head_members[0]),
    .skipped = nothing_skipped,
    .what = "member",
};

static int
member_line(const struct flow_reading *r, struct slice object,
	    const char *member)
{
	const struct flow_file_step whole = {
	    .line = 1 + lines_between(r->text, object.p), .text = object};

	return flow_file_line(r, &whole, member);
}

static void
flow_read_object(struct flow_reading *r, struct slice object)
{
	struct file_head head = {.life_s = 0};
	struct slice steps = {NULL, 0};
	const char *member = NULL;
	struct err err = ERR_INIT;

	if (object_read(object, &head_spec, &head, &r->file->scratch, &member,
			&err) != 0) {
		flow_tell(r, member_line(r, object, member), err.msg);
		return;
	}
	r->file->label = head.label;
	r->file->on_failure = head.on_failure;
	r->file->life_s = head.life_s;
	scan_object(object, TASK_DEPTH_MAX, on_file_member, &steps, NULL);
	if (head.steps != NULL)
		flow_read_array(r, steps);
}

/* jansson knows the line of what is not JSON. */
static void
flow_tell_syntax(struct flow_reading *r, const struct err *why)
{
	json_error_t error;
	json_t *all = json_loads(r->text, 0, &error);

	flow_tell(r, all == NULL ? error.line : 0, why->msg);
	json_decref(all);
}

static void
flow_read_whole(struct flow_reading *r)
{
	struct scan_value all;
	struct err err = ERR_INIT;

	if (scan_check(slice_of(r->text), TASK_DEPTH_MAX, &all, &err) != 0)
		flow_tell_syntax(r, &err);
	else if (all.type == SCAN_ARRAY)
		flow_read_array(r, all.text);
	else
		flow_read_object(r, all.text);
}

/* --- which of the two ------------------------------------------------------ */

static bool
has_steps(struct slice object)
{
	struct slice steps = {NULL, 0};

	scan_object(object, TASK_DEPTH_MAX, on_file_member, &steps, NULL);
	return steps.p != NULL;
}

/* Whether the first line is an object by itself, and a step at that. */
static bool
is_lines(const char *text)
{
	const char *p = text + strspn(text, " \t\r\n");
	const struct slice line = {p, strcspn(p, "\n")};
	struct scan_value value;

	return *p == '{' &&
	       scan_check(line, TASK_DEPTH_MAX, &value, NULL) == 0 &&
	       !has_steps(value.text);
}

int
flow_file_read(struct flow_file *file, const char *text, const char *id,
	       const struct flowrra_request *base, flow_tell_fn *tell,
	       void *arg, struct err *err)
{
	struct flow_reading r = {.file = file,
				 .text = text,
				 .id = id,
				 .base = base,
				 .tell = tell,
				 .arg = arg};
	const char first = text[strspn(text, " \t\r\n")];

	if (first == '[' || (first == '{' && !is_lines(text)))
		flow_read_whole(&r);
	else
		flow_read_lines(&r);
	if (!r.wrong && file->n == 0)
		flow_tell(&r, 0, "the file has no steps");
	if (!r.wrong)
		flow_graph_check(&r);
	return r.wrong ? err_set(err, ERR_DATA, "the workflow has mistakes")
		       : 0;
}
