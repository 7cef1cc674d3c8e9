/* SPDX-License-Identifier: MIT */
/* flowrrad --check: whether the commands of [task NAME] sections are there. */
#ifndef FLOWRRAD_COMMANDS_H
#define FLOWRRAD_COMMANDS_H

#include <stddef.h>

struct conf;

/* Logs each task whose program or directory is missing, or is not a program or
 * a directory; returns their number. */
size_t commands_missing(const struct conf *conf);

#endif
