/* SPDX-License-Identifier: MIT */
/* Signals to the commands of running tasks. */
#ifndef MANAGER_SIGNAL_H
#define MANAGER_SIGNAL_H

#include <jansson.h>

struct err;
struct flowrra_client;

/* The name as kill(1) has it, from "USR1", "SIGUSR1" or "10"; NULL with *err. */
const char *signal_name(const char *text, struct err *err);

/*
 * Has the worker that runs the task pass the signal on to all processes of its
 * command: {"id", "signal", "worker"}. NULL with *err: ERR_NOT_FOUND, no such task;
 * ERR_REFUSED, it does not run, or runs no command; ERR_UNAVAILABLE, its worker does
 * not answer.
 */
json_t *signal_task(struct flowrra_client *c, const char *id, const char *name,
		    struct err *err);

#endif
