/* SPDX-License-Identifier: MIT */
/* Which names zones can have. */
#ifndef CRON_TZ_PATH_H
#define CRON_TZ_PATH_H

#include "util/buf.h"

struct err;

/*
 * Takes a name that could be a zone's: 1 to TZ_NAME_MAX bytes of letters,
 * digits, "+", "-", "_", "." and "/", with no empty part and none that begins
 * with a dot. So joined to a folder, it stays in there.
 */
int tz_check_name(struct slice name, struct err *err);

#endif
