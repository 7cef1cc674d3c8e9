/* SPDX-License-Identifier: MIT */
/*
 * Times the statements of SQLite in a program that loads it: in the program from the
 * start (LD_PRELOAD), it stands in the place of dlsym(), and so hands out its own step
 * and reset. The program is measured as it is built.
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
static const char *(*real_sql)(sqlite3_stmt *);

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
		sql = real_sql(stmt);
		snprintf(page->sql, sizeof(page->sql), "%s",
			 sql != NULL ? sql : "");
		page->longest_ns = ns;
	}
	pthread_mutex_unlock(&steps_lock);
}

static int
timed_step(sqlite3_stmt *stmt)
{
	const uint64_t begin_ns = steps_now_ns();
	const int result = real_step(stmt);

	if (page != NULL)
		steps_add(stmt, steps_now_ns() - begin_ns,
			  result != SQLITE_ROW);
	return result;
}

static int
timed_reset(sqlite3_stmt *stmt)
{
	if (page != NULL && stmt != NULL)
		steps_add(stmt, 0, true);
	return real_reset(stmt);
}

/* The loader's own. glibc has given it a new version when it took libdl in. */
static void *
real_dlsym(void *handle, const char *name)
{
	static const char *const versions[] = {"GLIBC_2.34", "GLIBC_2.17",
					       "GLIBC_2.2.5", "GLIBC_2.0"};
	static void *(*real)(void *, const char *);
	size_t i;

	for (i = 0; real == NULL && i < sizeof(versions) / sizeof(versions[0]);
	     i++)
		*(void **)&real = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
	if (real == NULL)
		abort();
	return real(handle, name);
}

void *
dlsym(void *handle, const char *name)
{
	void *const found = real_dlsym(handle, name);

	if (found == NULL)
		return NULL;
	if (strcmp(name, "sqlite3_step") == 0) {
		*(void **)&real_step = found;
		*(void **)&real_sql = real_dlsym(handle, "sqlite3_sql");
		return (void *)timed_step;
	}
	if (strcmp(name, "sqlite3_reset") == 0) {
		*(void **)&real_reset = found;
		return (void *)timed_reset;
	}
	return found;
}
