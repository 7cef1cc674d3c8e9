/* SPDX-License-Identifier: MIT */
/* The name of the zone that this machine's clock shows. The C library needs no
 * name, but a schedule that is stored does: it fires by it elsewhere, too. */
#include "cron/tz.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/err.h"

/* Whether it is a name that tz_find() can take. */
static bool
take_zone(const char *name, char zone[TZ_NAME_MAX + 1])
{
	struct tz_set *set = tz_set_new(NULL, NULL);
	const size_t len = strlen(name);
	const bool there = set != NULL && len > 0 && len <= TZ_NAME_MAX &&
			   tz_find(set, slice_of(name), NULL) != NULL;

	/* As it is where nothing is set. */
	if (there && strcmp(name, "Etc/UTC") == 0)
		memcpy(zone, "UTC", sizeof("UTC"));
	else if (there)
		memcpy(zone, name, len + 1);
	tz_set_free(set);
	return there;
}

/* Of a path the part that names the zone, whichever folder the data is in. */
static bool
take_path(const char *path, char zone[TZ_NAME_MAX + 1])
{
	static const char folder[] = "zoneinfo/";
	const char *name = strstr(path, folder);

	return name != NULL && take_zone(name + strlen(folder), zone);
}

static bool
take_link(const char *etc, char zone[TZ_NAME_MAX + 1])
{
	char path[PATH_MAX], text[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "%s/localtime", etc);
	len = readlink(path, text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	return take_path(text, zone);
}

static bool
take_debian(const char *etc, char zone[TZ_NAME_MAX + 1])
{
	char path[PATH_MAX], text[PATH_MAX] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/timezone", etc);
	if ((file = fopen(path, "re")) == NULL)
		return false;
	if (fgets(text, sizeof(text), file) != NULL)
		text[strcspn(text, " \r\n")] = '\0';
	fclose(file);
	return take_zone(text, zone);
}

/* In the order of the C library and of Debian's tools. */
int
tz_local_name(const char *etc, char ret[TZ_NAME_MAX + 1], struct err *err)
{
	const char *tz = getenv("TZ");

	if (etc == NULL)
		etc = "/etc";
	if (tz != NULL && tz[0] != '\0') {
		tz += *tz == ':';
		if (*tz == '/' ? take_path(tz, ret) : take_zone(tz, ret))
			return 0;
		/* The clock follows it all the same, so that another name would be
		 * that of another clock. */
		return err_set(err, ERR_DATA,
			       "the time zone of this machine has no name (TZ "
			       "is \"%.64s\"); write one such as "
			       "Europe/Berlin",
			       tz);
	}
	if (take_link(etc, ret) || take_debian(etc, ret))
		return 0;
	return err_set(err, ERR_DATA,
		       "the time zone of this machine has no name (neither the "
		       "link %s/localtime nor %s/timezone has one); set TZ, or "
		       "write a zone such as Europe/Berlin",
		       etc, etc);
}
