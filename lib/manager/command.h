/* SPDX-License-Identifier: MIT */
/*
 * A command as a task: what flowrractl run submits, and the module exec runs
 * (lib/module/shipped/exec/adhoc.h).
 */
#ifndef MANAGER_COMMAND_H
#define MANAGER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/blob.h"
#include "util/buf.h"
#include "util/err.h"

/* Room for the ID of a task. */
#define COMMAND_ID_SIZE 201

struct broker_after;
struct flowrra_batch;
struct flowrra_client;
struct flowrra_error;
struct flowrra_request;

/* To be called with an ID before the command that gets it is queued; `arg` is the
 * command's. It may be called again, with another one. */
typedef void command_before_fn(const char *id, void *arg);

/* All of it is borrowed. */
struct command {
	const char *const *argv;	  /* NULL-ended; the program first */
	const char *label;		  /* a name for people; NULL: none */
	const char *lock;		  /* one at a time; NULL: none */
	const char *directory;		  /* an absolute path */
	int mask;			  /* umask */
	command_before_fn *before;	  /* NULL: nothing is to be done */
	void *arg;			  /* its */
	char **environment;		  /* NULL-ended NAME=VALUE */
	const struct slice *input;	  /* standard input; NULL: none */
	const char *input_file;		  /* or an absolute path of it */
	const struct broker_after *after; /* tasks that have to end first */
	size_t n_after;
	/* The environment as command_share() has made it; NULL: it goes into the
	 * task itself. */
	const struct command_shared *shared;
};

/* An environment that the store keeps once for all commands that have it. */
struct command_shared {
	char name[BLOB_NAME_SIZE];
	struct buf text;
};
/* 0, or -1 with *err (no memory); buf_done(&text). An environment is not shared where
 * that saves nothing, or the client's store could not keep it: then text is empty. */
int command_share(const struct flowrra_client *c, char **environment,
		  struct command_shared *ret, struct err *err);

/* Appends the keyword arguments of the task; check out->failed. What says most
 * of the command comes first, for those who see only the beginning. */
void command_write(const struct command *c, struct buf *out);

/*
 * This process' environment as a command takes it along: without what belongs to
 * this terminal or session, or is the service manager's, or has a password of
 * ours; with these, NAME for a variable as it is here (left out if it is not
 * set), NAME=VALUE for another; and PWD as `directory`. A NULL-ended list; free()
 * it and, last, *ret_text. NULL with *err.
 */
char **command_environment(const char *const *chosen, size_t n_chosen,
			   const char *directory, char **ret_text,
			   struct err *err);

/* The ID of the command that was submitted last; ERR_NOT_FOUND: none was. */
int command_last(struct flowrra_client *c, char id[], struct err *err);

/*
 * Submits the command with a short ID of its own, "17", which is written to `id`;
 * or the ID of the task that has the request's unique key. `request` says how it
 * runs; its name and kwargs are set here. 0, or -1 with *err.
 */
int command_submit(struct flowrra_client *c, const struct command *command,
		   const struct flowrra_request *request, char id[],
		   struct err *err);

/*
 * The same, and in the same step a second one: a shell's line, which runs in the same
 * place if the command has failed for good, with its ID in FLOWRRA_FAILED_ID, and is
 * skipped otherwise.
 */
int command_submit_watched(struct flowrra_client *c,
			   const struct command *command, const char *line,
			   const struct flowrra_request *request, char id[],
			   struct err *err);

/* What became of one of many. */
struct command_answer {
	char id[COMMAND_ID_SIZE];
	struct err err; /* ERR_NONE: it is queued */
};
/*
 * Submits a command for each item, all at once. The words of `command` have the item
 * where "{}" stands in them; without that, it is one more word at the end. Of a shell's
 * line (`shell`: argv is sh -c LINE) nothing is replaced: the item is its "$1". 0 with
 * n answers, or -1 with *err: none was submitted.
 */
#define COMMAND_MANY_MAX 100
int command_submit_many(struct flowrra_client *c, const struct command *command,
			bool shell, const char *const *items, size_t n,
			const struct flowrra_request *request,
			struct command_answer *answers, struct err *err);

/* --- for the command_*.c ---------------------------------------------------- */

/* The numbers of command_submit(): takes `n`. */
int command_take_numbers(struct flowrra_client *c, unsigned int n,
			 long long *ret_first, struct err *err);
/* Tries with another number, where a task has it already: one with an ID that a
 * person chose, or since the counter fell back in a power cut. */
#define COMMAND_ID_TRIES 100
/* Adds it to a batch, under that ID. */
int command_add(struct flowrra_batch *batch, const struct command *command,
		const struct flowrra_request *request, const char *id,
		struct err *err);
/* What it shares; empty: nothing. */
struct slice command_blob(const struct command *command);
struct slice command_blob_name(const struct command *command);
/* The error of a batch's answer. */
int command_refused(const struct flowrra_error *error, struct err *err);

#endif
