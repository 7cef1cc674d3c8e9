/* SPDX-License-Identifier: MIT */
/*
 * The keys of the configuration as tables, and their values as text. Private to
 * conf*.c, those who hand tasks to executors, and the tests; everybody else
 * uses util/conf.h.
 */
#ifndef UTIL_CONF_KEY_H
#define UTIL_CONF_KEY_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct conf;
struct err;

enum conf_type {
	/* Texts. */
	CONF_STRING,
	CONF_SECRET,
	CONF_QUEUES,
	CONF_WORKER,
	CONF_COMMAND,
	CONF_ENVIRONMENT,
	CONF_DIRECTORY,
	CONF_USER,
	CONF_QUEUE,
	CONF_LINE,
	CONF_CODES,
	CONF_ARGUMENTS,
	CONF_OUTPUT,
	CONF_STATUSES,
	CONF_RATE,
	CONF_PATH,
	/* Others. */
	CONF_UINT,
	CONF_DURATION,
	CONF_SIZE,
	CONF_BOOL,
	CONF_LEVEL,
	CONF_FORMAT,
	CONF_TIMES,
	CONF_ADHOC,
};

/* The flags of conf_keys.def and conf_task_keys.def. */
enum { RELOAD = 1, OPTIONAL = 2, REPEATED = 4, NEVER = 8 };

struct conf_key {
	const char *section;
	const char *name;
	enum conf_type type;
	const char *standard; /* the default, as text */
	double min;
	double max;
	unsigned int flags;
	const char *help;
	size_t offset; /* of the value in its struct */
};

extern const struct conf_key conf_keys[];
extern const size_t conf_n_keys;

/* The variable of a key, FLOWRRA_SECTION_KEY; the longest is half of it. */
#define CONF_VARIABLE_PREFIX "FLOWRRA_"
#define CONF_VARIABLE_SIZE 64
void conf_variable_name(const struct conf_key *key,
			char name[CONF_VARIABLE_SIZE]);
/* Whether an entry of the environment begins as all of them do. */
bool conf_variable_may_be_ours(const char *entry);
/* Of a section [task NAME]. */
extern const struct conf_key conf_task_keys[];
extern const size_t conf_n_task_keys;

/* Finds a section or a key; when there is none, the error (ERR_CONFIG) names
 * the one that was probably meant. */
int conf_key_check_section(const char *section, struct err *err);
const struct conf_key *conf_key_find(const char *section, const char *name,
				     struct err *err);
const struct conf_key *conf_task_key_find(const char *name, struct err *err);

/*
 * `values` is the struct that the key's table describes: struct conf, or struct
 * conf_task.
 *
 * Sets the value from its text, blanks around it ignored. The error
 * (ERR_CONFIG) says what is wrong and what is allowed, but neither names the
 * key nor quotes the text. *values is unchanged on failure.
 */
int conf_key_set(const struct conf_key *key, void *values, const char *text,
		 struct err *err);
/* Frees what conf_key_set() allocated; a secret is overwritten first. */
void conf_key_clear(const struct conf_key *key, void *values);

/* Appends the value as conf_key_set() reads it, whole, passwords too. */
void conf_key_print(const struct conf_key *key, const void *values,
		    struct buf *out);
/* Appends a SECRET's text with its passwords replaced by "***". */
void conf_key_mask(const char *secret, struct buf *out);

/* Whether a key's value is a text (char *). */
bool conf_key_is_text(const struct conf_key *key);
/* Checks a text, without blanks around it, against the key's type and range;
 * -1 with *err as of conf_key_set(). */
int conf_key_check_text(const struct conf_key *key, const char *text,
			struct err *err);

#endif
