/* SPDX-License-Identifier: MIT */
/*
 * A world for a test of the whole: a temporary directory, Redis servers of its
 * own, a configuration file, workers, and whatever the test runs beside them.
 *
 * All of it dies with the test's process, and the directory is removed. When a
 * test fails, the end of its workers' logs is printed. All functions fail the
 * test when they cannot do what they promise; strings they return are the
 * world's.
 */
#ifndef TESTS_E2E_WORLD_H
#define TESTS_E2E_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "redis_server.h"
#include "suite.h"

struct world;

struct world_options {
	/* Names, with spaces between: "demo", or a file of tests/modules;
	 * NULL: "demo". Paths are taken as they are. */
	const char *modules;
	const char *config;    /* appended to the configuration file */
	const char *command;   /* of the worker; NULL: WORLD_COMMAND */
	const char *url;       /* of the broker; NULL: the server's socket */
	bool embedded;	       /* the broker is a SQLite file of the world's */
	bool no_worker;	       /* worker_start() comes later */
	bool separate_backend; /* results live on a server of their own */
	const char *backend;   /* or there; NULL: with the queues */
	bool crashes;	       /* executors will die, under sanitizers loudly */
	bool
	    group; /* the server is of a group, and the URL names its Sentinels */
	struct redis_server_options redis;
};

#define WORLD_COMMAND "exec flowrrad --config flowrra.conf"

/* Starts it all and waits until the worker is ready. NULL: no options. */
struct world *world_start(const struct world_options *options);
/* Stops it all; the workers that run must stop in order. */
void world_stop(struct world *w);

/* Writes the configuration file again. */
void world_configure(struct world *w, const char *modules, const char *config);
/* The broker's. */
const char *world_url(const struct world *w);
/* Its directory, in which all commands run. */
const char *world_dir(const struct world *w);
struct redis_server *world_redis(const struct world *w);
struct redis_group;
/* NULL: the server is of none. */
struct redis_group *world_group(const struct world *w);
/* From now on world_redis() is that one of the group. */
void world_follow(struct world *w, size_t i);
struct redis_server *world_backend(const struct world *w);
/* The path of a test's file or module: "modules/plain.so" as it was built. */
const char *world_built(struct world *w, const char *relative);
/* The path of a file in the top folder. */
const char *world_source(struct world *w, const char *relative);

/* Takes over a string that malloc() gave. */
char *world_keep(struct world *w, char *text);
__attribute__((format(printf, 2, 3))) char *world_text(struct world *w,
						       const char *fmt, ...);
/* A file's content, "" if there is none. */
char *world_read(struct world *w, const char *path);
void world_write(struct world *w, const char *path, const void *p, size_t len);

/* --- commands ------------------------------------------------------------ */

struct run {
	pid_t pid;
	int status; /* exit status, or 128 + signal */
	char *out;
	char *err;
	char *files[2];
};

/* Starts a shell command; flowrrad and flowrractl are in its path. */
__attribute__((format(printf, 2, 3))) struct run *
run_start(struct world *w, const char *fmt, ...);
/* Waits for its end. */
struct run *run_end(struct world *w, struct run *run);
/* Both. */
__attribute__((format(printf, 2, 3))) struct run *run(struct world *w,
						      const char *fmt, ...);
/* `flowrractl …` with the world's configuration. */
__attribute__((format(printf, 2, 3))) struct run *ctl(struct world *w,
						      const char *fmt, ...);
/* The same for what has to succeed: standard output without its last line
 * break. `submit(w, …)` returns the id. */
__attribute__((format(printf, 2, 3))) char *ctl_ok(struct world *w,
						   const char *fmt, ...);
__attribute__((format(printf, 2, 3))) char *submit(struct world *w,
						   const char *fmt, ...);

#define ck_run(r, expected_status, expected_out)                               \
	do {                                                                   \
		const struct run *run_ = (r);                                  \
		ck_assert_msg(run_->status == (expected_status),               \
			      "exit status %d instead of %d: %.999s",          \
			      run_->status, (expected_status), run_->err);     \
		ck_assert_str_eq(run_->out, (expected_out));                   \
	} while (0)

/* Exit status and a part of what is said on standard error. */
#define ck_complains(r, expected_status, part)                                 \
	do {                                                                   \
		const struct run *run_ = (r);                                  \
		ck_assert_msg(run_->status == (expected_status) &&             \
				  strstr(run_->err, (part)) != NULL,           \
			      "exit status %d instead of %d, or no \"%s\" "    \
			      "in: %.999s",                                    \
			      run_->status, (expected_status), (part),         \
			      run_->err);                                      \
	} while (0)

/* --- waiting ------------------------------------------------------------- */

int64_t now_ms(void);

/* Sleeps for a moment, longer each time; false when the deadline is over. */
bool wait_a_moment(int64_t deadline_ms, unsigned int *turn);

#ifndef PATIENCE_MS
#define PATIENCE_MS 30000
#endif
#define WAIT_UNTIL_WITHIN(ms, condition)                                       \
	do {                                                                   \
		const int64_t deadline_ = now_ms() + (ms);                     \
		unsigned int turn_ = 0;                                        \
		while (!(condition))                                           \
			if (!wait_a_moment(deadline_, &turn_))                 \
				ck_abort_msg("in vain waited for: %s",         \
					     #condition);                      \
	} while (0)
#define WAIT_UNTIL(condition) WAIT_UNTIL_WITHIN(PATIENCE_MS, condition)

#endif
