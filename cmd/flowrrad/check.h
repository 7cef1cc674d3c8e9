/* SPDX-License-Identifier: MIT */
/* flowrrad --check: whether a worker with this configuration would have all
 * that it names. */
#ifndef FLOWRRAD_CHECK_H
#define FLOWRRAD_CHECK_H

struct conf;
struct err;

/*
 * Starts an executor, which loads all modules and finds all commands, and ends
 * it again. -1 with *err (ERR_CONFIG) that names what was refused first; all of
 * it is logged.
 */
int check_modules(const struct conf *conf, struct err *err);

#endif
