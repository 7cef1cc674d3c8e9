/* SPDX-License-Identifier: MIT */
/*
 * Who this worker is: its ID, and the lock that makes it the only one.
 *
 * The broker keeps a worker's claims under its ID. A worker that starts again
 * finds them there and gives them back at once; two with the same ID would take
 * each other's tasks for their own. So the ID is derived from the machine, and
 * a lock guards it.
 *
 * On another machine, with another file, the lock says nothing: there the
 * broker sees that a heartbeat bears the token of another process. The file of
 * the lock holds the token of the process that has it. Who gets the lock next
 * knows by that which process is gone for sure, however short ago it was: a
 * worker that was killed need not wait until its heartbeat has run out. A file
 * that was copied, with its machine or without, says nothing either: the boot
 * and the file's number stand in it, too.
 */
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/alive.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"
#include "util/path.h"
#include "util/trust.h"

#define STATE_DIR_KEY "[worker] state_dir"

/* The directory as conf_keys.def says; free() it. */
static char *
state_dir(const struct conf *conf, struct err *err)
{
	char *dir;

	if (conf->worker.state_dir[0] == '\0')
		return path_state_dir(err);
	if ((dir = strdup(conf->worker.state_dir)) == NULL)
		err_nomem(err);
	return dir;
}

/* The host's name stays the same from start to start, and "main" leaves room
 * for more workers on it, which set [worker] id. NULL: no memory, or no name.
 * The caller says "out of memory" for both, since Linux always has a name that
 * fits in 256 bytes. */
static char *
make_id(const struct conf *conf)
{
	char host[256], *id = NULL;

	if (conf->worker.id[0] != '\0')
		return strdup(conf->worker.id);
	if (gethostname(host, sizeof(host)) != 0)
		return NULL;
	host[sizeof(host) - 1] = '\0';
	return asprintf(&id, "%s:main", host) < 0 ? NULL : id;
}

/* The lock and the spool of several workers lie in one directory: the ID is
 * part of their names. The type WORKER of the configuration allows no slash in
 * it. */
static char *
beside(const char *dir, const char *id, const char *what)
{
	char *path = NULL;

	return asprintf(&path, "%s/worker-%s.%s", dir, id, what) < 0 ? NULL
								     : path;
}

/* Whether the file that is locked still has the name. */
static bool
is_there(const struct identity *who)
{
	struct stat locked, named;

	return fstat(who->lock_fd, &locked) == 0 &&
	       lstat(who->path, &named) == 0 && locked.st_dev == named.st_dev &&
	       locked.st_ino == named.st_ino;
}

/* For flowrractl, which starts a worker if none is there. */
static int
take_life(const struct identity *who, struct err *err)
{
	if (alive_begin(who->lock_fd) == 0)
		return 0;
	return err_sys(err, ERR_SYSTEM, "cannot lock %s", who->path);
}

void
identity_leave(const struct identity *who, bool leaving)
{
	if (alive_leave(who->lock_fd, leaving) != 0)
		log_warning("cannot lock %s: %s", who->path,
			    strerrordesc_np(errno));
}

/*
 * flock() and not a PID file: the kernel drops it when the process ends,
 * whatever ends it. Files of ids that are not used any more are removed
 * (leftovers.c), by who has the lock: so one that is locked may be gone by then,
 * and another of that name be there.
 *
 * O_NOFOLLOW: if others may write to the directory, a link must not make us
 * create a file elsewhere. O_CLOEXEC: an executor that outlives us must not
 * hold the lock.
 */
static int
take_lock(struct identity *who, struct err *err)
{
	who->lock_fd =
	    open(who->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (who->lock_fd < 0) {
		err_sys(err, ERR_SYSTEM, "cannot open the lock %s", who->path);
		return path_hint(who->path, STATE_DIR_KEY, err);
	}
	if (flock(who->lock_fd, LOCK_EX | LOCK_NB) == 0) {
		if (is_there(who))
			return take_life(who, err);
		close(who->lock_fd);
		return take_lock(who, err);
	}
	if (errno != EWOULDBLOCK)
		return err_sys(err, ERR_SYSTEM, "cannot lock %s", who->path);
	return err_set(err, ERR_REFUSED,
		       "a worker with ID %s is already running (it holds %s); "
		       "set another [worker] id",
		       who->id, who->path);
}

/* --- the process before ------------------------------------------------ */

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* Of the file that is locked, in this boot of the machine: NULL if that cannot
 * be told. free() it. */
static char *
lock_place(const struct identity *who)
{
	char boot[UUID_TEXT_SIZE] = "", *place = NULL;
	struct stat st;
	ssize_t n = -1;
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		n = read(fd, boot, sizeof(boot) - 1);
		close(fd);
	}
	if (n <= 0 || fstat(who->lock_fd, &st) != 0)
		return NULL;
	boot[n] = '\0';
	return asprintf(&place, "%s %ju:%ju", boot, (uintmax_t)st.st_dev,
			(uintmax_t)st.st_ino) < 0
		   ? NULL
		   : place;
}

/* Reads who had the lock, and writes who has it. That the file cannot be
 * written, on a full disk, only makes the next start take longer. */
static void
sign_lock(struct identity *who)
{
	char text[256] = "", *place = lock_place(who);
	ssize_t n = pread(who->lock_fd, text, sizeof(text) - 1, 0);

	uuid_make_random(who->token);
	if (place == NULL)
		return;
	if (n > UUID_TEXT_SIZE && text[UUID_TEXT_SIZE - 1] == ' ' &&
	    strcmp(text + UUID_TEXT_SIZE, place) == 0)
		memcpy(who->predecessor, text, UUID_TEXT_SIZE - 1);
	n = snprintf(text, sizeof(text), "%s %s", who->token, place);
	if (pwrite(who->lock_fd, text, (size_t)n, 0) != n ||
	    ftruncate(who->lock_fd, n) != 0)
		log_warning("cannot write %s: %s", who->path,
			    strerrordesc_np(errno));
	free(place);
}

/* Root writes there, and removes what dead workers left: in a directory of
 * somebody else, the files would be of their choice. */
static int
check_dir(const char *dir, struct err *err)
{
	if (geteuid() != 0 || trust_check_directory(dir, err) == 0)
		return 0;
	err_prefix(err, "cannot use the state directory as root");
	return err_hint(err, "run this as its owner, or set [worker] "
			     "state_dir");
}

/* What can be said before the directory is there. identity_drop() is called in any
 * case. */
static int
fill_names(const struct conf *conf, const char *dir, struct identity *ret,
	   struct err *err)
{
	*ret = (struct identity){.lock_fd = -1, .id = make_id(conf)};
	if (dir == NULL)
		return -1;
	if (ret->id == NULL ||
	    (ret->path = beside(dir, ret->id, "lock")) == NULL ||
	    (ret->spool = beside(dir, ret->id, "spool")) == NULL)
		return err_nomem(err);
	return 0;
}

int
identity_possible(const struct conf *conf, struct err *err)
{
	char *dir = state_dir(conf, err);
	struct identity who;
	int r = fill_names(conf, dir, &who, err);

	if (r == 0)
		r = path_check_file(who.path, STATE_DIR_KEY, err);
	if (r == 0 && access(dir, F_OK) == 0)
		r = check_dir(dir, err);
	identity_drop(&who);
	free(dir);
	return r;
}

int
identity_take(const struct conf *conf, struct identity *ret, struct err *err)
{
	char *dir = state_dir(conf, err);
	int status = -1;

	if (fill_names(conf, dir, ret, err) == 0) {
		if (path_make_dir(dir, err) != 0) {
			path_hint(ret->path, STATE_DIR_KEY, err);
		} else if (check_dir(dir, err) == 0 &&
			   take_lock(ret, err) == 0) {
			sign_lock(ret);
			status = 0;
		}
	}
	free(dir);
	return status;
}

void
identity_drop(struct identity *who)
{
	if (who->lock_fd >= 0)
		close(who->lock_fd);
	free(who->id);
	free(who->path);
	free(who->spool);
}
