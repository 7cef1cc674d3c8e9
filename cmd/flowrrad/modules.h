/* SPDX-License-Identifier: MIT */
/* From the names in [worker] modules to files. */
#ifndef FLOWRRAD_MODULES_H
#define FLOWRRAD_MODULES_H

struct err;

/*
 * Cuts the list and makes each member an absolute path: one with a slash in it
 * or ".so" at its end is taken from the working directory, a bare name is
 * looked up where modules are installed ("demo": ../lib/flowrra/demo.so, seen
 * from the program). Whether they can be loaded, the executor says.
 * conf_list_free() it.
 */
char **modules_resolve(const char *list, struct err *err);

#endif
