/* SPDX-License-Identifier: MIT */
/* A selection of tasks that have not ended, or are dead, made before something is done
 * to them. */
#ifndef MANAGER_SELECT_H
#define MANAGER_SELECT_H

#include <stdint.h>

#include <jansson.h>

struct err;
struct flowrra_client;
struct task_filter;

/* Bits. */
enum select_states {
	SELECT_WAITING = 1,
	SELECT_DELAYED = 2,
	SELECT_RETRYING = 4,
	SELECT_RUNNING = 8,
	SELECT_ALL = 15, /* that have not ended */
	SELECT_DEAD = 16
};

/* Reads "waiting,delayed" (spaces or commas): the bits, or -1 with *err. */
int select_parse(const char *text, struct err *err);

struct select {
	int states;
	const struct task_filter *filter;
	/* May be NULL. */
	void (*on_progress)(int64_t found, void *arg);
	void *arg;
};
/*
 * All that match, as an array of {"task_id", "task_name", "queue", "state"}, each
 * task once, and each dead one once for each dead list that has it. What is submitted meanwhile may be missing, and so may what moves on.
 * NULL with *err.
 */
json_t *select_tasks(struct flowrra_client *c, const struct select *s,
		     struct err *err);

#endif
