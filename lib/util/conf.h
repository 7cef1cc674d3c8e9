/* SPDX-License-Identifier: MIT */
/*
 * The configuration: an INI file, the environment and flags, read through the
 * one table in conf_keys.def, which also makes the structs.
 *
 * Order, the strongest first: a flag (-o section.key=value), the environment
 * (FLOWRRA_SECTION_KEY), a systemd credential (a file "section.key" in
 * $CREDENTIALS_DIRECTORY; SECRET keys only), the file, the default. A SECRET
 * with a password in it is refused in a flag. Unknown sections and keys in the
 * file are errors; FLOWRRA_* variables that name no key are ignored. Tasks,
 * declared in sections [task NAME], come from the file alone.
 */
#ifndef UTIL_CONF_H
#define UTIL_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "util/conf_type.h"

struct conf_task;
struct err;

/* struct conf_broker, struct conf_executor and so on, one for each section. */
#define CONF_SECTION(section) struct conf_##section {
#define CONF_KEY(section, name, type, ...) CONF_C_##type name;
/* clang-format off */
#define CONF_SECTION_END(section) };
/* clang-format on */
#include "util/conf_keys.def"

struct conf {
	struct {
		char *path;   /* of the file that was read; NULL: none was */
		bool secrets; /* there is a password in it */
	} file;
#define CONF_SECTION(section) struct conf_##section section;
#define CONF_KEY(section, name, type, ...)
#define CONF_SECTION_END(section)
#include "util/conf_keys.def"
	/* The [task NAME] sections, in their order; see conf_task.h. */
	struct conf_task **tasks;
	size_t n_tasks;
};

/*
 * Loads the configuration. `file` may be NULL: then the standard places are
 * tried ($XDG_CONFIG_HOME/flowrra.conf for a user, /etc/flowrra/flowrra.conf)
 * and none of them need exist. `settings` is a NULL-ended list of
 * "section.key=value", or NULL. Errors are ERR_CONFIG and name file and line
 * (or variable, or flag), key, and what is allowed. *ret is freed with
 * conf_free().
 */
int conf_load(const char *file, const char *const *settings, struct conf **ret,
	      struct err *err);
void conf_free(struct conf *conf);

/* Prints every key with its value in force, as a file conf_load() would read;
 * passwords in SECRET values are printed as "***". */
void conf_dump(const struct conf *conf, FILE *out);

/*
 * Names, for the log, of the keys whose values differ and that no reload
 * brings into force: "section.key, …"; free() it. NULL if there is none.
 */
char *conf_frozen_changes(const struct conf *old, const struct conf *next);

/*
 * This process' environment without what is not for the code of others: the
 * variables of SECRET keys, and those by which a service manager speaks to its
 * service. A NULL-ended array that borrows the strings; free() it. NULL when
 * memory runs out.
 */
char **conf_public_environment(void);

/* Cuts a list at spaces and commas into a NULL-ended array of strings; free
 * it with conf_list_free(). NULL when memory runs out. */
char **conf_list(const char *text);
void conf_list_free(char **list);

#endif
