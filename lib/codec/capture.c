/* SPDX-License-Identifier: MIT */
/*
 * Writing what a command prints: the beginning, and the end in two files that
 * take turns.
 *
 * Files are written at once, with no buffer of ours: who follows them sees each
 * line when it is printed, and a worker that is killed loses none.
 */
#include "codec/capture.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "codec/capture_follow.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/fnv.h"
#include "util/path.h"

/* Of an ID that is a part of a file's name as it is. */
#define NAME_ID_MAX 200
/* One that is smaller could not hold a record, and its bytes. */
#define FILE_MIN 4096

struct capture {
	char *directory, *id;
	unsigned int attempt;
	uint64_t max, spool;
	int fd;		 /* of the file that is being written; -1: none yet */
	int first_fd;	 /* the first one's, locked while the command runs */
	uint64_t number; /* of that file */
	uint64_t size;	 /* of that file */
	uint64_t total;	 /* bytes of output so far */
	bool hurry, failed;
};

/* --- names ------------------------------------------------------------------ */

static bool
capture_is_plain(const char *id)
{
	size_t i;

	for (i = 0; id[i] != '\0'; i++)
		if (!isalnum((unsigned char)id[i]) && id[i] != '-' &&
		    id[i] != '_')
			return false;
	return i <= NAME_ID_MAX;
}

/* "=" and a number for an ID with other characters: it must not lead out of the
 * directory, and no name has two meanings. */
void
capture_base(char base[CAPTURE_BASE_SIZE], const char *id)
{
	if (capture_is_plain(id))
		snprintf(base, CAPTURE_NAME_SIZE, "%s", id);
	else
		snprintf(base, CAPTURE_NAME_SIZE, "=%016" PRIx64,
			 fnv_64(FNV_BASIS_64, slice_of(id)));
}

void
capture_name(char name[CAPTURE_NAME_SIZE], const char *id, unsigned int attempt,
	     uint64_t number)
{
	char base[CAPTURE_NAME_SIZE];

	capture_base(base, id);
	/* 200 bytes of it, and two numbers. */
	if (number == 0)
		snprintf(name, CAPTURE_NAME_SIZE, "%.200s.%u", base, attempt);
	else
		snprintf(name, CAPTURE_NAME_SIZE, "%.200s.%u.%d", base, attempt,
			 number % 2 == 1 ? 1 : 2);
}

unsigned int
capture_attempt_of(const char *name, const char *id)
{
	char base[CAPTURE_NAME_SIZE];
	unsigned long n;
	char *end;
	size_t len;

	capture_base(base, id);
	len = strlen(base);
	if (strncmp(name, base, len) != 0 || name[len] != '.' ||
	    !isdigit((unsigned char)name[len + 1]))
		return 0;
	n = strtoul(name + len + 1, &end, 10);
	return *end == '\0' && n <= UINT32_MAX ? (unsigned int)n : 0;
}

static char *
capture_path(const struct capture *c, uint64_t number)
{
	char name[CAPTURE_NAME_SIZE], *path;

	capture_name(name, c->id, c->attempt, number);
	return asprintf(&path, "%s/%s", c->directory, name) < 0 ? NULL : path;
}

char *
capture_directory(const struct conf *conf)
{
	char *dir = conf->worker.state_dir[0] != '\0'
			? strdup(conf->worker.state_dir)
			: path_state_dir(NULL),
	     *path = NULL;

	if (dir != NULL && asprintf(&path, "%s/output", dir) < 0)
		path = NULL;
	free(dir);
	return path;
}

/* --- files -------------------------------------------------------------------- */

static void
capture_remove(const struct capture *c, uint64_t number)
{
	char *path = capture_path(c, number);

	if (path != NULL)
		unlink(path);
	free(path);
}

struct capture *
capture_new(const struct capture_options *o)
{
	struct capture *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	*c = (struct capture){.directory = strdup(o->directory),
			      .id = strdup(o->id),
			      .attempt = o->attempt,
			      .max = o->max < 4 * (uint64_t)FILE_MIN
					 ? 4 * (uint64_t)FILE_MIN
					 : o->max,
			      .spool = o->spool,
			      .fd = -1,
			      .first_fd = -1};
	if (c->directory == NULL || c->id == NULL) {
		capture_free(c);
		return NULL;
	}
	capture_remove(c, 0);
	capture_remove(c, 1);
	capture_remove(c, 2);
	return c;
}

void
capture_free(struct capture *c)
{
	if (c == NULL)
		return;
	if (c->fd >= 0 && c->fd != c->first_fd)
		close(c->fd);
	if (c->first_fd >= 0)
		close(c->first_fd);
	free(c->directory);
	free(c->id);
	free(c);
}

/* A record in one write(), so that who reads meanwhile finds whole ones, but for
 * a disk that gets full. */
static int
capture_write(struct capture *c, enum capture_stream stream, const void *p,
	      size_t len, struct err *err)
{
	struct capture_head head = {.magic = CAPTURE_MAGIC + stream,
				    .len = (uint32_t)len,
				    .wall_us = clock_wall_us()};
	const struct iovec parts[] = {{&head, sizeof(head)}, {(void *)p, len}};
	ssize_t n;

	do
		n = writev(c->fd, parts, 2);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)(sizeof(head) + len)) {
		c->size += (uint64_t)n;
		return 0;
	}
	if (n >= 0)
		errno = ENOSPC;
	/* Half a record would be followed by nothing that can be read. */
	if (ftruncate(c->fd, (off_t)c->size) != 0 && n < 0)
		errno = ENOSPC;
	return err_sys(err, ERR_SYSTEM,
		       "cannot keep the command's output in %s", c->directory);
}

static int
capture_open(struct capture *c, uint64_t number, struct err *err)
{
	const struct capture_begin begin = {number, c->total};
	char *path = capture_path(c, number);
	int fd;

	if (path == NULL)
		return err_nomem(err);
	if (mkdir(c->directory, 0700) != 0 && errno != EEXIST) {
		free(path);
		return err_sys(err, ERR_SYSTEM, "cannot create %s",
			       c->directory);
	}
	unlink(path);
	fd = open(path,
		  O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC |
		      O_NOFOLLOW,
		  0600);
	if (fd < 0)
		err_sys(err, ERR_SYSTEM, "cannot create %s", path);
	free(path);
	if (fd < 0)
		return -1;
	if (number == 0) {
		c->first_fd = fd;
		flock(fd, LOCK_SH | LOCK_NB);
	} else if (c->fd != c->first_fd) {
		close(c->fd);
	}
	c->fd = fd;
	c->number = number;
	c->size = 0;
	return capture_write(c, CAPTURE_BEGIN, &begin, sizeof(begin), err);
}

static uint64_t
capture_bound(const struct capture *c)
{
	return c->number == 0 ? c->max / 2 : c->max / 4;
}

/* How many bytes of output the file that is being written may still take. */
static size_t
capture_room(const struct capture *c)
{
	const uint64_t max = capture_bound(c),
		       used = c->size + sizeof(struct capture_head);

	return used < max ? (size_t)(max - used) : 0;
}

void
capture_hurry(struct capture *c)
{
	c->hurry = true;
}

/* The next file takes the place of the one before this. */
static bool
capture_must_wait(const struct capture *c)
{
	return c->number >= 2 && capture_is_followed(c->directory, c->id,
						     c->attempt, c->number - 1);
}

/* Sees to it that a file is open that has room: 0, 1 or -1, as capture_add(). */
static int
capture_prepare(struct capture *c, struct err *err)
{
	if (c->fd < 0)
		return capture_open(c, 0, err);
	if (capture_room(c) > 0)
		return 0;
	if (capture_must_wait(c))
		return c->hurry || c->size < capture_bound(c) + c->spool ? 0
									 : 1;
	return capture_open(c, c->number + 1, err);
}

int
capture_add(struct capture *c, enum capture_stream stream, const char *p,
	    size_t len, size_t *ret_used, struct err *err)
{
	size_t used = 0, n, room;
	int r = 0;

	while (used < len && r == 0 && !c->failed) {
		if ((r = capture_prepare(c, err)) != 0)
			break;
		room = capture_room(c);
		n = room > 0 && room < len - used ? room : len - used;
		if ((r = capture_write(c, stream, p + used, n, err)) != 0)
			break;
		c->total += n;
		used += n;
	}
	if (r < 0)
		c->failed = true;
	*ret_used = c->failed ? len : used;
	return r;
}
