/* SPDX-License-Identifier: MIT */
/* Forms: what people may say of a schedule, by the table of
 * manager/schedule.def. */
#include "manager/schedule.h"

#include <inttypes.h>

#include "core/task.h"
#include "manager/object.h"

#define US_PER_S 1e6

/* --- JSON ---------------------------------------------------------------- */

#define AT(name) .offset = offsetof(struct schedule_form, name)

static const struct object_member members[] = {
#define SCHEDULE_WORD(field, member, ...)                                      \
	{#field, OBJECT_VALUE, {.type = VALUE_TEXT, AT(member)}},
#define SCHEDULE_FIELD(field, kind, member, stored, as, low, high, ...)        \
	{#field,                                                               \
	 OBJECT_VALUE,                                                         \
	 {.type = VALUE_##kind, AT(member), .min = (low), .max = (high)}},
#define SCHEDULE_SETTING(field, kind, member, stored, low, high, ...)          \
	SCHEDULE_FIELD(field, kind, member, stored, , low, high)
#define SCHEDULE_JSON_FIELD(field, kind, member, ...)                          \
	{#field, OBJECT_##kind, {AT(member)}},
#define SCHEDULE_NOTE(field, member, ...)                                      \
	{#field, OBJECT_VALUE, {.type = VALUE_TEXT, AT(member)}},
#define SCHEDULE_NEW(field, kind, member, ...)                                 \
	{#field, OBJECT_VALUE, {.type = VALUE_##kind, AT(member)}},
#define SCHEDULE_SWITCH(field, member, ...)                                    \
	{#field, OBJECT_VALUE, {.type = VALUE_FLAG, AT(member)}},
#include "manager/schedule.def"
};

/* What answers have beside the fields. */
static const char *const told[] = {
    "state",	  "next_run", "last_run", "runs",  "fault", "created_at",
    "updated_at", "words",    "missed",	  "spark", "owner", NULL,
};

int
schedule_form_read(struct slice json, struct schedule_form *form,
		   struct buf *scratch, const char **ret_field, struct err *err)
{
	static const struct object_spec spec = {.members = members,
						.n = sizeof(members) /
						     sizeof(members[0]),
						.skipped = told,
						.what = "schedule field"};
	struct schedule_form read = *form;

	if (object_read(json, &spec, &read, scratch, ret_field, err) != 0)
		return -1;
	*form = read;
	return 0;
}

/* --- from and to schedules ----------------------------------------------- */

/* TASK_UNSET leaves a setting to the task's registration, as in a
 * submission. */
void
schedule_form_init(struct schedule_form *form)
{
	*form = (struct schedule_form){.max_catchup = SCHEDULE_CATCHUP_STANDARD,
				       .grace_s = SCHEDULE_UNSET,
				       .enabled = true};
#define SCHEDULE_SETTING(field, type, member, ...) form->member = TASK_UNSET;
#include "manager/schedule.def"
}

/* What is not set is so in both units. */
static double
seconds_or_unset(int64_t us)
{
	return us < 0 ? SCHEDULE_UNSET : (double)us / US_PER_S;
}

/* From the units of a schedule to those of a form. */
#define FORM_TEXT(value) (value)
#define FORM_INT(value) (int)(value)
#define FORM_NUMBER(value) (value)
#define FORM_SECONDS(value) seconds_or_unset(value)
#define FORM_SPAN(value) ((double)(value) / US_PER_S)
#define FORM_LIMIT(value) seconds_or_unset(value)
#define FORM_MOMENT(value) (value)
#define FORM_MISFIRE(value) schedule_misfire_name(value)
#define FORM_OVERLAP(value) schedule_overlap_name(value)
#define FORM_DAY_MATCH(value) schedule_day_match_name(value)

void
schedule_form_of(const struct schedule *s, struct schedule_form *ret)
{
	*ret = (struct schedule_form){.id = s->id,
				      .task = s->task,
				      .type = schedule_type_name(s->type),
				      .rule = s->rule,
				      .enabled = s->enabled};
#define SCHEDULE_FIELD(field, type, member, stored, as, ...)                   \
	ret->member = FORM_##as(s->stored);
#define SCHEDULE_SETTING(field, type, member, stored, ...)                     \
	ret->member = FORM_##type(s->stored);
#define SCHEDULE_JSON_FIELD(field, kind, member, stored, ...)                  \
	ret->member = s->stored;
#define SCHEDULE_NOTE(field, member, stored, ...) ret->member = s->stored;
#include "manager/schedule.def"
}
