/* SPDX-License-Identifier: MIT */
/* flowrrad --check: whether a worker with this configuration would have all
 * that it names. */
#ifndef FLOWRRAD_CHECK_H
#define FLOWRRAD_CHECK_H

struct conf;
struct findings;

/*
 * Looks at the URLs, the limits, the commands and their users, and has an executor
 * load all modules; adds all that is wrong, each with its place in the file.
 */
void check_examine(const struct conf *conf, struct findings *findings);

#endif
