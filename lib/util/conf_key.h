/* SPDX-License-Identifier: MIT */
/*
 * The keys of the configuration as a table, and their values as text. Private
 * to conf.c and the tests; everybody else uses util/conf.h.
 */
#ifndef UTIL_CONF_KEY_H
#define UTIL_CONF_KEY_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct conf;
struct err;

enum conf_type {
	CONF_STRING,
	CONF_SECRET,
	CONF_UINT,
	CONF_DURATION,
	CONF_SIZE,
	CONF_BOOL,
	CONF_LEVEL,
};

/* The flags of conf_keys.def. */
enum { RELOAD = 1 };

struct conf_key {
	const char *section;
	const char *name;
	enum conf_type type;
	const char *standard; /* the default, as text */
	double min;
	double max;
	unsigned int flags;
	const char *help;
	size_t offset; /* of the value in struct conf */
};

extern const struct conf_key conf_keys[];
extern const size_t conf_n_keys;

/* Finds a section or a key; when there is none, the error (ERR_CONFIG) names
 * the one that was probably meant. */
int conf_key_check_section(const char *section, struct err *err);
const struct conf_key *conf_key_find(const char *section, const char *name,
				     struct err *err);

/*
 * Sets the value from its text, blanks around it ignored. The error
 * (ERR_CONFIG) says what is wrong and what is allowed, but neither names the
 * key nor quotes the text. *conf is unchanged on failure.
 */
int conf_key_set(const struct conf_key *key, struct conf *conf,
		 const char *text, struct err *err);
/* Frees what conf_key_set() allocated; a secret is overwritten first. */
void conf_key_clear(const struct conf_key *key, struct conf *conf);

/* Appends the value as conf_key_set() reads it, whole, passwords too. */
void conf_key_print(const struct conf_key *key, const struct conf *conf,
		    struct buf *out);
/* Appends a SECRET's text with its passwords replaced by "***". */
void conf_key_mask(const char *secret, struct buf *out);

#endif
