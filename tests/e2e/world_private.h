/* SPDX-License-Identifier: MIT */
/* A world, as world.c, run.c and worker.c see it. */
#ifndef TESTS_E2E_WORLD_PRIVATE_H
#define TESTS_E2E_WORLD_PRIVATE_H

#include <stdarg.h>

#include "e2e/world.h"

#define WORKERS_MAX 8

struct worker;

struct world {
	char *dir;
	const char *build, *top, *url;
	struct redis_server *redis;
	struct redis_group *group;    /* that it is of, or NULL */
	struct redis_server *backend; /* NULL: the same */
	const char *backend_url;      /* NULL: the same */
	struct worker *workers[WORKERS_MAX];
	unsigned int n_workers, n_runs;
	bool crashes;
	pid_t janitor;
	int janitor_fd;
	char **kept;
	size_t n_kept;
};

char *world_vtext(struct world *w, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
/* Forks for a shell command that runs in the world's directory, dies with the
 * test, and has these files (in it) as standard output and error. Returns
 * twice, as fork() does; the child then goes on with run_exec(). */
pid_t run_fork(struct world *w, const char *out, const char *err);
__attribute__((noreturn)) void run_exec(const char *command);
int run_wait(pid_t pid, int64_t timeout_ms);
void workers_stop(struct world *w);

#endif
