/* SPDX-License-Identifier: MIT */
/*
 * What imports of schedules have in common.
 *
 * What is imported becomes entries of a file, and is applied as one: so an
 * import can be repeated, removes what is gone, and is told in the same words.
 */
#include "manager/schedule_import.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/err.h"

void
schedule_local_zone(char zone[TZ_NAME_MAX + 1])
{
	if (tz_local_name(NULL, zone, NULL) != 0)
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
				   &fault, &why) == 0) {
			schedule_draft_done(&draft);
			return 0;
		}
		buf_done(&e->scratch);
		free(e->owner);
		file->n--;
	}
	schedule_import_refuse(import, line, "%s", why.msg);
	return 0;
}
