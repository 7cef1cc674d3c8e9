/* SPDX-License-Identifier: MIT */
/*
 * A claim under way: what the callbacks have decided, until it is written.
 * Private to claim.c, which gathers it, and claim_write.c.
 */
#ifndef SCHEDULES_CLAIM_PLAN_H
#define SCHEDULES_CLAIM_PLAN_H

#include <stdbool.h>

#include "schedules/claim.h"
#include "schedules/db.h"
#include "schedules/fires.h"
#include "schedules/schedules.h"
#include "util/buf.h"
#include "util/err.h"

/* What one verdict was, its texts as places in `texts`. Without a plan in the
 * verdict it is of a row that could not be read: only its fault is written. */
struct claim_decided {
	size_t row;
	struct schedule_verdict verdict;
	size_t tz_data, fault;
};

/* Skipped fires of the schedule of a row. */
struct claim_noted {
	size_t row;
	struct schedule_skip skip;
};

/* A claim under way, between the rows that were locked and what is written. */
struct schedules_plan {
	const struct schedules_claim *claim;
	struct db *db;
	struct db_rows rows; /* each is locked until the transaction ends */
	const char *current; /* id of the schedule in the callback */
	struct claim_decided *decided; /* one for each row, in their order */
	size_t n_decided;
	struct buf texts;
	struct fires fires;
	struct claim_noted *noted; /* skipped fires */
	size_t n_noted, noted_cap;
	struct err failure; /* of schedule_made() */
	int64_t token;	    /* tells this claim's fires from others */
};

/*
 * Writes the plan, within the transaction: fires, counters and notes, then the
 * schedules. Fires that were in the outbox before are taken out of the plan,
 * and out of the runs of their schedules.
 */
int claim_write(struct db *db, struct schedules_plan *plan, struct err *err);

#endif
