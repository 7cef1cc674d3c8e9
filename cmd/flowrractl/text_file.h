/* SPDX-License-Identifier: MIT */
/* Files of text that a verb reads as a whole. */
#ifndef FLOWRRACTL_TEXT_FILE_H
#define FLOWRRACTL_TEXT_FILE_H

struct buf;
struct ctl;

/* Appends a whole file, "-" is standard input. 0, or the exit status after a
 * complaint. */
int text_file_read(struct ctl *ctl, const char *path, struct buf *text);

/* Complains of a line, as compilers write it, so that editors find it; 0: of the
 * file. */
void text_file_complain(struct ctl *ctl, const char *name, int line,
			const char *text);

#endif
