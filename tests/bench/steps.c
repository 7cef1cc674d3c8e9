/* SPDX-License-Identifier: MIT */
/*
 * Times the statements of SQLite in a program that is linked to it: loaded before
 * the library (LD_PRELOAD), it stands in the place of its step and its reset. The
 * program is measured as it is built.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "longest.h"

/* Statements under way at a time; a thread of the daemon has few. */
#define UNDER_WAY_MAX 256

static struct longest_steps *page;
static int (*real_step)(sqlite3_stmt *);
static int (*real_reset)(sqlite3_stmt *);

static pthread_mutex_t steps_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	sqlite3_stmt *stmt;
	uint64_t ns;
} under_way[UNDER_WAY_MAX];

__attribute__((constructor)) static void
steps_init(void)
{
	const char *path = getenv("BENCH_STEPS");
	int fd;

	*(void **)&real_step = dlsym(RTLD_NEXT, "sqlite3_step");
	*(void **)&real_reset = dlsym(RTLD_NEXT, "sqlite3_reset");
	if (path == NULL || (fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return;
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
	if (page == MAP_FAILED)
		page = NULL;
	close(fd);
}

static uint64_t
steps_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Adds to what the statement took; it is told when it is over. */
static void
steps_add(sqlite3_stmt *stmt, uint64_t ns, bool over)
{
	const char *sql;
	size_t i, at = UNDER_WAY_MAX;

	pthread_mutex_lock(&steps_lock);
	for (i = 0; i < UNDER_WAY_MAX; i++)
		if (under_way[i].stmt == stmt ||
		    (under_way[i].stmt == NULL && at == UNDER_WAY_MAX))
			at = i;
	if (at == UNDER_WAY_MAX)
		abort();
	if (under_way[at].stmt == NULL)
		under_way[at].ns = 0;
	under_way[at].stmt = over ? NULL : stmt;
	ns = under_way[at].ns += ns;
	if (over && ns > page->longest_ns) {
		sql = sqlite3_sql(stmt);
		snprintf(page->sql, sizeof(page->sql), "%s",
			 sql != NULL ? sql : "");
		page->longest_ns = ns;
	}
	pthread_mutex_unlock(&steps_lock);
}

int
sqlite3_step(sqlite3_stmt *stmt)
{
	const uint64_t begin_ns = steps_now_ns();
	const int result = real_step(stmt);

	if (page != NULL)
		steps_add(stmt, steps_now_ns() - begin_ns,
			  result != SQLITE_ROW);
	return result;
}

int
sqlite3_reset(sqlite3_stmt *stmt)
{
	if (page != NULL && stmt != NULL)
		steps_add(stmt, 0, true);
	return real_reset(stmt);
}
