/* SPDX-License-Identifier: MIT */
/*
 * What the configuration has for modules: their [module NAME] sections, whose
 * keys only the module knows.
 *
 * A value is a text, or "@credential:FILE", which stands for the content of a
 * file: a credential of the unit, or one that the services share. "@@" stands
 * for an "@" at the beginning. What is in such a file is in no struct conf, so
 * that nothing that prints one can tell it.
 */
#ifndef UTIL_CONF_MODULE_H
#define UTIL_CONF_MODULE_H

#include <stddef.h>

struct buf;
struct conf;
struct err;

struct conf_module_value {
	char *key;
	char *text; /* as it is written */
	int line;
};

struct conf_module {
	char *name;
	char *path; /* of the file, and the line there */
	int line;
	struct conf_module_value *values;
	size_t n;
};

/* A section that begins in this place; the first of its name. -1 with *err
 * (ERR_CONFIG). */
int conf_module_begin(struct conf *conf, const char *name, const char *path,
		      int line, struct err *err);
/* A key of the last section that has begun. */
int conf_module_set(struct conf *conf, const char *key, const char *text,
		    int line, struct err *err);
void conf_module_free(struct conf_module *m);

/* Appends a value as it may be shown: a URL without its password. */
void conf_module_mask(const char *text, struct buf *out);

/*
 * Appends what a value stands for. Returns 0; 1 if it is a credential and this
 * process has no folder for any, as a check of a service (nothing is appended);
 * -1 with *err (ERR_CONFIG), which names the place and never quotes a content.
 */
int conf_module_read(const struct conf_module *m,
		     const struct conf_module_value *v, struct buf *out,
		     struct err *err);

#endif
