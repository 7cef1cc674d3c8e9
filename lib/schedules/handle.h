/* SPDX-License-Identifier: MIT */
/* The handle of schedules.h. Private to lib/schedules and its tests. */
#ifndef SCHEDULES_HANDLE_H
#define SCHEDULES_HANDLE_H

struct db;

struct schedules {
	struct db *db;
};

#endif
