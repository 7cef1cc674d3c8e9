/* SPDX-License-Identifier: MIT */
/* Drafting schedules: what its two files share. */
#ifndef MANAGER_SCHEDULE_PRIVATE_H
#define MANAGER_SCHEDULE_PRIVATE_H

#include "manager/schedule.h"

struct tz_set;

/* One drafting. */
struct drafting {
	const struct schedule_form *form;
	const struct schedule *old; /* NULL: it is new */
	int64_t now_us;
	struct schedule_draft *draft;
	struct schedule_fault *fault;
	struct schedule_zones *zones;
	bool again; /* it fires by the same rule, but from now on */
};

static inline bool
is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* Names the field that *err is about. */
static inline int
blame(const struct drafting *d, const char *field)
{
	d->fault->field = field;
	return -1;
}

/* All but the next fire. */
int drafting_define(const struct drafting *d, struct err *err);

#endif
