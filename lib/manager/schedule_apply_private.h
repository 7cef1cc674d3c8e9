/* SPDX-License-Identifier: MIT */
/* Applying a file of schedules: what its files share. */
#ifndef MANAGER_SCHEDULE_APPLY_PRIVATE_H
#define MANAGER_SCHEDULE_APPLY_PRIVATE_H

#include "manager/schedule_apply.h"
#include "schedules/schedules.h"

/* What becomes of one entry, or of a schedule that is removed. */
struct planned {
	struct schedule_entry *entry; /* NULL: it is removed */
	struct schedule_draft draft;
	struct schedules_step step;
	struct schedule gone; /* of a removal: id and owner */
	json_t *fields;	      /* of a change */
	bool does_something;
	bool ended; /* it says the same, and fires no more */
};

struct applying {
	struct schedules *db;
	const struct schedule_apply *a;
	struct schedule_file *file;
	const char *owner; /* of the file; NULL: nobody's */
	struct schedule_zones zones;
	/* What is there, by id. */
	struct schedules_list **pages;
	size_t n_pages;
	const struct schedule **there;
	size_t n_there;
	struct planned *planned;
	size_t n_planned;
	size_t mistakes;
	struct err first; /* of them */
	char **names;	  /* tasks that are known to be registered */
	size_t n_names;
};

/* Tells a mistake of an entry, in the line of that field. */
void applying_mistake(struct applying *ap, const struct schedule_entry *e,
		      const char *field, const struct err *why);
/* Whether the zone is left to the default. */
bool applying_wants_zone(const struct schedule_form *form);
/* Gives each entry its ID, and counts mistakes; -1 without memory. */
int applying_judge(struct applying *ap, struct err *err);

/* Takes over what was read. */
int applying_add(struct applying *ap, struct schedules_list *page,
		 struct err *err);
/* Reads what the file may concern. */
int applying_read(struct applying *ap, struct err *err);
/* NULL: there is none of that id. */
const struct schedule *applying_find(const struct applying *ap, const char *id);

#endif
