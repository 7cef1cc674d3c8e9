/* SPDX-License-Identifier: MIT */
/*
 * The files of the benchmark, in a directory of their own. All functions end
 * the program with a message when something fails.
 */
#ifndef BENCH_FILES_H
#define BENCH_FILES_H

#include <stdio.h>

struct files {
	char *dir;
	char *conf;  /* flowrra.conf, which files_write_conf() writes */
	char *tasks; /* what is submitted in bulk, one a line */
	char *ids;   /* and the ids that come of it */
	char *out;   /* what a program prints */
	struct page *page;
};
extern struct files files;

void files_make(void);
void files_remove(void);
/* For flowrrad and flowrractl: broker and backend are at `url`. */
void files_write_conf(const char *url);
/* The same with metrics at `socket` and spans in a file: all that can be observed
 * is. */
void files_write_watched_conf(const char *url, const char *socket);
FILE *files_open(const char *path, const char *mode);

#endif
