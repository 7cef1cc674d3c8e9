/* SPDX-License-Identifier: MIT */
/*
 * What imports of schedules have in common.
 *
 * What is imported becomes entries of a file, and is applied as one: so an
 * import can be repeated, removes what is gone, and is told in the same words.
 */
#include "manager/schedule_import.h"

#include <limits.h>
#include <stdarg.h>
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

/* In the order of the C library and of Debian's tools. */
void
schedule_local_zone(char zone[TZ_NAME_MAX + 1])
{
	const char *tz = getenv("TZ"), *name;
	char text[PATH_MAX] = "";
	FILE *file;
	ssize_t len;

	if (tz != NULL && take_zone(tz + (*tz == ':'), zone))
		return;
	len = readlink("/etc/localtime", text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	name = strstr(text, "zoneinfo/");
	if (name != NULL && take_zone(name + strlen("zoneinfo/"), zone))
		return;
	text[0] = '\0';
	if ((file = fopen("/etc/timezone", "re")) != NULL) {
		if (fgets(text, sizeof(text), file) != NULL)
			text[strcspn(text, " \r\n")] = '\0';
		fclose(file);
	}
	if (!take_zone(text, zone))
		memcpy(zone, "UTC", sizeof("UTC"));
}

/* Counted, so that the exit status says it, too. */
void
schedule_import_refuse(struct schedule_import *import, int line,
		       const char *fmt, ...)
{
	char text[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	import->refused++;
	import->refuse(import->arg, line, text);
}

/* Drafted as if it were new: what would not fire is known with its line then,
 * and one mistake does not keep the rest of the file away. */
int
schedule_import_add(struct schedule_import *import, struct schedule_file *file,
		    const json_t *object, int line, struct err *err)
{
	struct schedule_draft draft;
	struct schedule_fault fault;
	struct schedule_entry *e;
	struct err why = ERR_INIT;

	if (schedule_file_add(file, object, line, &why) != 0) {
		if (why.code != ERR_DATA)
			return err_set(err, why.code, "%s", why.msg);
	} else {
		e = &file->entries[file->n - 1];
		if (schedule_draft(&e->form, NULL, import->now_us, &draft,
				   &fault, &why) == 0)
			return 0;
		buf_done(&e->scratch);
		free(e->owner);
		file->n--;
	}
	schedule_import_refuse(import, line, "%s", why.msg);
	return 0;
}
