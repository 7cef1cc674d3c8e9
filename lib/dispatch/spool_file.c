/* SPDX-License-Identifier: MIT */
/*
 * Final records on disk, until the backend has them.
 *
 * The file is a sequence of frames (spool_read.h); it is only ever added to, or
 * emptied. The loop's thread puts frames into `waiting`, and the spool's
 * thread takes all of them at once, so that many records cost one flush. `lock`
 * covers what both use; the file and its length are of the spool's thread alone
 * as soon as that runs.
 */
#include "dispatch/spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/err.h"
#include "util/log.h"

/* Before the next try, when the disk was full: it is not urgent, since all
 * waits in memory meanwhile. */
#define RETRY_S 1

struct spool_file {
	char *path;
	int fd;
	bool used;    /* of the loop's thread, like `started` */
	bool started; /* the thread: only when there is something to write */
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t work;
	struct buf waiting;
	bool clear; /* empty the file before anything else */
	bool ending;
	off_t length; /* of the file; of the spool's thread */
	bool complained;
	bool keeps; /* something that must not go when all else has gone */
};

/* --- reading ------------------------------------------------------------- */

/* Puts what is damaged aside, and the whole frames into a file of their own, which
 * then is the spool: there is one at any time, and it has them all. */
static int
spool_renew(struct spool_file *s, const struct spool_found *found,
	    struct err *err)
{
	const struct slice whole = {found->whole.data, found->whole.len};
	char *name = NULL;
	int fd = -1;

	if (spool_put_aside(s->path, found, err) != 0)
		return -1;
	if (asprintf(&name, "%s.new", s->path) < 0)
		return err_nomem(err);
	if ((fd = spool_open_fd(name, O_RDWR | O_CREAT | O_TRUNC, err)) >= 0 &&
	    (spool_write(fd, whole, 0) != 0 || rename(name, s->path) != 0)) {
		err_sys(err, ERR_SYSTEM, "cannot renew the spool %s", s->path);
		unlink(name);
		close(fd);
		fd = -1;
	}
	free(name);
	if (fd < 0)
		return -1;
	close(s->fd);
	s->fd = fd;
	s->length = (off_t)whole.len;
	return 0;
}

/* What is damaged and cannot be put aside stays in the file, which is then never
 * emptied: it is tried again when it is opened again. */
static int
spool_load(struct spool_file *s, spool_record_fn *on_record, void *arg,
	   struct err *err)
{
	struct spool_found found;
	int rc = spool_read(s->fd, s->path, on_record, arg, &found, err);
	struct err why;

	s->length = found.end;
	s->used = found.whole.len > 0;
	if (rc == 0 && found.pieces > 0) {
		s->keeps = spool_renew(s, &found, &why) != 0;
		if (s->keeps)
			log_error("%s; the spool keeps what is damaged",
				  why.msg);
	} else if (rc == 0 && ftruncate(s->fd, found.end) != 0) {
		/* What was cut short may be longer than what is written next. */
		log_warning("cannot cut the spool %s: %s", s->path,
			    strerrordesc_np(errno));
	}
	spool_found_done(&found);
	return rc;
}

/* --- writing ------------------------------------------------------------- */

/* `length` moves on only when all is on disk: a write that failed half way is
 * written over by the next one. */
static int
write_all(struct spool_file *s, struct slice bytes)
{
	if (spool_write(s->fd, bytes, s->length) != 0)
		return -1;
	s->length += (off_t)bytes.len;
	return 0;
}

/* Waits for work, or a while after a failure; false: it is over. */
static bool
wait_for_work(struct spool_file *s, bool failed)
{
	struct timespec until;

	while (!s->clear && !s->ending && (failed || s->waiting.len == 0)) {
		if (!failed) {
			pthread_cond_wait(&s->work, &s->lock);
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += RETRY_S;
		if (pthread_cond_timedwait(&s->work, &s->lock, &until) ==
		    ETIMEDOUT)
			break;
	}
	return s->clear || s->waiting.len > 0;
}

/* Once, until a write succeeds again: each second would fill a disk that is
 * full. */
static void
spool_warn(struct spool_file *s)
{
	if (!s->complained)
		log_error(
		    "spool %s: %s; results wait in memory until there is space",
		    s->path, strerrordesc_np(errno));
	s->complained = true;
}

/* The spool's thread. Holds the lock except while it writes. Ends when there is
 * nothing left, or when what is left cannot be written at the end. */
static void *
spool_run(void *arg)
{
	struct spool_file *s = arg;
	struct buf batch = BUF_INIT;
	bool failed = false, last;

	pthread_mutex_lock(&s->lock);
	while (wait_for_work(s, failed)) {
		if (s->clear) {
			s->clear = false;
			buf_reset(&batch);
			/* What an error leaves there is delivered again. */
			if (!s->keeps && ftruncate(s->fd, 0) != 0)
				spool_warn(s);
			if (!s->keeps)
				s->length = 0;
			failed = false;
			continue;
		}
		/* Others may put more while this is being written. */
		buf_add(&batch, s->waiting.data, s->waiting.len);
		buf_reset(&s->waiting);
		/* One try at the end is due, behind one that is under way. */
		last = s->ending;
		pthread_mutex_unlock(&s->lock);
		failed =
		    write_all(s, (struct slice){batch.data, batch.len}) != 0;
		if (failed)
			spool_warn(s);
		pthread_mutex_lock(&s->lock);
		if (!failed) {
			buf_reset(&batch);
			s->complained = false;
		} else if (last) {
			/* Nobody could wait for a disk that is full. */
			break;
		} else if (!s->clear) {
			/* What came meanwhile goes behind it. */
			buf_add(&batch, s->waiting.data, s->waiting.len);
			buf_reset(&s->waiting);
			buf_add(&s->waiting, batch.data, batch.len);
			buf_reset(&batch);
		}
	}
	pthread_mutex_unlock(&s->lock);
	buf_done(&batch);
	return NULL;
}

/* --- another worker's ---------------------------------------------------- */

static bool
spool_take_all(struct slice id, struct slice record, void *arg)
{
	return true;
}

/* The other's damage goes to this one's, since that file is removed next. */
int
spool_file_adopt(const char *path, const char *other, struct err *err)
{
	struct spool_file to = {.path = (char *)path, .fd = -1};
	const int from = spool_open_fd(other, O_RDONLY, err);
	struct spool_found found = {.pieces = 0};
	int status = -1;

	if (from < 0 ||
	    (to.fd = spool_open_fd(path, O_RDWR | O_CREAT, err)) < 0 ||
	    spool_read(from, other, spool_take_all, NULL, &found, err) != 0 ||
	    spool_load(&to, spool_take_all, NULL, err) != 0 ||
	    (found.pieces > 0 && spool_put_aside(path, &found, err) != 0))
		goto out;
	if (write_all(&to, (struct slice){found.whole.data, found.whole.len}) !=
	    0)
		err_sys(err, ERR_SYSTEM, "cannot write the spool %s", path);
	else
		status = 0;
out:
	if (from >= 0)
		close(from);
	if (to.fd >= 0)
		close(to.fd);
	spool_found_done(&found);
	return status;
}

/* --- the loop's side ----------------------------------------------------- */

/* Most workers never need it. If it cannot be started now, the next record
 * tries again; all waits in memory. */
static void
spool_start_thread(struct spool_file *s)
{
	if (!s->started &&
	    (errno = pthread_create(&s->thread, NULL, spool_run, s)))
		spool_warn(s);
	else
		s->started = true;
}

void
spool_file_put(struct spool_file *s, struct slice id, struct slice record)
{
	s->used = true;
	pthread_mutex_lock(&s->lock);
	/* Without memory it is left out: the record waits for the backend in
	 * the job as well. */
	spool_frame_add(&s->waiting, id, record);
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	spool_start_thread(s);
}

/* Through the thread, too, so that it comes behind the writes of before. */
void
spool_file_clear(struct spool_file *s)
{
	s->used = false;
	pthread_mutex_lock(&s->lock);
	buf_reset(&s->waiting);
	s->clear = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	spool_start_thread(s);
}

bool
spool_file_used(const struct spool_file *s)
{
	return s->used;
}

struct spool_file *
spool_file_open(const char *path, spool_record_fn *on_record, void *arg,
		struct err *err)
{
	struct spool_file *s = calloc(1, sizeof(*s));
	pthread_condattr_t monotonic;

	if (s == NULL || (s->path = strdup(path)) == NULL) {
		free(s);
		err_nomem(err);
		return NULL;
	}
	s->fd = spool_open_fd(path, O_RDWR | O_CREAT, err);
	if (s->fd >= 0 && spool_load(s, on_record, arg, err) == 0) {
		/* A retry must not hang on a wall clock that is set back. */
		pthread_condattr_init(&monotonic);
		pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
		pthread_mutex_init(&s->lock, NULL);
		pthread_cond_init(&s->work, &monotonic);
		pthread_condattr_destroy(&monotonic);
		return s;
	}
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s);
	return NULL;
}

void
spool_file_close(struct spool_file *s)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->ending = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	if (s->started)
		pthread_join(s->thread, NULL);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->work);
	buf_done(&s->waiting);
	close(s->fd);
	free(s->path);
	free(s);
}
