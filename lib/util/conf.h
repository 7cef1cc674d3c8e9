/* SPDX-License-Identifier: MIT */
/*
 * The configuration: an INI file, the environment and flags, read through the
 * one table in conf_keys.def, which also makes the structs.
 *
 * Order, the strongest first: a flag (-o section.key=value), the environment
 * (FLOWRRA_SECTION_KEY), a systemd credential (a file "section.key" in
 * $CREDENTIALS_DIRECTORY; SECRET keys only), the same file in
 * /etc/flowrra/credentials, which services and permitted users share, the file,
 * the default. A SECRET with a password in it is refused in a flag. Unknown sections and keys in the
 * file are errors; FLOWRRA_* variables that name no key are ignored. Tasks,
 * declared in sections [task NAME], and what is for modules, in sections
 * [module NAME], come from the file alone.
 */
#ifndef UTIL_CONF_H
#define UTIL_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "util/conf_type.h"

struct conf_module;
struct conf_source;
struct conf_task;
struct err;
struct findings;

/* struct conf_broker, struct conf_executor and so on, one for each section. */
#define CONF_SECTION(section) struct conf_##section {
#define CONF_KEY(section, name, type, ...) CONF_C_##type name;
/* clang-format off */
#define CONF_SECTION_END(section) };
/* clang-format on */
#include "util/conf_keys.def"

/* The URLs that say where tasks, results and schedules are. */
enum conf_store {
	CONF_STORE_BROKER,
	CONF_STORE_BACKEND,
	CONF_STORE_SCHEDULES,
	CONF_N_STORES
};

/* What conf_check_store() judges by. */
struct conf_store_state {
	bool named;	 /* a source stronger than the file has it */
	bool own;	 /* a source that other processes do not read has it */
	bool unreadable; /* the shared file is not for this user */
	bool withheld;	 /* the worker that runs this command has its own */
	const char *credential; /* the directory it lies in, for services */
};

struct conf {
	bool standard; /* no file was named, and the user has none */
	struct conf_store_state stores[CONF_N_STORES];
	struct {
		char *path;   /* of the file that was read; NULL: none was */
		bool secrets; /* there is a password in it */
	} file;
	/* Of each key, by its place in the table: see conf_source.h. */
	struct conf_source *sources;
	struct findings *findings; /* while conf_examine() reads; else NULL */
#define CONF_SECTION(section) struct conf_##section section;
#define CONF_KEY(section, name, type, ...)
#define CONF_SECTION_END(section)
#include "util/conf_keys.def"
	/* The [task NAME] sections, in their order; see conf_task.h. */
	struct conf_task **tasks;
	size_t n_tasks;
	/* The [module NAME] sections; see conf_module.h. */
	struct conf_module **modules;
	size_t n_modules;
};

/*
 * One of the settings may be this: then it is the configuration of the user's own
 * worker and store, in $XDG_STATE_HOME/flowrra, which only a setting changes.
 * Files and credentials of the services are not read, and [exec] adhoc, [worker]
 * queues and id and [executor] async_tasks have defaults of their own.
 */
#define CONF_PERSONAL "--user"

/*
 * Loads the configuration. `file` may be NULL: then the standard places are
 * tried ($XDG_CONFIG_HOME/flowrra.conf for a user, /etc/flowrra/flowrra.conf)
 * and none of them need exist; the system's file goes with the shared
 * credentials beside it. `settings` is a NULL-ended list of
 * "section.key=value", or NULL. Errors are ERR_CONFIG and name file and line
 * (or variable, or flag), key, and what is allowed. *ret is freed with
 * conf_free().
 */
int conf_load(const char *file, const char *const *settings, struct conf **ret,
	      struct err *err);
void conf_free(struct conf *conf);

/*
 * The same for a check: all that is wrong is added to `findings`, and the rest
 * is loaded all the same; a key with a bad value keeps the one it had. Sections
 * [task NAME] with a bad name or no command are left out. NULL when nothing
 * can be loaded at all.
 */
struct conf *conf_examine(const char *file, const char *const *settings,
			  struct findings *findings);
/* Puts in front of a message where such a key has its value from: "FILE:LINE: ",
 * or nothing if that is not the file. */
int conf_prefix_place(const struct conf *conf, const char *section,
		      const char *name, struct err *err);

/*
 * Refuses a store that would be another than that of this machine's services,
 * because this process may not have their URL, or not open their embedded
 * store: ERR_REFUSED or ERR_CONFIG, with the file and the remedy. To be called
 * before a store is opened; 0 for one that was named on purpose.
 */
int conf_check_store(const struct conf *conf, enum conf_store which,
		     struct err *err);

/*
 * The same for a client. It also refuses the default store (ERR_CONFIG) if the daemons
 * that run on this machine use another one, and none of them uses this one.
 */
int conf_check_client(const struct conf *conf, enum conf_store which,
		      struct err *err);

/* Tells the commands that this process starts, in the environment, which URLs
 * it has and they have not: their conf_check_store() then refuses. */
int conf_announce(const struct conf *conf, struct err *err);

/* Prints every key with its value in force, as a file conf_load() would read;
 * passwords in SECRET values are printed as "***". With `sources`, a comment above
 * each that is not the default says where it comes from. */
void conf_dump(const struct conf *conf, bool sources, FILE *out);

/*
 * Names, for the log, of the keys whose values differ and that no reload
 * brings into force: "section.key, …"; free() it. NULL if there is none.
 */
char *conf_frozen_changes(const struct conf *old, const struct conf *next);

/* Tells of each variable of the environment that is none of ours, but close to
 * one, which it names. */
typedef void conf_strange_fn(const char *variable, const char *closest,
			     void *arg);
void conf_tell_strange(conf_strange_fn *tell, void *arg);

/*
 * This process' environment without what is not for the code of others: the
 * variables of SECRET keys, and those by which a service manager speaks to its
 * service. A NULL-ended array that borrows the strings; free() it. NULL when
 * memory runs out.
 */
char **conf_public_environment(void);
/*
 * Takes the variables of SECRET keys out of /proc/PID/environ; getenv() still
 * finds them, for a reload. To be called once, before there are other threads. 0,
 * or -1 with *err.
 */
int conf_hide_environment(struct err *err);

/* Cuts a list at spaces and commas into a NULL-ended array of strings; free
 * it with conf_list_free(). NULL when memory runs out. */
char **conf_list(const char *text);
void conf_list_free(char **list);

#endif
