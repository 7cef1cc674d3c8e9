/* SPDX-License-Identifier: MIT */
/* flowrrad --check: whether modules can be loaded, as an executor says. */
#ifndef FLOWRRAD_LOADABLE_H
#define FLOWRRAD_LOADABLE_H

struct conf;
struct findings;
struct modules;

/*
 * Has flowrra-executor --check load the modules, and adds what it refuses. A
 * module that ends the process, or that keeps it for ten seconds, is named, and
 * the others are tried without it.
 */
void loadable_check(const struct conf *conf, const struct modules *modules,
		    struct findings *findings);

#endif
