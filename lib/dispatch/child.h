/* SPDX-License-Identifier: MIT */
/*
 * One executor process, as its parent sees it: started, spoken to, listened
 * to, and reaped. What its tasks mean is the business of runner.h.
 */
#ifndef DISPATCH_CHILD_H
#define DISPATCH_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "ipc/ipc.h"
#include "util/buf.h"

struct child;
struct err;
struct event_base;

/* How a process ended. */
struct child_end {
	int signal;  /* that killed it; 0: it exited */
	int status;  /* exit status, if signal is 0 */
	bool ready;  /* it had come up before */
	bool spoken; /* it left last words: */
	struct ipc_last_words words;
};

struct child_options {
	struct event_base *base;
	const char *executor; /* path of flowrra-executor */
	const char *const *modules;
	const char *config; /* for modules, as in dispatch.h */
	unsigned int threads;
	bool asynchronous;
	unsigned int max_result;

	/* It came up and says what it can run (see ipc.h). */
	void (*on_ready)(struct child *c, struct slice json, void *arg);
	/* A message about a task. */
	void (*on_message)(struct child *c, const struct ipc_message *m,
			   void *arg);
	/* A line that one of its handlers printed; without the newline. */
	void (*on_line)(struct child *c, struct slice line, void *arg);
	/* It has ended, with all that it started, and all that it had sent was
	 * delivered. Free it now or later. */
	void (*on_end)(struct child *c, const struct child_end *end, void *arg);
	void *arg;
};

/* Starts an executor; one that does not come up within 10 s is killed. */
struct child *child_new(const struct child_options *options, struct err *err);
/* Kills it, without calling anybody back, and everything it has started. */
void child_free(struct child *c);

pid_t child_pid(const struct child *c);

/* Puts a message into the batch that leaves at the end of the loop's turn. */
void child_send(struct child *c, enum ipc_type type, uint32_t task,
		const void *fixed, const struct slice *rest, size_t n_rest);

/* SIGKILL; on_end follows. */
void child_kill(struct child *c);

#endif
