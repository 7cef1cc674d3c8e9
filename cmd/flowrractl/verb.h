/* SPDX-License-Identifier: MIT */
/*
 * Verbs: what flowrractl can do. A table of them drives the dispatch, --help
 * and the usage errors; a table of options drives the parsing of each.
 */
#ifndef FLOWRRACTL_VERB_H
#define FLOWRRACTL_VERB_H

#include <stdbool.h>
#include <stddef.h>

#include "manager/value.h"

struct err;
struct flowrra_client;
struct flowrra_error;

struct option_spec {
	const char *name;
	char letter;	 /* 0: it has no short form */
	const char *arg; /* what --help calls the value; NULL: it has none */
	const char *help;
	struct value_spec value; /* FLAG and SWITCH become true */
};

/* Options of all verbs. */
struct globals {
	const char *config_file;
	struct value_list settings;
	bool dump_config;
	bool help;
	bool version;
	bool json;
	bool quiet;
};

struct ctl {
	const struct verb *verb; /* NULL before it is known */
	struct globals globals;
	struct flowrra_client *client; /* once ctl_open() was called */
	int complaints;
};

struct verb {
	const char *name; /* one word or two */
	const char *summary;
	const char *usage; /* what follows the name */
	const struct option_spec *options;
	size_t n_options;
	size_t options_size;	     /* of the struct that they fill */
	void (*init)(void *options); /* its defaults; NULL: zeroes */
	int min_args, max_args;	     /* -1: any number */
	/* Returns the exit status. */
	int (*run)(struct ctl *ctl, int argc, char **argv, void *options);
};

extern const struct verb verb_cancel, verb_help, verb_result,
    verb_schedule_cron, verb_schedule_delete, verb_schedule_disable,
    verb_schedule_enable, verb_schedule_interval, verb_schedule_list,
    verb_schedule_next, verb_schedule_once, verb_schedule_run,
    verb_schedule_show, verb_schedule_stats, verb_submit, verb_tasks_info,
    verb_tasks_registered, verb_version, verb_wait;

/* All of them, NULL at the end. */
extern const struct verb *const verbs[];
extern const struct option_spec global_options[];
extern const size_t n_global_options;

/*
 * Parses argv[1…] with the verb's options (NULL: none) and the global ones into
 * `options` and `globals`. Words that are no options, negative numbers among
 * them, are moved to `words` (room for argc), in their order; with no verb,
 * parsing ends at the first. Returns their number, or -1 with *err: ERR_USAGE,
 * or ERR_DATA for a value.
 */
int options_parse(const struct verb *verb, int argc, char **argv,
		  struct globals *globals, void *options, char **words,
		  struct err *err);

/* --- what verbs have in common ----------------------------------------- */

/* Opens the client. 0, or the exit status after a complaint. */
int ctl_open(struct ctl *ctl);

/* One line on standard error: "flowrractl: VERB: …". Control characters are
 * masked; with --quiet nothing is printed. */
void complain(struct ctl *ctl, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Complains and returns the error's code. */
int complain_of(struct ctl *ctl, const struct flowrra_error *error);

/* Prints JSON without its optional white space. */
void print_compact(const char *json);
/* Prints text as a JSON string. */
void print_quoted(const char *text);

/* A table for a terminal; elsewhere columns with tabs between and no header.
 * `cells` has n_rows × n_columns texts, row by row; NULL is an empty cell. */
int print_table(const char *const *columns, size_t n_columns,
		const char *const *cells, size_t n_rows);

/* Help: of the program, or of a verb; and all of it as JSON. */
void print_help(const struct verb *verb);
void print_help_json(void);

#endif
