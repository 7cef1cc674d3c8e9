/* SPDX-License-Identifier: MIT */
/* A scene of three workers that differ, on the same queues; see soak.h. */
#ifndef TESTS_SOAK_FLEET_H
#define TESTS_SOAK_FLEET_H

#include "soak/soak.h"

/* What a worker can run; also its number, before any deploy. */
enum role { ROLE_DEMO, ROLE_LEDGER, ROLE_COMMANDS, ROLES };

/* Its modules and tasks, as scene_configure() takes them. */
const char *fleet_modules(enum role role);

struct fleet_options {
	bool standby;	    /* a fourth worker, with the second one's modules */
	const char *config; /* appended to the workers' */
	const char *worker; /* lines of their [worker] sections */
	const char *commands[SCENE_WORKERS]; /* as in struct scene_options */
};

/* Starts them, and the load of tasks of all of them. NULL: no options. */
void fleet_start(struct scene *s, const struct fleet_options *options);
/* scene_end(), and what else must be true of a fleet: no task of those that
 * never failed is dead, no record has changed since it was final, and the fleet
 * is in health. */
void fleet_end(struct scene *s);

/* How often a worker has logged this. */
size_t fleet_count_logged(struct worker *k, const char *text);
/* Waits until it has logged it more often than `before`. */
void fleet_await_logged(struct scene *s, struct worker *k, const char *text,
			size_t before);

/* The worker says nothing from now on, and its executors: returns how many. */
struct frozen {
	struct worker *worker;
	pid_t executors[CHILDREN_MAX];
	size_t n;
	int64_t since_us;
};
void fleet_freeze(struct scene *s, struct worker *k, struct frozen *ret);
/* What ran or was begun since then may run elsewhere, too. */
void fleet_blame_frozen(struct scene *s, const struct frozen *f);

#endif
