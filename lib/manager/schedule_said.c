/* SPDX-License-Identifier: MIT */
/*
 * What people have said of a schedule, by the table of manager/schedule.def:
 * to be written down, and to be compared.
 *
 * Both go by way of the form, whose units are those of people: a field that is
 * added to the table is exported, applied and compared without a line here.
 */
#include "manager/schedule_said.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "manager/schedule.h"
#include "manager/schedule_json.h"
#include "module/dump.h"

/* Of a value in a message: enough to tell two apart. */
#define SHOWN_MAX 80

struct said_row {
	const char *name;
	enum said_kind kind;
	size_t offset; /* in struct schedule_form */
	bool setting;  /* TASK_UNSET is null */
};

#define ROW(field, kind, member, setting)                                      \
	{#field, SAID_##kind, offsetof(struct schedule_form, member), setting},

static const struct said_row rows[] = {
#define SCHEDULE_WORD(field, member, ...) ROW(field, TEXT, member, false)
#define SCHEDULE_FIELD(field, type, member, ...) ROW(field, type, member, false)
#define SCHEDULE_SETTING(field, type, member, ...)                             \
	ROW(field, type, member, true)
#define SCHEDULE_JSON_FIELD(field, kind, member, ...)                          \
	ROW(field, kind, member, false)
#include "manager/schedule.def"
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))
/* The first of them, which each schedule has. */
#define N_WORDS 3

int
schedule_said_kind(const char *name)
{
	size_t i;

	if (strcmp(name, "enabled") == 0 || strcmp(name, "force") == 0)
		return SAID_SWITCH;
	for (i = 0; i < N_ROWS; i++)
		if (strcmp(rows[i].name, name) == 0)
			return (int)rows[i].kind;
	return SAID_TEXT;
}

/* As whole numbers where they are: 300 and not 300.0. */
static json_t *
number_json(double value)
{
	if (value < 0)
		return json_null();
	return value == floor(value) && value < 1e15
		   ? json_integer((json_int_t)value)
		   : json_real(value);
}

/* Nothing is the same as an empty one. */
static json_t *
arguments_json(const char *text, const char *empty)
{
	json_t *json;

	if (text == NULL || text[0] == '\0')
		text = empty;
	json = json_loads(text, JSON_DECODE_ANY, NULL);
	return json != NULL ? json : json_string(text);
}

/* What is not set is null, as in the answers of the API. */
static json_t *
row_json(const struct schedule_form *form, const struct said_row *row)
{
	const void *at = (const char *)form + row->offset;
	const char *text;
	int number;

	switch (row->kind) {
	case SAID_TEXT:
		text = *(const char *const *)at;
		return text != NULL && text[0] != '\0' ? json_string(text)
						       : json_null();
	case SAID_INT:
		number = *(const int *)at;
		return row->setting && number == TASK_UNSET
			   ? json_null()
			   : json_integer(number);
	case SAID_SECONDS:
	case SAID_NUMBER:
		return number_json(*(const double *)at);
	case SAID_DEADLINE:
		return moment_json(*(const int64_t *)at);
	case SAID_ARRAY:
		return arguments_json(*(const char *const *)at, "[]");
	case SAID_OBJECT:
		return arguments_json(*(const char *const *)at, "{}");
	case SAID_SWITCH:
		break;
	}
	return NULL;
}

/* What holds where nothing is said, in the words of the database. */
static void
standard_form(struct schedule_form *form)
{
	schedule_form_init(form);
	form->misfire = schedule_misfire_name(SCHEDULE_LATEST);
	form->overlap = schedule_overlap_name(SCHEDULE_OVERLAP_ALLOW);
	form->day_match = schedule_day_match_name(SCHEDULE_DAYS_OR);
}

/* What is as it is by default is left out: a file shows what somebody wanted,
 * and a default that a later version changes is not written down for ever. */
json_t *
schedule_said(const struct schedule *s)
{
	json_t *said = json_object(), *value, *usual;
	struct schedule_form form, standard;
	size_t i;

	schedule_form_of(s, &form);
	standard_form(&standard);
	json_object_set_new(said, "id", json_string(s->id));
	for (i = 0; i < N_ROWS; i++) {
		value = row_json(&form, &rows[i]);
		usual = row_json(&standard, &rows[i]);
		if (i < N_WORDS || !json_equal(value, usual))
			json_object_set(said, rows[i].name, value);
		json_decref(value);
		json_decref(usual);
	}
	if (!s->enabled)
		json_object_set_new(said, "enabled", json_false());
	if (s->owner != NULL && s->owner[0] != '\0')
		json_object_set_new(said, "owner", json_string(s->owner));
	return said;
}

/* --- comparing ------------------------------------------------------------- */

/* A schedule as a form, with rule and zone as they are compared. */
struct plain {
	struct schedule_form form;
	struct buf rule, tz;
};

static void
plain_init(const struct schedule *s, struct plain *p)
{
	*p = (struct plain){.rule = BUF_INIT};
	schedule_form_of(s, &p->form);
	schedules_plain_rule(s, &p->rule, &p->tz);
	p->form.rule = p->rule.data;
	p->form.tz = p->tz.data;
}

static void
plain_done(struct plain *p)
{
	buf_done(&p->rule);
	buf_done(&p->tz);
}

static const char *
text_or_empty(const char *text)
{
	return text != NULL ? text : "";
}

/* The database keeps so much of a description. */
static bool
same_description(const char *a, const char *b)
{
	return strncmp(text_or_empty(a), text_or_empty(b),
		       SCHEDULE_TEXT_MAX - 4) == 0;
}

/* Takes both values. */
static void
add_difference(json_t *to, const char *name, json_t *old, json_t *new)
{
	if (!json_equal(old, new))
		json_object_set_new(to, name, json_pack("[O,O]", old, new));
	json_decref(old);
	json_decref(new);
}

/* By JSON and not by text: arguments that are written otherwise are the same. */
json_t *
schedule_differences(const struct schedule *old, const struct schedule *new)
{
	json_t *to = json_object();
	struct plain a, b;
	size_t i;

	plain_init(old, &a);
	plain_init(new, &b);
	if (same_description(old->description, new->description))
		a.form.description = b.form.description;
	for (i = 0; i < N_ROWS; i++)
		add_difference(to, rows[i].name, row_json(&a.form, &rows[i]),
			       row_json(&b.form, &rows[i]));
	add_difference(to, "enabled", json_boolean(old->enabled),
		       json_boolean(new->enabled));
	add_difference(to, "owner", json_string(text_or_empty(old->owner)),
		       json_string(text_or_empty(new->owner)));
	plain_done(&a);
	plain_done(&b);
	return to;
}

/* Cut, since arguments may be a megabyte long. */
static void
add_shown(const json_t *value, struct buf *out)
{
	char *text = json_dumps(value, dump_flags(value) | JSON_ENCODE_ANY);
	const size_t len = text != NULL ? strlen(text) : 0;

	buf_add(out, text, len > SHOWN_MAX ? SHOWN_MAX : len);
	if (len > SHOWN_MAX)
		buf_adds(out, "...");
	free(text);
}

void
schedule_differences_text(const json_t *differences, struct buf *out)
{
	const char *name;
	json_t *pair;
	bool first = true;

	json_object_foreach ((json_t *)differences, name, pair) {
		buf_addf(out, "%s%s: ", first ? "" : ", ", name);
		add_shown(json_array_get(pair, 0), out);
		buf_adds(out, " -> ");
		add_shown(json_array_get(pair, 1), out);
		first = false;
	}
}
