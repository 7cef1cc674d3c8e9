/* SPDX-License-Identifier: MIT */
/* Reads configuration files. Private to conf.c. */
#ifndef UTIL_CONF_FILE_H
#define UTIL_CONF_FILE_H

struct buf;
struct conf;
struct err;

/*
 * Appends a whole file of text to `out`. Returns 0; 1 when there is no such
 * file (no error is set); or -1: unreadable, a directory, larger than a
 * configuration can be, or with a NUL byte in it (ERR_CONFIG).
 */
int conf_file_read(const char *path, struct buf *out, struct err *err);

/* Sets in *conf what `text` says, the content of the file `path`. Errors are
 * ERR_CONFIG and begin with "path:line: ". */
int conf_file_parse(const char *path, const char *text, struct conf *conf,
		    struct err *err);

#endif
