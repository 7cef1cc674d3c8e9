/* SPDX-License-Identifier: MIT */
/* The handle of schedules.h. Private to lib/schedules and its tests. */
#ifndef SCHEDULES_HANDLE_H
#define SCHEDULES_HANDLE_H

#include <stdint.h>

struct db;

struct schedules {
	struct db *db;
	/* In place of a server's clock, for tests; NULL. */
	int64_t (*db_clock)(void);
};

#endif
