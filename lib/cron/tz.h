/* SPDX-License-Identifier: MIT */
/*
 * Time zones, from the TZif files of the system (RFC 8536, versions 1 to 4,
 * with the rule in the footer), without a look at TZ and without tzset().
 *
 * Offsets hold for the years 1970 to 2199. A zone never changes once it is
 * read, so any thread may use it; a set is for one thread. To follow the
 * system's data, compare tz_version() from time to time and make a new set.
 */
#ifndef CRON_TZ_H
#define CRON_TZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

struct err;
struct tz;
struct tz_set;

/* Twice the longest name of the tz database, America/Argentina/Buenos_Aires. */
#define TZ_NAME_MAX 64
#define TZ_VERSION_SIZE 64

/* Where the files are: $TZDIR, or /usr/share/zoneinfo. */
const char *tz_folder(void);

/* UTC, which needs no file and is never freed. */
const struct tz *tz_utc(void);

/* Makes an empty set that reads from `folder` (NULL: tz_folder()), or sets *err
 * and returns NULL when memory runs out. Freeing it frees its zones. */
struct tz_set *tz_set_new(const char *folder, struct err *err);
void tz_set_free(struct tz_set *set);

/*
 * Finds a zone by its name ("Europe/Berlin"), in the set or in a file. Returns
 * NULL and sets ERR_DATA with close names when there is none or the name is
 * malformed (no path leads out of the folder), or when the file is broken;
 * ERR_SYSTEM when it cannot be read.
 */
const struct tz *tz_find(struct tz_set *set, struct slice name,
			 struct err *err);

/*
 * The name of the zone of this machine's clock: that of TZ, else of the link
 * `etc`/localtime, else of `etc`/timezone (`etc` NULL: /etc). ERR_DATA with the
 * remedy where the clock's zone has no name, as in TZ=EST5EDT,M3.2.0,M11.1.0.
 */
int tz_local_name(const char *etc, char ret[TZ_NAME_MAX + 1], struct err *err);

/* Whether a zone may have this name, be there data of it or not. */
bool tz_name_is_valid(struct slice name);

const char *tz_name(const struct tz *zone);
/* Seconds east of Greenwich at an instant in seconds since 1970. */
int32_t tz_offset_s(const struct tz *zone, int64_t instant_s);
/* The first instant after `instant_s` from which the offset is another one, or
 * INT64_MAX. */
int64_t tz_transition_s(const struct tz *zone, int64_t instant_s);

/* Reads a zone from the bytes of a TZif file; free it with tz_free(). */
struct tz *tz_read(struct slice bytes, const char *name, struct err *err);
void tz_free(struct tz *zone);

/*
 * The version of the data in `folder` (NULL: tz_folder()): "2025b" where a file
 * says so, else "sum-" and a checksum over all zones. ERR_SYSTEM when there is
 * no data.
 */
int tz_version(const char *folder, char version[TZ_VERSION_SIZE],
	       struct err *err);

/* The zones in a folder, in the order of strcmp(). */
struct tz_names {
	char **names;
	size_t count;
};
int tz_names_read(const char *folder, struct tz_names *ret, struct err *err);
void tz_names_done(struct tz_names *names);

#endif
