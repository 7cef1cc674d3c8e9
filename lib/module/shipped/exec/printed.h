/* SPDX-License-Identifier: MIT */
/*
 * What a command prints: the beginning of its standard output, which becomes the
 * result; the end of its standard error, for the error of a run that fails; and all
 * of it, in bounds, in files (codec/capture.h).
 */
#ifndef EXEC_PRINTED_H
#define EXEC_PRINTED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "module/shipped/exec/declared.h"
#include "util/buf.h"
#include "util/lines.h"

struct capture;
struct flowrra_task;

struct printed {
	struct flowrra_task *task;
	size_t max; /* of a result */
	enum output output;
	bool logs;		 /* standard error goes to the worker's log */
	struct buf out;		 /* its beginning; with OUTPUT_NONE, its end */
	uint64_t n_out;		 /* bytes of it in all */
	struct capture *capture; /* NULL: nothing is kept in files */
	struct buf held;	 /* what waits for a follower, in pieces */
	struct lines lines;
	struct lines_sink sink;
	struct buf tail; /* the end of standard error */
	size_t store;	 /* bytes of the end of both, for the record */
	struct buf both; /* it */
};

/* Of a task of `declared`; NULL: exec.run. It must not move. */
void printed_init(struct printed *p, struct flowrra_task *task,
		  const struct declared *declared,
		  const struct declarations *all);
void printed_done(struct printed *p);

/* Bytes of standard output (1) or error (2). False: enough for now, since a follower
 * is slow; printed_again() says when to go on. More is taken all the same. */
bool printed_take(struct printed *p, int fd, const char *bytes, size_t len);
/* Whether there is room again. */
bool printed_again(struct printed *p);
/* No more comes. */
void printed_end(struct printed *p);

/*
 * The result, and *ret_left_out, the bytes of the output that it lacks; `exact` gets
 * its text where that has to stay as it is. NULL: it is not what the task's key
 * "output" promises, and *ret_why says so; or memory runs out, and *ret_why is NULL.
 */
json_t *printed_result(const struct printed *p, int64_t *ret_left_out,
		       struct buf *exact, const char **ret_why);

/* Tells the end of both streams, for the record of a task whose result is not what
 * it wrote to standard output. */
void printed_store(const struct printed *p);
/* Appends the last lines of standard error, after a colon, if there are any. */
void printed_add_tail(const struct printed *p, struct buf *error);
/* Logs the end of the standard output of a command that has failed. */
void printed_tell(struct printed *p);

#endif
