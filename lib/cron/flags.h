/* SPDX-License-Identifier: MIT */
/* The flags of a struct cron. */
#ifndef CRON_FLAGS_H
#define CRON_FLAGS_H

enum cron_flag {
	/* Both day fields must match, or one of them is unrestricted. */
	CRON_BOTH_DAYS = 1 << 0,
	/* Fires at each instant that matches; else at times of the day. */
	CRON_WILDCARD = 1 << 1,
	/* No field of the date is restricted. */
	CRON_EVERY_DAY = 1 << 2,
	/* `from_last`, `nearest` or `nth` holds something. */
	CRON_SPECIAL_DAYS = 1 << 3,
	/* A weekday is a number where Quartz would understand another one. */
	CRON_QUARTZ_DAYS = 1 << 4,
};

#endif
