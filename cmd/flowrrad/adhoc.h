/* SPDX-License-Identifier: MIT */
/* Whether this worker runs commands that nobody has declared. */
#ifndef FLOWRRAD_ADHOC_H
#define FLOWRRAD_ADHOC_H

struct conf;

/*
 * The path of the embedded database whose commands the worker runs ([exec]
 * adhoc); free() it. NULL: none, and where the configuration wants it otherwise a
 * warning is logged that says why. The module exec judges the database once more
 * before each command.
 */
char *adhoc_store(const struct conf *conf);

#endif
