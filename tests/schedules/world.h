/* SPDX-License-Identifier: MIT */
/*
 * What the tests of schedules share: the three databases, and schedules to put
 * into them. A test that runs for all databases gets the number of one as _i.
 */
#ifndef TESTS_SCHEDULES_WORLD_H
#define TESTS_SCHEDULES_WORLD_H

#include <check.h>
#include <sys/types.h>

#include "schedules/claim.h"
#include "schedules/schedules.h"
#include "sql_server.h"
#include "util/err.h"

/* The last one is PostgreSQL with a pooler before it, and has its kind. */
enum {
	WORLD_SQLITE,
	WORLD_POSTGRESQL,
	WORLD_MARIADB,
	N_WORLDS,
	WORLD_POOLED = N_WORLDS,
	N_WORLDS_POOLED
};

struct world {
	int kind;
	char *url;
	char database[32]; /* its name */
	char dir[64];	   /* SQLite */
	struct sql_server *server;
	struct schedules *schedules;
	struct err err;
};

/* Starts the servers that the suite's tests share, and stops them. */
void world_setup(void);
void world_teardown(void);

/* An empty database of its own, and a handle. */
void world_open(struct world *w, int kind);
/* On a server of its own; sql_server_stop() it. */
void world_open_alone(struct world *w, int kind);
/* Another handle, for another process or role. */
struct schedules *world_another(const struct world *w, int64_t timeout_ms);
void world_close(struct world *w);
/* Runs SQL on the database from outside; free() the rows, as in sql_server.h.
 */
char *world_ask(struct world *w, const char *sql);
void world_run(struct world *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Aborts the test unless the call succeeded. */
#define OK(w, call) ck_assert_msg((call) == 0, "%s: %s", #call, (w)->err.msg)

/* An enabled schedule "s<n>" that is due at `due_us`, stored. */
void world_create(struct world *w, int n, int64_t due_us);
/* "weekly", with each field other than its default, due in 2027. */
extern const struct schedule world_full;
/* Stores it at 42; its id, valid until the next call. */
const char *world_store(struct world *w, const struct schedule *schedule,
			bool *ret_existing);
/* The one schedule of that id; schedules_list_free() it. */
struct schedules_list *world_get(struct world *w, const char *id);
/* A claim of what is due, with world_decide(): it fires at its next run, and
 * again `*(int64_t *)arg` later (NULL: never). */
schedule_decide_fn world_decide;
void world_claim(struct world *w, int64_t now_us, size_t limit, int64_t *period,
		 struct schedules_claimed *ret);

/* Forks; the child runs `fn`, with a handle of its own, and ends. */
pid_t world_fork(struct world *w, void (*fn)(struct world *w, int fd), int fd);
/* Waits for it; the status as of waitpid(). */
int world_reap(pid_t pid);

#endif
