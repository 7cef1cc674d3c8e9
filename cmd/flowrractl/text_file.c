/* SPDX-License-Identifier: MIT */
/* Files of text that a verb reads as a whole. */
#include "text_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/buf.h"
#include "util/err.h"
#include "verb.h"

/* Far beyond a hundred thousand schedules; it keeps a wrong path from filling
 * memory. */
#define FILE_MAX (256 * 1024 * 1024)

/* In one piece: the line of a mistake is counted from its beginning, and a file
 * that breaks off must not be half applied. */
int
text_file_read(struct ctl *ctl, const char *path, struct buf *text)
{
	const bool standard = strcmp(path, "-") == 0;
	FILE *file = standard ? stdin : fopen(path, "re");
	size_t n = 1;

	while (file != NULL && n > 0 && text->len < FILE_MAX &&
	       buf_reserve(text, 65536) == 0) {
		n = fread(text->data + text->len, 1, 65536, file);
		text->len += n;
		text->data[text->len] = '\0';
	}
	if (file == NULL || ferror(file)) {
		complain(ctl, "cannot read %s: %s", path, strerror(errno));
		n = 1;
	} else if (n > 0) {
		complain(ctl, "%s is too large", path);
	} else if (strlen(text->data) != text->len) {
		complain(ctl, "%s: NUL byte; give a file of text", path);
		n = 1;
	}
	if (file != NULL && !standard)
		fclose(file);
	return n == 0 ? 0 : err_exit_status(ERR_DATA);
}

void
text_file_complain(struct ctl *ctl, const char *name, int line,
		   const char *text)
{
	if (line > 0)
		complain(ctl, "%s:%d: %s", name, line, text);
	else
		complain(ctl, "%s: %s", name, text);
}
