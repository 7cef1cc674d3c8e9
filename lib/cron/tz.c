/* SPDX-License-Identifier: MIT */
/*
 * Zones, and the set that has read them. A zone is read when it is first asked
 * for and kept as long as the set: thousands of schedules share a few zones.
 * New data means a new set.
 */
#include "cron/tz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cron/tz_path.h"
#include "cron/tz_span.h"
#include "util/closest.h"
#include "util/err.h"

/* The largest files of the tz database have 4 KiB. This keeps what is not one
 * of them from filling memory. */
#define FILE_MAX (1 << 20)

/* UTC needs no file: schedules without a zone work where tzdata is missing. */
static const struct tz_span utc_spans[] = {
    {.start_s = -TZ_NEVER_S, .peak_s = -TZ_NEVER_S},
    {.start_s = TZ_NEVER_S, .peak_s = INT64_MAX},
};
static char utc_name[] = "UTC";
/* Nothing writes to a zone once it is made. */
static const struct tz utc = {
    .name = utc_name, .spans = (struct tz_span *)utc_spans, .count = 1};

struct tz_set {
	char *folder;
	struct tz **zones; /* in the order of their names */
	size_t count, cap;
};

const struct tz *
tz_utc(void)
{
	return &utc;
}

const char *
tz_name(const struct tz *zone)
{
	return zone->name;
}

int32_t
tz_offset_s(const struct tz *zone, int64_t instant_s)
{
	return tz_span_at(zone, instant_s)->offset_s;
}

/* The last span is a guard that begins at the end of time. */
int64_t
tz_transition_s(const struct tz *zone, int64_t instant_s)
{
	const struct tz_span *span = tz_span_at(zone, instant_s) + 1;

	return span->start_s == TZ_NEVER_S ? INT64_MAX : span->start_s;
}

struct tz_set *
tz_set_new(const char *folder, struct err *err)
{
	struct tz_set *set = calloc(1, sizeof(*set));

	if (set != NULL)
		set->folder = strdup(folder != NULL ? folder : tz_folder());
	if (set == NULL || set->folder == NULL) {
		free(set);
		err_nomem(err);
		return NULL;
	}
	return set;
}

void
tz_set_free(struct tz_set *set)
{
	size_t i;

	if (set == NULL)
		return;
	for (i = 0; i < set->count; i++)
		tz_free(set->zones[i]);
	free(set->zones);
	free(set->folder);
	free(set);
}

/* Where a name is in the set, or belongs. A search by halves. */
static size_t
tz_position(const struct tz_set *set, const char *name, bool *ret_found)
{
	size_t low = 0, high = set->count, middle;
	int order;

	*ret_found = false;
	while (low < high) {
		middle = (low + high) / 2;
		order = strcmp(set->zones[middle]->name, name);
		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Says that the zone is unknown, with names that are close. */
static void
unknown(const struct tz_set *set, const char *name, struct err *err)
{
	struct closest close = CLOSEST_INIT(name);
	struct tz_names names;
	char text[CLOSEST_TEXT_SIZE];
	const char *slash;
	size_t i;

	if (tz_names_read(set->folder, &names, err) != 0) {
		err_prefix(err, "cannot find the time zone \"%s\"", name);
		return;
	}
	for (i = 0; i < names.count; i++) {
		slash = strrchr(names.names[i], '/');
		/* Somebody who types Berlin means Europe/Berlin. */
		if (slash != NULL && strchr(name, '/') == NULL &&
		    strcasecmp(slash + 1, name) == 0)
			closest_put(&close, names.names[i], 0);
		else
			closest_offer(&close, names.names[i]);
	}
	if (closest_write(&close, text) > 0)
		err_set(err, ERR_DATA,
			"unknown time zone \"%s\"; did you mean %s?", name,
			text);
	else
		err_set(err, ERR_DATA,
			"unknown time zone \"%s\" in %s; write one such as "
			"\"Europe/Berlin\" (`timedatectl list-timezones` lists "
			"all)",
			name, set->folder);
	tz_names_done(&names);
}

/* Reads the file into *ret, to be freed. Returns 1 when there is none. */
static int
tz_read_file(const char *path, struct buf *ret, struct err *err)
{
	struct stat st;
	ssize_t got;
	int status = -1;
	/* Without O_NONBLOCK, a FIFO would hold us up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
		    errno == ENAMETOOLONG)
			return 1;
		return err_sys(err, ERR_SYSTEM,
			       "cannot read the time zone file %s", path);
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		status = 1;
		goto done;
	}
	if (st.st_size > FILE_MAX || buf_reserve(ret, FILE_MAX) != 0) {
		err_set(err, ERR_DATA,
			"cannot read the time zone file %s: it has more than "
			"1 MiB, or memory ran out",
			path);
		goto done;
	}
	/* Until its end: the size may have changed since fstat(). */
	while ((got = read(fd, ret->data + ret->len, FILE_MAX - ret->len)) != 0)
		if (got > 0)
			ret->len += (size_t)got;
		else if (errno != EINTR)
			break;
	if (got == 0)
		status = 0;
	else
		err_sys(err, ERR_SYSTEM, "cannot read the time zone file %s",
			path);

done:
	close(fd);
	return status;
}

/* The name was checked: it cannot lead out of the folder. */
static struct tz *
tz_load(const struct tz_set *set, const char *name, struct err *err)
{
	struct buf path = BUF_INIT;
	struct buf bytes = BUF_INIT;
	struct tz *zone = NULL;

	buf_addf(&path, "%s/%s", set->folder, name);
	if (path.failed)
		err_nomem(err);
	else
		switch (tz_read_file(path.data, &bytes, err)) {
		case 0:
			zone = tz_read((struct slice){bytes.data, bytes.len},
				       name, err);
			break;
		case 1:
			unknown(set, name, err);
			break;
		default:
			break;
		}
	buf_done(&path);
	buf_done(&bytes);
	return zone;
}

/* Puts a zone into the set, which then owns it. In order, so that tz_position()
 * can halve; zones are few and moves are rare. */
static int
tz_keep(struct tz_set *set, size_t at, struct tz *zone, struct err *err)
{
	size_t cap = set->cap > 0 ? 2 * set->cap : 16;
	struct tz **zones;

	if (set->count == set->cap) {
		zones = reallocarray(set->zones, cap, sizeof(struct tz *));
		if (zones == NULL)
			return err_nomem(err);
		set->zones = zones;
		set->cap = cap;
	}
	memmove(set->zones + at + 1, set->zones + at,
		(set->count - at) * sizeof(struct tz *));
	set->zones[at] = zone;
	set->count++;
	return 0;
}

/* A zone that is not found is looked for again the next time: tzdata may have
 * been installed by then. */
const struct tz *
tz_find(struct tz_set *set, struct slice name, struct err *err)
{
	char text[TZ_NAME_MAX + 1];
	struct tz *zone;
	bool found;
	size_t at;

	if (slice_eq(name, SLICE("UTC")))
		return &utc;
	if (tz_check_name(name, err) != 0)
		return NULL;
	memcpy(text, name.p, name.len);
	text[name.len] = '\0';
	at = tz_position(set, text, &found);
	if (found)
		return set->zones[at];
	zone = tz_load(set, text, err);
	if (zone != NULL && tz_keep(set, at, zone, err) != 0) {
		tz_free(zone);
		return NULL;
	}
	return zone;
}
