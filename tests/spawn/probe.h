/* SPDX-License-Identifier: MIT */
/*
 * Programs that tests run through a real spawner, and what came of them:
 *
 *	struct probe b;
 *
 *	probe_run(&b, "echo $1", "x");
 *	ck_assert_str_eq(b.out[0].data, "x\n");
 *	probe_done(&b);
 */
#ifndef TESTS_SPAWN_PROBE_H
#define TESTS_SPAWN_PROBE_H

#include "spawn/client.h"

#include "util/buf.h"

/* How long a program, or its end, is waited for. */
#define PROBE_DEADLINE_S 10
/* What lib/spawn/ask.c leaves to others, at least. */
#define PROBE_RESERVE 8

extern struct event_base *probe_base;
extern struct spawner *probe_spawner;

/* One program and what came of it. */
struct probe {
	struct spawn *program;
	struct buf out[2];
	struct spawn_end end;
	char why[256];
	bool over;
	/* Told when this is in standard output. */
	const char *awaited;
	int sig;
};

/* Before each test, and behind it: the loop and the spawner. */
void probe_setup(void);
void probe_teardown(void);

/* Starts a program with that standard input. */
void probe_begin(struct probe *b, const struct spawn_orders *orders,
		 const char *input);
/* For a test that fills its options itself: `arg` is the probe. */
void probe_on_output(void *arg, int fd, const char *p, size_t len);
void probe_on_end(void *arg, const struct spawn_end *end);
/* Waits for its end. */
void probe_wait(struct probe *b);
void probe_done(struct probe *b);
/* Starts a shell's script, whose `$1` is `arg`; probe_run() waits for its end, and
 * it must have run. */
void probe_script(struct probe *b, const char *text, const char *arg);
void probe_run(struct probe *b, const char *text, const char *arg);

#endif
