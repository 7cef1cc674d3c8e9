/* SPDX-License-Identifier: MIT */
/*
 * The floor below a submission and a task's way: the commands and the processes
 * that ours need with Redis, and nothing else. No event loop, no JSON, no check,
 * no repetition; an error ends the program with a message.
 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <stddef.h>
#include <stdint.h>

/* A connection over a Unix socket, with commands to be sent together. */
struct bare {
	int fd;
	size_t n_out, n_in, at; /* of `in`, `at` bytes have been taken */
	char out[8192], in[8192];
};

/* "unix://PATH". */
void bare_open(struct bare *b, const char *url);
/* Adds a command; the arguments end in NULL. */
void bare_add(struct bare *b, const char *arg, ...) __attribute__((sentinel));
/* Sends what was added, in one write. */
void bare_send(struct bare *b);
/* Waits for a reply and passes over it; of a string (of an array, the last one)
 * sets *ret and *ret_len, which stay until the next call. */
void bare_reply(struct bare *b, const char **ret, size_t *ret_len);

/* A pending record, a task and a final record, of the size of ours. */
void bare_record(char *out, size_t size, const char *id);
void bare_task(char *out, size_t size, const char *id, const char *reply_to);
void bare_final(char *out, size_t size, const char *id, const char *result);

#define BARE_TEXT_SIZE 1024
/* "<n>", as long as the IDs of tasks are. */
#define BARE_ID_SIZE 37
void bare_id(char out[BARE_ID_SIZE], long n);

/* Starts a worker and an executor as two processes, which live as long as this
 * one: the worker moves tasks from the queue to its in-flight list and passes
 * them on; the executor answers each with the wall clock's time at which it
 * came; the worker stores the record, publishes it, and settles. */
void bare_chain_start(const char *url);

/* A client of it. */
struct bare_client {
	struct bare commands, replies;
	char reply_to[BARE_ID_SIZE];
};
void bare_client_open(struct bare_client *c, const char *url, long number);
/* Submits a task and waits for its result: the time at which it started, in
 * microseconds since 1970. */
int64_t bare_call(struct bare_client *c, long n);

#endif
