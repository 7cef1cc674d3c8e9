/* SPDX-License-Identifier: MIT */
/*
 * Tasks as the configuration declares them, made ready to be run.
 *
 * The module's configuration is {"kill_grace": SECONDS, "max_result_size":
 * BYTES, "tasks": {NAME: {KEY: TEXT, …}, …}, "adhoc": PATH}, the keys being those
 * of conf_task_keys.def; adhoc is there if the worker runs exec.run, for commands
 * of that database. "captures": {"dir": PATH, "max": BYTES, "total": BYTES, "keep":
 * SECONDS} is there if what commands print is kept.
 */
#ifndef EXEC_DECLARED_H
#define EXEC_DECLARED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "spawn/spawn.h"
#include "util/buf.h"
#include "util/conf_task.h"

struct err;
struct argv_template;

/* What standard output becomes (the key "output"). */
enum output { OUTPUT_AUTO, OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_NONE };

struct declared {
	struct conf_task *conf;
	struct argv_template *command;
	/* Words with placeholders are filled for each task. */
	struct argv_template *environment;
	bool success[CONF_N_CODES];
	bool final[CONF_N_CODES];
	enum output output;
	/* What is the same for every run: this process' environment, as far as
	 * nothing below takes its place, and the user's. NULL-ended. */
	struct buf inherited; /* of char *, borrowed */
	char *of_user[5];
	struct spawn_user user; /* if of_user[0] */
	gid_t *groups;
	/* What it takes (params of flowrra/module.h); NULL: nothing. */
	char *params;
};

/* All of them. */
struct declarations {
	struct declared **list; /* ordered by name */
	size_t n;
	double kill_grace; /* seconds */
	size_t max_result_size;
	size_t
	    output_store; /* of what is printed, for the record; 0: nothing */
	/* The database whose commands exec.run runs; NULL: none. */
	char *store;
	/* Where what commands print is kept (codec/capture.h), and how much of an
	 * attempt; NULL: nowhere. */
	char *captures;
	uint64_t capture_max, capture_total;
	int64_t capture_keep_s;
};

/* -1 with *err if anything in `config` makes no sense. declarations_done() in
 * any case. */
int declarations_read(struct declarations *d, const json_t *config,
		      struct err *err);
void declarations_done(struct declarations *d);

const struct declared *declarations_find(const struct declarations *d,
					 const char *name);

#endif
