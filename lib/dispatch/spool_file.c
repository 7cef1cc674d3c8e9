/* SPDX-License-Identifier: MIT */
/*
 * Final records on disk, until the backend has them.
 *
 * The file is a sequence of frames, each with a checksum; it is only ever added
 * to, or emptied. The loop's thread puts frames into `waiting`, and the spool's
 * thread takes all of them at once, so that many records cost one flush. `lock`
 * covers what both use; the file and its length are of the spool's thread alone
 * as soon as that runs.
 */
#include "dispatch/spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/err.h"
#include "util/fnv.h"
#include "util/log.h"

#define MAGIC 0x4c505346u /* "FSPL" */
/* Before the next try, when the disk was full: it is not urgent, since all
 * waits in memory meanwhile. */
#define RETRY_S 1
/* Larger lengths are damage: the largest result and the largest arguments make
 * half of that each. */
#define RECORD_MAX (64u << 20)

/* In host order: the file never leaves the machine. */
struct frame {
	uint32_t magic;
	uint32_t id_len;
	uint32_t record_len;
	uint32_t sum; /* FNV-1a of id and record */
};

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
};

/* --- reading ------------------------------------------------------------- */

/* The next record of `bytes`; returns its size there, 0 if there is none. The sum
 * tells a torn write from a whole one. */
static size_t
spool_parse(struct slice bytes, struct slice *ret_id, struct slice *ret_record)
{
	struct frame f;

	if (bytes.len < sizeof(f))
		return 0;
	memcpy(&f, bytes.p, sizeof(f));
	if (f.magic != MAGIC || f.id_len > RECORD_MAX ||
	    f.record_len > RECORD_MAX ||
	    bytes.len - sizeof(f) < (size_t)f.id_len + f.record_len)
		return 0;
	*ret_id = (struct slice){bytes.p + sizeof(f), f.id_len};
	*ret_record = (struct slice){ret_id->p + f.id_len, f.record_len};
	if (fnv_32(fnv_32(FNV_BASIS_32, *ret_id), *ret_record) != f.sum)
		return 0;
	return sizeof(f) + f.id_len + f.record_len;
}

static int
spool_read_all(const struct spool_file *s, struct buf *out, struct err *err)
{
	char chunk[65536];
	ssize_t n;

	while ((n = read(s->fd, chunk, sizeof(chunk))) > 0)
		buf_add(out, chunk, (size_t)n);
	if (n < 0)
		return err_sys(err, ERR_SYSTEM, "cannot read the spool %s",
			       s->path);
	return out->failed ? err_nomem(err) : 0;
}

/* Reads up to the first frame that is not whole: what follows one cannot be
 * told from chance. `length` is the end of the good part, where writing goes
 * on. */
static int
spool_load(struct spool_file *s,
	   void (*on_record)(struct slice id, struct slice record, void *arg),
	   void *arg, struct err *err)
{
	struct buf content = BUF_INIT;
	struct slice rest, id, record;
	int status = -1;
	size_t n;

	if (spool_read_all(s, &content, err) != 0)
		goto out;
	rest = (struct slice){content.data, content.len};
	while ((n = spool_parse(rest, &id, &record)) > 0) {
		on_record(id, record, arg);
		s->used = true;
		rest.p += n;
		rest.len -= n;
	}
	s->length = (off_t)(content.len - rest.len);
	status = 0;
out:
	buf_done(&content);
	return status;
}

/* --- writing ------------------------------------------------------------- */

/* `length` moves on only when all is on disk: a write that failed half way is
 * written over by the next one. */
static int
write_all(struct spool_file *s, struct slice bytes)
{
	size_t done = 0;
	ssize_t n;

	while (done < bytes.len) {
		n = pwrite(s->fd, bytes.p + done, bytes.len - done,
			   s->length + (off_t)done);
		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	/* Before that, a power failure could take the record along. */
	if (fdatasync(s->fd) != 0)
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
	bool failed = false;

	pthread_mutex_lock(&s->lock);
	while (wait_for_work(s, failed)) {
		if (s->clear) {
			s->clear = false;
			s->length = 0;
			buf_reset(&batch);
			/* What an error leaves there is delivered again. */
			if (ftruncate(s->fd, 0) != 0)
				spool_warn(s);
			failed = false;
			continue;
		}
		/* Others may put more while this is being written. */
		buf_add(&batch, s->waiting.data, s->waiting.len);
		buf_reset(&s->waiting);
		pthread_mutex_unlock(&s->lock);
		failed =
		    write_all(s, (struct slice){batch.data, batch.len}) != 0;
		if (failed)
			spool_warn(s);
		pthread_mutex_lock(&s->lock);
		if (!failed) {
			buf_reset(&batch);
			s->complained = false;
		} else if (s->ending) {
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

/* Whole or not at all: buf_add() after a reservation cannot fail. */
static void
spool_add_frame(struct buf *out, struct slice id, struct slice record)
{
	const struct frame f = {.magic = MAGIC,
				.id_len = (uint32_t)id.len,
				.record_len = (uint32_t)record.len,
				.sum =
				    fnv_32(fnv_32(FNV_BASIS_32, id), record)};

	if (buf_reserve(out, sizeof(f) + id.len + record.len) != 0)
		return;
	buf_add(out, &f, sizeof(f));
	buf_add(out, id.p, id.len);
	buf_add(out, record.p, record.len);
}

static void
spool_collect(struct slice id, struct slice record, void *arg)
{
	spool_add_frame(arg, id, record);
}

static void
spool_ignore(struct slice id, struct slice record, void *arg)
{
}

static int
spool_open_fd(const char *path, int flags, struct err *err)
{
	/* Not through a link: somebody else could have put it there. */
	const int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd >= 0
		   ? fd
		   : err_sys(err, ERR_SYSTEM, "cannot open the spool %s", path);
}

int
spool_file_adopt(const char *path, const char *other, struct err *err)
{
	struct spool_file from = {.path = (char *)other, .fd = -1},
			  to = {.path = (char *)path, .fd = -1};
	struct buf records = BUF_INIT;
	int status = -1;

	if ((from.fd = spool_open_fd(other, O_RDONLY, err)) < 0 ||
	    (to.fd = spool_open_fd(path, O_RDWR | O_CREAT, err)) < 0 ||
	    spool_load(&from, spool_collect, &records, err) != 0 ||
	    spool_load(&to, spool_ignore, NULL, err) != 0)
		goto out;
	if (records.failed)
		err_nomem(err);
	else if (write_all(&to, (struct slice){records.data, records.len}) != 0)
		err_sys(err, ERR_SYSTEM, "cannot write the spool %s", path);
	else
		status = 0;
out:
	if (from.fd >= 0)
		close(from.fd);
	if (to.fd >= 0)
		close(to.fd);
	buf_done(&records);
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
	spool_add_frame(&s->waiting, id, record);
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
spool_file_open(const char *path,
		void (*on_record)(struct slice id, struct slice record,
				  void *arg),
		void *arg, struct err *err)
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
