/* SPDX-License-Identifier: MIT */
/*
 * An executor: loads the task modules and runs their handlers for flowrrad.
 *
 * Blocking handlers have threads, one of which reads from flowrrad when it has
 * nothing else to do (workers.h), asynchronous ones a loop in another thread
 * (async.h); all send through one outbox (outbox.h). The calling thread runs no
 * handler, so that a cancellation and the end are always heard.
 *
 * A tick of about a millisecond runs in it while short tasks are under way: it
 * sends the ends that wait for a batch, reports tasks that turn out to be long,
 * and reads when no other thread can.
 */
#ifndef EXECUTOR_EXECUTOR_H
#define EXECUTOR_EXECUTOR_H

struct err;
struct flowrra_module;

/* Whether `fd` is a socket that could lead to flowrrad. */
int executor_is_socket(int fd);

/*
 * Runs until flowrrad says STOP: 0, with all threads and modules finished.
 *
 * -1 with *err when flowrrad is gone (ERR_UNAVAILABLE) or makes no sense:
 * handlers may still be running then, and the caller must end the process
 * without waiting for anything (crash_quit()). `own` is a module that is part of
 * this program, for INIT to name by LOADER_OWN, or NULL. One at a time.
 */
int executor_run(int fd, const struct flowrra_module *own, struct err *err);

#endif
