/* SPDX-License-Identifier: MIT */
/*
 * Verbs: what flowrractl can do. A table of them drives the dispatch, --help
 * and the usage errors; a table of options drives the parsing of each.
 */
#ifndef FLOWRRACTL_VERB_H
#define FLOWRRACTL_VERB_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "manager/value.h"
#include "style.h"

struct conf;
struct err;
struct flowrra_client;
struct flowrra_error;

struct option_spec {
	const char *name;
	char letter;	 /* 0: it has no short form */
	const char *arg; /* what --help calls the value; NULL: it has none, and
			    "[=X]": it may be left out */
	const char *help;
	struct value_spec value; /* FLAG and SWITCH become true */
};

/* An option_spec whose value is a member of `holder`, a struct; `kind` is what
 * follows VALUE_, and `short_form` may be 0. */
#define VERB_OPTION(holder, short_form, option, value_name, kind, member, low, \
		    high, text)                                                \
	{                                                                      \
		.name = (option), .letter = (short_form), .arg = (value_name), \
		.help = (text), .value = {                                     \
			.type = VALUE_##kind,                                  \
			.offset = offsetof(holder, member),                    \
			.min = (low),                                          \
			.max = (high)                                          \
		}                                                              \
	}

/* Options of all verbs; the strings are the command line's. */
struct globals {
	const char *config_file;
	struct value_list settings;
	bool dump_config;
	bool help;
	bool version;
	bool user;
	bool json;
	bool quiet;
	bool wide, no_headers, absolute;
	const char *columns, *sort; /* NULL: not given; so are the next */
	const char *json_fields, *format;
	const char *color_word, *watch_period;
	enum style_when color;
	double watch_s; /* 0: once */
};

struct ctl {
	const struct verb *verb; /* NULL before it is known */
	struct globals globals;
	struct conf *conf;	       /* once ctl_conf() was called */
	struct flowrra_client *client; /* once ctl_open() was called */
	char *ids; /* that words were the beginnings of; NULL: none */
	struct gateway *gateway; /* instead of a client */
	struct own_task *own;	 /* the same, once ctl_open_near() was called */
	bool progress;		 /* a line of progress is on the terminal */
	bool is_other_user;	 /* it was root: see owner.c */
};

/* What a verb's words are, for completion. */
enum word_kind {
	WORD_ANY, /* nothing that could be listed: files may do */
	WORD_TASK_NAME,
	WORD_TASK_ID,	/* of those that have not ended */
	WORD_RESULT_ID, /* of any */
	WORD_DEAD_ID,
	WORD_QUEUE,
	WORD_WORKER,
	WORD_SCHEDULE,
	WORD_VERB,
	WORD_SHELL
};

struct verb {
	const char *name;  /* one word or two */
	const char *alias; /* another name for it; NULL: none */
	const char *summary;
	const char *usage; /* what follows the name */
	const struct option_spec *options;
	size_t n_options;
	size_t options_size;	     /* of the struct that they fill */
	void (*init)(void *options); /* its defaults; NULL: zeroes */
	int min_args, max_args;	     /* -1: any number */
	bool looks; /* it only looks: --watch may run it again and again */
	enum word_kind words;
	bool gateway; /* ctl_open() may open the gateway, if it has to */
	bool
	    is_prefix; /* its options end at its first word: env does so, too */
	/* Returns the exit status. */
	int (*run)(struct ctl *ctl, int argc, char **argv, void *options);
};

extern const struct verb verb_cancel, verb_chain, verb_check, verb_complete,
    verb_completion, verb_doctor, verb_events, verb_export, verb_import,
    verb_health, verb_help, verb_limit_list, verb_limit_set, verb_limit_show,
    verb_limit_unset, verb_logs, verb_metrics, verb_move, verb_progress,
    verb_queue_pause, verb_queue_purge, verb_queue_resume, verb_queues,
    verb_result, verb_run, verb_schedule_apply, verb_schedule_cron,
    verb_schedule_delete, verb_schedule_disable, verb_schedule_edit,
    verb_schedule_enable, verb_schedule_export, verb_schedule_history,
    verb_schedule_import, verb_schedule_interval, verb_schedule_list,
    verb_schedule_next, verb_schedule_once, verb_schedule_run,
    verb_schedule_show, verb_schedule_stats, verb_stats, verb_status,
    verb_submit, verb_tasks, verb_tasks_completed, verb_tasks_dead,
    verb_tasks_delayed, verb_tasks_delete, verb_tasks_failed, verb_tasks_info,
    verb_tasks_pending, verb_tasks_registered, verb_tasks_retry,
    verb_tasks_retrying, verb_tasks_run, verb_tasks_running, verb_tasks_show,
    verb_tasks_signal, verb_top, verb_version, verb_wait, verb_web,
    verb_web_token, verb_where, verb_worker_quiet, verb_worker_reload,
    verb_worker_resume, verb_worker_stop, verb_workers, verb_workflow_begin,
    verb_workflow_cancel, verb_workflow_list, verb_workflow_repair,
    verb_workflow_retry, verb_workflow_seal, verb_workflow_show,
    verb_workflow_submit, verb_workflow_wait;

/* All of them, NULL at the end. */
extern const struct verb *const verbs[];
extern const struct option_spec global_options[];
extern const size_t n_global_options;

/*
 * Parses argv[1…] with the verb's options (NULL: none) and the global ones into
 * `options` and `globals`. Words that are not options, negative numbers among
 * them, are moved to `words` (room for argc), in their order; with no verb,
 * parsing ends at the first. Returns their number, or -1 with *err: ERR_USAGE,
 * or ERR_DATA for a value.
 */
int options_parse(const struct verb *verb, int argc, char **argv,
		  struct globals *globals, void *options, char **words,
		  struct err *err);

/* --- what verbs have in common ----------------------------------------- */

/*
 * The configuration, loaded at the first call; it stays ctl's. Of root, whose
 * stores (with `schedules`, also theirs) are files of another user, the program
 * becomes that user with it: see owner.c. NULL with *err.
 */
struct conf *ctl_conf(struct ctl *ctl, bool schedules, struct err *err);
/* Has --user among the settings, if it was given; to be called again after more
 * options. */
void ctl_take_user(struct ctl *ctl);
/* Opens the client; or ctl->gateway, if the verb can use it and the user may not open
 * the services' store. 0, or the exit status after a complaint. */
int ctl_open(struct ctl *ctl);
/* Within a command that a task runs, opens ctl->own instead, unless a store was named: the
 * worker of that task has the store. */
int ctl_open_near(struct ctl *ctl);
/* The gateway's socket, for a user who was refused the store for the reason `why`; "": there
 * is none, or this user may not use it. free() it; NULL with *err. */
char *ctl_gateway(const struct ctl *ctl, const struct err *why,
		  struct err *err);
/* Refuses what only a client can do: ERR_USAGE with "WHAT: …". 0 with one. */
int ctl_need_store(const struct ctl *ctl, const char *what, struct err *err);
/* The same for a verb that looks at the schedules, too. */
int ctl_open_all(struct ctl *ctl);

/* Whether this user may open the schedules' database; if not, and the verb can use it,
 * opens ctl->gateway. 0, or the exit status after a complaint. */
int ctl_reach_schedules(struct ctl *ctl);

/* Tells a person when something will run, since times may be written in a local or
 * short form: on standard error, if that is a terminal. 0: never. */
void tell_moment(struct ctl *ctl, const char *what, int64_t us);
/* One line on standard error: "flowrractl: VERB: …". Control characters are
 * masked; with --quiet nothing is printed. */
void complain(struct ctl *ctl, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Complains and returns the exit status. */
int complain_of(struct ctl *ctl, const struct flowrra_error *error);
int complain_of_err(struct ctl *ctl, const struct err *err);

/* Replaces what is strange (utf8_strange()): what tasks say must not steer a
 * terminal. */
void mask_controls(char *text);
/* Prints a text of others in `width` columns at least, masked. */
void print_masked(const char *text, int width);

/* "12000 purged", rewritten in place, on a terminal that may be written to. */
void show_progress(struct ctl *ctl, long long n, const char *what);
/* Clears that line, before other things are printed. */
void end_progress(struct ctl *ctl);

/* Prints JSON without its optional white space: on a terminal and with --json
 * with what is strange as \u, else with the very bytes of its strings. */
void print_compact(const struct ctl *ctl, const char *json);
/* Prints text as a JSON string. */
void print_quoted(const char *text);

/* Prints JSON as one line, with what is strange as \u. */
void print_json(const json_t *json);
/* The same, and takes it. */
void print_json_line(json_t *json);
/* The same with --json only: for verbs that print nothing when they have done
 * what was asked, as mv(1) does. */
void print_if_json(struct ctl *ctl, json_t *json);

/* The verb whose name `words` begin with; *ret_used says how many words it has.
 * The first word of a group may be in the singular or the plural, and alone it is
 * the verb that lists what the group is about. NULL: none. */
const struct verb *find_verb(int n, char **words, int *ret_used);
/* Whether verbs of two words begin with this one. */
bool is_group(const char *word);
/* The word that verbs of a group begin with: "tasks" for "task". Other words are
 * returned as they are. */
const char *group_word(const char *word);
/* Sets ERR_USAGE with what could have been meant by words that no verb has: all
 * verbs of the group, if the first word is one; else those with a close
 * name. */
void unknown_verb(int n, char **words, struct err *err);

/* Help: of the program, or of a verb; of the group that a word names (false: it
 * names none); and all of it as JSON. */
void print_help(const struct verb *verb);
bool print_help_group(const char *word);
void print_help_json(void);

#endif
