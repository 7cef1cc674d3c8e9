/* SPDX-License-Identifier: MIT */
/* How many open files a worker needs. */
#ifndef FLOWRRAD_FILES_H
#define FLOWRRAD_FILES_H

struct conf;
struct err;

/*
 * Whether this process may have as many open files as a worker of this
 * configuration needs to work at all; commands and further cpu executors wait
 * when there are no more. -1 with *err (ERR_CONFIG), which has the number.
 */
int files_check(const struct conf *conf, struct err *err);

#endif
