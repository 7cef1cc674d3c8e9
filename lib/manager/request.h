/* SPDX-License-Identifier: MIT */
/*
 * Requests from what people and programs write: words of a command line, or a
 * JSON object.
 */
#ifndef MANAGER_REQUEST_H
#define MANAGER_REQUEST_H

#include "util/buf.h"

struct err;
struct flowrra_client;
struct flowrra_request;

/*
 * Reads a request from a JSON object: "name" and, all optional, "args" (array),
 * "kwargs" (object), and the fields of core/task_options.def. null counts as
 * absent; what is absent stays as in `base`. Durations are numbers of seconds
 * or strings ("1h30m"). What a submission starts again (current_retry,
 * submitted_at, crashes, suspected, unknown, history, reply_to) is skipped; any
 * other field is an error, and so is one that comes twice.
 *
 * Strings of *ret lie in `scratch`, which is emptied first, or where those of
 * `base` do. *ret_field (may be NULL) is the name of the field that an error is
 * about, in `scratch` too; NULL if it is the whole.
 */
int request_read(struct slice json, const struct flowrra_request *base,
		 struct buf *scratch, struct flowrra_request *ret,
		 const char **ret_field, struct err *err);

/* The field that a message of a refused submission is about: those of the
 * client library begin with its name. NULL: none is named. */
const char *request_field(const char *message);

/* Appends a request as such an object, on one line; times are numbers of µs
 * since 1970 (at_us) or strings. */
void request_write(const struct flowrra_request *request, struct buf *out);

/* The longest JSON object that can be a task ([worker] max_task_size), with
 * what else it may say of it. */
size_t request_max(const struct flowrra_client *c);

/* How words of a command line are read: as JSON where they are JSON, else as
 * strings; or always as strings. */
enum request_words { REQUEST_JSON, REQUEST_TEXT };

/* How the words of the task of a request are to be read, as its module says. An
 * error if no worker has registered it. What its submission asks the broker is
 * asked with it. */
int request_words_of(struct flowrra_client *c,
		     const struct flowrra_request *request,
		     enum request_words *ret, struct err *err);

/* After a submission: the queue that it went to, if no living worker serves it; free()
 * it. NULL: one does, or it is not known. Only where the submission found none, or did not
 * look, the workers are asked. */
char *request_unserved(struct flowrra_client *c,
		       const struct flowrra_request *request);

/* Appends an argument: as it is if it is JSON that a value may be
 * (codec/value.h), else as a JSON string. */
int request_argument(const char *text, enum request_words words,
		     struct buf *out, struct err *err);
/* Appends the arguments as a JSON array. An error names the argument. */
int request_arguments(const char *const *texts, size_t n,
		      enum request_words words, struct buf *out,
		      struct err *err);
/* The same for KEY=VALUE; a JSON object. */
int request_keywords(const char *const *texts, size_t n,
		     enum request_words words, struct buf *out,
		     struct err *err);

#endif
