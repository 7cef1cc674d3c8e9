/* SPDX-License-Identifier: MIT */
/* What the modules of others are told: the [module NAME] sections, with the
 * content of the credentials that they name. */
#ifndef FLOWRRAD_MODULE_CONFIG_H
#define FLOWRRAD_MODULE_CONFIG_H

struct conf;
struct err;

/*
 * JSON by module name, each an object of texts; the caller wipes and frees it.
 * NULL with *err (ERR_CONFIG) for a credential that cannot be read. A module is
 * null if this process has no credentials at all and it needs some, as in a
 * check of a service.
 */
char *module_config_write(const struct conf *conf, struct err *err);

/* Overwrites such a text and frees it. */
void module_config_free(char *json);

#endif
