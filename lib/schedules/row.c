/* SPDX-License-Identifier: MIT */
/*
 * Schedules as rows: one table says which member lies in which column, and what
 * it may be.
 */
#include "schedules/row.h"

#include <stdlib.h>
#include <string.h>

#include "core/limit.h"
#include "core/task.h"
#include "core/trace_context.h"
#include "util/err.h"
#include "util/utf8.h"

/* What a fraction is stored as, in a column of whole numbers. A backoff of 1.5
 * and a jitter of 0.1 need no more, and whole numbers are the same in all three
 * databases. */
#define MILLIONTHS_PER_1 1e6

/* How a member is stored. */
enum kind {
	TEXT,
	NUMBER,
	NUMBER32,
	YES_NO,
	WORD,
	SETTING,	 /* a whole number or TASK_UNSET */
	SETTING_FRACTION /* a double or TASK_UNSET, as millionths */
};

struct column {
	const char *name; /* for messages: what people call the member */
	enum kind kind;
	size_t offset;	/* in struct schedule */
	int64_t min;	/* NUMBER, and SETTINGs as they are stored */
	int64_t max;	/* the same */
	size_t max_len; /* TEXT */
	/* A literal: a row that is not valid has no memory of its own for
	 * it. */
	const char *fault;
	const char *empty; /* TEXT: what "" and NULL mean */
	const char *(*word)(unsigned int value); /* WORD: for writing */
	int (*value)(const char *word);		 /* WORD: for reading, or -1 */
};

/* The functions of schedules.h take each an enum of its own. */
#define WORDS(what)                                                            \
	static const char *what##_word(unsigned int value)                     \
	{                                                                      \
		return schedule_##what##_name((enum schedule_##what)value);    \
	}
WORDS(type)
WORDS(misfire)
WORDS(overlap)
WORDS(day_match)

#define AT(member) NAMED(member, member)
#define NAMED(label, member)                                                   \
	.name = #label, .offset = offsetof(struct schedule, member),           \
	.fault = "bad data: its " #label " in the database is not valid"
#define T(member, max)                                                         \
	{                                                                      \
		AT(member), .kind = TEXT, .max_len = (max), .empty = ""        \
	}
#define J(member, none)                                                        \
	{                                                                      \
		AT(member), .kind = TEXT, .max_len = SCHEDULE_ARGS_MAX,        \
			    .empty = (none)                                    \
	}
/* No sum of two of them, nor of one and a span, overflows. */
#define N(member, least)                                                       \
	{                                                                      \
		AT(member), .kind = NUMBER, .min = (least), .max = DB_US_MAX   \
	}
#define W(member)                                                              \
	{                                                                      \
		AT(member), .kind = WORD, .word = member##_word,               \
			    .value = schedule_##member##_of                    \
	}

/* A row of core/task_options.def; the range is that of its type. */
#define SETTING_COLUMN(label, member, of_kind, low, high, unit)                \
	{                                                                      \
		NAMED(label, settings.member), .kind = (of_kind),              \
					       .min = (low)*INT64_C(unit),     \
					       .max = (high)*INT64_C(unit)     \
	}
#define COLUMN_OF_INT(label, member, low, high)                                \
	SETTING_COLUMN(label, member, SETTING, low, high, 1)
#define COLUMN_OF_SECONDS(label, member, low, high)                            \
	SETTING_COLUMN(label, member, SETTING, low, high, 1000000)
#define COLUMN_OF_NUMBER(label, member, low, high)                             \
	SETTING_COLUMN(label, member, SETTING_FRACTION, low, high, 1000000)

/* In the order of SQL_COLUMNS. */
static const struct column columns[SQL_N_COLUMNS] = {
    T(id, SCHEDULE_ID_MAX),
    T(task, TASK_NAME_MAX),
    W(type),
    T(rule, SCHEDULE_RULE_MAX),
    T(tz, SCHEDULE_TZ_MAX),
    J(args, "[]"),
    J(kwargs, "{}"),
    T(queue, TASK_QUEUE_MAX),
    T(description, SCHEDULE_TEXT_MAX),
    {AT(enabled), .kind = YES_NO},
#define TASK_SETTING(field, type, member, request, low, high, ...)             \
	COLUMN_OF_##type(field, member, low, high),
#include "core/task_options.def"
    {AT(expires_us), .kind = SETTING, .max = TASK_DURATION_MAX_US},
    {AT(priority), .kind = NUMBER32},
    W(misfire),
    N(max_catchup, 0),
    N(grace_us, SCHEDULE_UNSET),
    W(overlap),
    N(jitter_us, 0),
    W(day_match),
    N(start_us, 0),
    N(end_us, 0),
    N(max_runs, 0),
    N(created_us, 0),
    N(updated_us, 0),
    N(last_run_us, 0),
    N(next_run_us, 0),
    N(due_us, 0),
    N(runs, 0),
    T(tz_data, SCHEDULE_TZ_DATA_MAX),
    T(fault, SCHEDULE_TEXT_MAX),
    N(rule_us, 0),
    T(owner, SCHEDULE_OWNER_MAX),
    T(traceparent, TRACEPARENT_MAX),
    T(group, LIMIT_GROUP_MAX),
    T(workflow, SCHEDULE_ARGS_MAX),
};

/* Reading, writing and checking all follow the table, and so agree. */
static const void *
member(const struct schedule *schedule, const struct column *c)
{
	return (const char *)schedule + c->offset;
}

static const char *
column_text(const struct schedule *schedule, const struct column *c)
{
	const char *text = *(const char *const *)member(schedule, c);

	return text != NULL && text[0] != '\0' ? text : c->empty;
}

/* As it is stored. */
static int64_t
setting_of(const struct schedule *schedule, const struct column *c)
{
	double fraction;

	if (c->kind == SETTING)
		return *(const int64_t *)member(schedule, c);
	fraction = *(const double *)member(schedule, c);
	if (fraction == TASK_UNSET)
		return TASK_UNSET;
	/* Beyond each range, where no conversion is defined. */
	if (!(fraction >= 0 && fraction <= TASK_DURATION_MAX_S))
		return INT64_MAX;
	return (int64_t)(fraction * MILLIONTHS_PER_1 + 0.5);
}

static bool
setting_is_valid(const struct column *c, int64_t stored)
{
	return stored == TASK_UNSET || (stored >= c->min && stored <= c->max);
}

/* --- writing ------------------------------------------------------------- */

/* Only names and rules, never the value: a message goes into logs, and args may
 * hold what should not be there. */
static int
bad_column(struct err *err, const char *name, const char *what)
{
	return err_set(err, ERR_DATA, "schedule: %s %s", name, what);
}

static int
check_column(const struct schedule *s, const struct column *c, struct err *err)
{
	int64_t number;

	/* Texts for people (description, fault) are cut instead, in
	 * row_write(). */
	if (c->kind == TEXT && strlen(column_text(s, c)) > c->max_len &&
	    c->max_len != SCHEDULE_TEXT_MAX)
		return bad_column(err, c->name, "is too long");
	if (c->kind == NUMBER) {
		number = *(const int64_t *)member(s, c);
		if (number < c->min)
			return bad_column(err, c->name, "must not be negative");
		if (number > c->max)
			return bad_column(err, c->name, "is too large");
	}
	if ((c->kind == SETTING || c->kind == SETTING_FRACTION) &&
	    !setting_is_valid(c, setting_of(s, c)))
		return bad_column(err, c->name, "is out of range");
	/* SCHEDULE_ALL is the greatest of the enums. A caller's mistake: those
	 * who read words from people have refused unknown ones before. */
	if (c->kind == WORD &&
	    *(const unsigned int *)member(s, c) > SCHEDULE_ALL)
		return bad_column(err, c->name,
				  "is not one of the allowed values");
	return 0;
}

int
row_check(const struct schedule *s, struct err *err)
{
	size_t i;

	for (i = 0; i < SQL_N_COLUMNS; i++)
		if (check_column(s, &columns[i], err) != 0)
			return -1;
	if (s->id != NULL && s->id[0] != '\0' &&
	    !task_id_valid(slice_of(s->id)))
		return bad_column(
		    err, "id",
		    "must be printable ASCII characters without spaces");
	if (s->task == NULL ||
	    !task_name_valid(slice_of(s->task), TASK_NAME_MAX))
		return bad_column(
		    err, "task",
		    "must be a task name: letters, digits, '_', '.' and '-'");
	/* Schedules may be others' than the owner of the store that they submit
	 * to. */
	if (name_check_submitted(s->task, NULL) != 0)
		return bad_column(err, "task",
				  "must not be " NAME_ADHOC
				  ", which only flowrractl run submits");
	if (s->queue != NULL && s->queue[0] != '\0' &&
	    !task_name_valid(slice_of(s->queue), TASK_QUEUE_MAX))
		return bad_column(
		    err, "queue",
		    "must be a queue name: letters, digits, '_', '.' and '-'");
	if (s->group != NULL && s->group[0] != '\0' &&
	    limit_check_group(slice_of(s->group), ERR_DATA, err) != 0)
		return err_prefix(err, "schedule");
	if (s->rule == NULL || s->rule[0] == '\0')
		return bad_column(err, "rule", "is missing");
	/* It would be stored as enabled and never fire. */
	if (s->enabled && s->next_run_us != 0 && s->due_us == 0)
		return bad_column(err, "due_us", "is missing");
	return 0;
}

struct slice
row_cut(const char *text, size_t max)
{
	return (struct slice){text, utf8_cut(text, strlen(text), max)};
}

void
row_write(const struct schedule *s, struct db_value values[SQL_N_COLUMNS])
{
	const struct column *c = columns;
	size_t i;

	for (i = 0; i < SQL_N_COLUMNS; i++, c++)
		switch (c->kind) {
		case TEXT:
			values[i] = DB_S("");
			values[i].s = row_cut(column_text(s, c), c->max_len);
			break;
		case NUMBER:
			values[i] = DB_I(*(const int64_t *)member(s, c));
			break;
		case NUMBER32:
			values[i] = DB_I(*(const int32_t *)member(s, c));
			break;
		case SETTING:
		case SETTING_FRACTION:
			values[i] = DB_I(setting_of(s, c));
			break;
		case YES_NO:
			values[i] = DB_I(*(const bool *)member(s, c));
			break;
		case WORD:
			values[i] =
			    DB_S(c->word(*(const unsigned int *)member(s, c)));
			break;
		}
}

/* --- reading ------------------------------------------------------------- */

/* False: the value is not valid. Where that may leave `to` untouched,
 * row_read() has put something harmless there. */
static bool
read_column(const struct db_value *v, const struct column *c, char *to)
{
	bool valid = v->type == DB_INT && setting_is_valid(c, v->i);
	int word;

	switch (c->kind) {
	case TEXT:
		/* A column may count characters, which have up to four bytes. A
		 * NUL inside would cut the text unseen. */
		if (v->type != DB_TEXT || v->s.len > c->max_len * 4 ||
		    strlen(v->s.p) != v->s.len)
			return false;
		*(const char **)(void *)to = v->s.p;
		return true;
	case WORD:
		word = v->type == DB_TEXT ? c->value(v->s.p) : -1;
		if (word >= 0)
			*(unsigned int *)(void *)to = (unsigned int)word;
		return word >= 0;
	case YES_NO:
		*(bool *)to = v->i == 1;
		return v->type == DB_INT && (v->i == 0 || v->i == 1);
	case NUMBER32:
		*(int32_t *)(void *)to = (int32_t)v->i;
		return v->type == DB_INT && v->i == (int32_t)v->i;
	case SETTING:
		*(int64_t *)(void *)to = valid ? v->i : TASK_UNSET;
		return valid;
	case SETTING_FRACTION:
		*(double *)(void *)to = valid && v->i != TASK_UNSET
					    ? (double)v->i / MILLIONTHS_PER_1
					    : TASK_UNSET;
		return valid;
	case NUMBER:
		/* due_us is NULL where there is none. */
		valid = v->type == DB_INT && v->i >= c->min && v->i <= c->max;
		*(int64_t *)(void *)to = valid ? v->i : 0;
		return v->type == DB_NULL || valid;
	}
	return false;
}

/* Reads on after a fault: people are shown what is left of the row. */
bool
row_read(const struct db_rows *rows, size_t row, struct schedule *ret)
{
	const char *fault = NULL;
	const struct column *c = columns;
	size_t i;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < SQL_N_COLUMNS; i++, c++) {
		if (c->kind == TEXT)
			*(const char **)(void *)((char *)ret + c->offset) =
			    c->empty;
		if (read_column(db_value(rows, row, i), c,
				(char *)ret + c->offset))
			continue;
		if (fault == NULL)
			fault = c->fault;
	}
	if (fault != NULL)
		ret->fault = fault;
	return fault == NULL;
}

/* A list with the rows it borrows from: its texts are copied once, from the
 * driver into `rows`, however long args are. `list` is the first member, so
 * that schedules_list_free() finds the rest. */
struct list {
	struct schedules_list list;
	struct db_rows rows;
};

/* Takes the rows over, also if memory runs out later: the caller's
 * db_rows_done() then frees what is left, which is nothing. */
int
row_read_list(struct db_rows *rows, struct schedules_list **ret,
	      struct err *err)
{
	struct list *l = calloc(1, sizeof(*l));
	size_t i;

	if (l == NULL)
		return err_nomem(err);
	/* One more: calloc(0) may return NULL, which is a failure here. */
	l->list.items = calloc(rows->n + 1, sizeof(*l->list.items));
	if (l->list.items == NULL) {
		free(l);
		return err_nomem(err);
	}
	l->rows = *rows;
	*rows = (struct db_rows)DB_ROWS_INIT;
	*ret = &l->list;
	for (i = 0; i < l->rows.n; i++)
		row_read(&l->rows, i, &l->list.items[l->list.n++]);
	return 0;
}

void
schedules_list_free(struct schedules_list *list)
{
	struct list *l = (struct list *)list;

	if (l == NULL)
		return;
	db_rows_done(&l->rows);
	free(l->list.items);
	free(l);
}
