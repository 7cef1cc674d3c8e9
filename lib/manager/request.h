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
 * or strings ("1h30m"). What a submission starts anew (current_retry,
 * submitted_at, crashes, suspected, unknown, history, reply_to) is skipped; any
 * other field is an error, and so is one that comes twice.
 *
 * Strings of *ret lie in `scratch`, which is emptied first, or where those of
 * `base` do.
 */
int request_read(struct slice json, const struct flowrra_request *base,
		 struct buf *scratch, struct flowrra_request *ret,
		 struct err *err);

/* Appends a request as such an object, on one line; times are numbers of µs since
 * 1970 (at_us) or strings. */
void request_write(const struct flowrra_request *request, struct buf *out);

/* The longest JSON object that can be a task ([worker] max_task_size), with
 * what else it may say of it. */
size_t request_max(const struct flowrra_client *c);

/* Appends an argument: as it is if it is JSON, else as a JSON string. */
int request_argument(const char *text, struct buf *out, struct err *err);
/* Appends the arguments as a JSON array. */
int request_arguments(const char *const *texts, size_t n, struct buf *out,
		      struct err *err);
/* The same for KEY=VALUE; a JSON object. */
int request_keywords(const char *const *texts, size_t n, struct buf *out,
		     struct err *err);

#endif
