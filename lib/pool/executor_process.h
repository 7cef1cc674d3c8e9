/* SPDX-License-Identifier: MIT */
/*
 * One executor process, as its parent sees it: started, spoken to, listened
 * to, and reaped. It knows nothing of what its messages mean.
 */
#ifndef POOL_EXECUTOR_PROCESS_H
#define POOL_EXECUTOR_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "ipc/ipc.h"
#include "util/buf.h"

struct executor_process;
struct err;
struct event_base;

/* How a process ended. */
struct executor_exit {
	int signal;	     /* that killed it; 0: it exited */
	int status;	     /* exit status, if signal is 0 */
	bool ready;	     /* it had come up before; if not: */
	const char *loading; /* the module that it was loading; or NULL */
	bool spoken;	     /* it left last words: */
	struct ipc_last_words words;
};

/* Loading modules takes some ms, on a slow disk a second or two. */
#define EXECUTOR_READY_MS 10000

struct executor_process_options {
	struct event_base *base;
	const char *executor; /* path of flowrra-executor */
	const char *const *modules;
	const char *config; /* for modules, as in dispatch.h */
	unsigned int threads;
	bool asynchronous;
	unsigned int max_result;
	/* It is not started unless this many descriptors are left. */
	unsigned int spare_files;
	/* How long it may take to come up; 0: EXECUTOR_READY_MS. */
	unsigned int ready_ms;

	/* It came up and says what it can run (see ipc.h). */
	void (*on_ready)(struct executor_process *p, struct slice json,
			 void *arg);
	/* A message about a task. */
	void (*on_message)(struct executor_process *p,
			   const struct ipc_message *m, void *arg);
	/* A line that one of its handlers printed; without the newline. */
	void (*on_line)(struct executor_process *p, struct slice line,
			void *arg);
	/* It has ended, with all that it started, and all that it had sent was
	 * delivered. Free it now or later. */
	void (*on_end)(struct executor_process *p,
		       const struct executor_exit *end, void *arg);
	void *arg;
};

/* Starts an executor; one that does not come up in time is killed. */
struct executor_process *
executor_process_new(const struct executor_process_options *options,
		     struct err *err);
/* Kills it, without calling anybody back, and everything it has started. */
void executor_process_free(struct executor_process *p);

pid_t executor_process_pid(const struct executor_process *p);

/* Puts a message into the batch that leaves at the end of the loop's turn. */
void executor_process_send(struct executor_process *p, enum ipc_type type,
			   uint32_t task, const void *fixed,
			   const struct slice *rest, size_t n_rest);

/* Calls on_line with what its handlers have printed by now: what they say on two
 * ways need not come in order. */
void executor_process_read_output(struct executor_process *p);

/* SIGKILL; on_end follows. */
void executor_process_kill(struct executor_process *p);

#endif
