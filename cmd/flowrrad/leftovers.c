/* SPDX-License-Identifier: MIT */
/*
 * What workers with other ids have left in the state directory.
 *
 * The lock of such a worker is taken first: while it is held, nobody starts with
 * that id, and it says that nobody runs. A spool goes only when its records are
 * on disk in our own; should we be killed in between, they are in both, which
 * does no harm.
 */
#include "leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dispatch/spool_file.h"
#include "identity.h"
#include "util/err.h"
#include "util/log.h"

/* A lock without a spool is kept for so long: it spares its worker a wait when
 * that starts again after it was killed (identity.h). */
#define LOCK_KEEP_S (24 * 3600)

static const char PREFIX[] = "worker-";

/* One worker that is not this one. */
struct leftover {
	char *lock, *spool;
	int lock_fd;
};

/* The id in "worker-<id>.lock" or "worker-<id>.spool", or NULL; free() it. */
static char *
leftovers_id(const char *name)
{
	const size_t prefix = sizeof(PREFIX) - 1;
	const char *dot = strrchr(name, '.');

	if (strncmp(name, PREFIX, prefix) != 0 || dot == NULL ||
	    (strcmp(dot, ".lock") != 0 && strcmp(dot, ".spool") != 0))
		return NULL;
	return strndup(name + prefix, (size_t)(dot - name) - prefix);
}

/* -1: it runs, or its lock cannot be opened. The lock is made only for a spool:
 * the directory may still list one that was removed with its spool. */
static int
leftovers_lock(struct leftover *l)
{
	const int create = access(l->spool, F_OK) == 0 ? O_CREAT : 0;

	l->lock_fd =
	    open(l->lock, O_RDWR | create | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->lock_fd < 0 || flock(l->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return -1;
	return 0;
}

static void
leftovers_take(const struct leftover *l, const struct identity *who)
{
	struct stat st;
	struct err err;

	if (lstat(l->spool, &st) == 0) {
		if (st.st_size > 0)
			log_notice("storing results that another worker left "
				   "in %s",
				   l->spool);
		if (spool_file_adopt(who->spool, l->spool, &err) != 0) {
			log_warning("%s; it is left as it is", err.msg);
			return;
		}
		unlink(l->spool);
	}
	/* While it is locked: see identity.c. */
	if (fstat(l->lock_fd, &st) == 0 &&
	    time(NULL) - st.st_mtime > LOCK_KEEP_S)
		unlink(l->lock);
}

static void
leftovers_look(const char *dir, const char *id, const struct identity *who)
{
	struct leftover l = {.lock_fd = -1};

	if (asprintf(&l.lock, "%s/%s%s.lock", dir, PREFIX, id) < 0)
		l.lock = NULL;
	if (asprintf(&l.spool, "%s/%s%s.spool", dir, PREFIX, id) < 0)
		l.spool = NULL;
	if (l.lock != NULL && l.spool != NULL && leftovers_lock(&l) == 0)
		leftovers_take(&l, who);
	if (l.lock_fd >= 0)
		close(l.lock_fd);
	free(l.lock);
	free(l.spool);
}

void
leftovers_adopt(const struct identity *who)
{
	char *dir =
	    strndup(who->path, (size_t)(strrchr(who->path, '/') - who->path));
	DIR *d = dir != NULL ? opendir(dir) : NULL;
	const struct dirent *entry;
	char *id;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		id = leftovers_id(entry->d_name);
		if (id != NULL && strcmp(id, who->id) != 0)
			leftovers_look(dir, id, who);
		free(id);
	}
	if (d == NULL)
		log_warning("cannot read the state directory: %s",
			    strerrordesc_np(errno));
	else
		closedir(d);
	free(dir);
}
