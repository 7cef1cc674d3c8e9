/* SPDX-License-Identifier: MIT */
/* Redis servers full of tasks of one kind or another; the fill itself is done by
 * the server, so that millions take seconds. */
#ifndef TESTS_BENCH_COMMANDS_FILL_H
#define TESTS_BENCH_COMMANDS_FILL_H

#include <stdbool.h>
#include <stddef.h>

struct redis_server;

/* What there is in queue "io", or in all. */
struct commands_scene {
	const char *name;
	long waiting, delayed, dead, finished;
	long in_flight; /* of COMMANDS_WORKER and of COMMANDS_DEAD, each */
	size_t size;	/* bytes of a task's argument */
	long levels;	/* over which those that wait are spread; 0: none */
	long queues;	/* beside it: "q1" …, a few tasks in each */
	long workers;	/* that live: "host:1" …, a task of each in flight */
	long names;	/* of tasks that are registered */
	/* Which of the operations: to recall tasks that were put back since no
	 * worker had their name, or all others; what else stands where a worker
	 * says so, and how long, in the place of a number. */
	bool recall;
	size_t odd;
	/* Another of them: names of queues, and of tasks that were registered
	 * without their time, and nothing else. */
	long listed;
	/* An argument is an array of empty texts, which takes longest to decode,
	 * and only decoding would tell a task's ID and priority. */
	bool hostile;
};

/* All that are measured, in full size. */
#define COMMANDS_SCENES 10
extern const struct commands_scene commands_scenes[COMMANDS_SCENES];

/* As COMMANDS_SCALE says, a percentage; ends the program if it is not one. */
struct commands_scene commands_scaled(const struct commands_scene *whole);

#define COMMANDS_WORKER "host:b"
#define COMMANDS_DEAD "host:dead"

void commands_fill(struct redis_server *server, const struct commands_scene *s);
/* Fills up what operations have used: dead tasks, and what the dead worker has. */
void commands_refill(struct redis_server *server,
		     const struct commands_scene *s);
/* Puts back all that are delayed: each second one waits for COMMANDS_NAME. */
void commands_put_back(struct redis_server *server,
		       const struct commands_scene *s);
#define COMMANDS_NAME "app.task0"
/* Makes `n` of the delayed due at once. */
void commands_make_due(struct redis_server *server, long n);

#endif
