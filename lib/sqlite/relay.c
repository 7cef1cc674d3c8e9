/* SPDX-License-Identifier: MIT */
/* The relay: a file that is a ring. */
#include "sqlite/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/err.h"

struct relay {
	int fd;
	dev_t dev;
	ino_t ino;
};

/* Whatever lies there under its name: a link is not followed, a FIFO not waited
 * for, a device not written. */
struct relay *
relay_open(int dir_fd, struct err *err)
{
	struct relay *r = malloc(sizeof(*r));
	struct stat st;

	if (r == NULL) {
		err_nomem(err);
		return NULL;
	}
	r->fd = openat(dir_fd, RELAY_NAME,
		       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		       0600);
	if (r->fd < 0 || fstat(r->fd, &st) != 0) {
		err_sys(err, ERR_UNAVAILABLE,
			"cannot open the file " RELAY_NAME
			" in the directory of the wake sockets");
	} else if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
		err_set(err, ERR_REFUSED,
			RELAY_NAME
			" in the directory of the wake sockets is "
			"not a regular file with one name; remove it");
	} else {
		r->dev = st.st_dev;
		r->ino = st.st_ino;
		return r;
	}
	relay_close(r);
	return NULL;
}

void
relay_close(struct relay *r)
{
	if (r == NULL)
		return;
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}

bool
relay_is_there(const struct relay *r, int dir_fd)
{
	struct stat st;

	return fstatat(dir_fd, RELAY_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == r->dev && st.st_ino == r->ino;
}

/* How much of `len` bytes at a position lies in one piece of the file, and where. */
static size_t
relay_place(int64_t at, size_t len, off_t *ret_offset)
{
	*ret_offset = at % RELAY_BYTES;
	return len < (size_t)(RELAY_BYTES - *ret_offset)
		   ? len
		   : (size_t)(RELAY_BYTES - *ret_offset);
}

/* 0, or -1 with errno. */
static int
relay_put(struct relay *r, int64_t at, const char *p, size_t len)
{
	off_t offset;
	ssize_t n;

	for (; len > 0; p += n, at += n, len -= (size_t)n) {
		n = (ssize_t)relay_place(at, len, &offset);
		n = pwrite(r->fd, p, (size_t)n, offset);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return -1;
	}
	return 0;
}

static bool
relay_take(struct relay *r, int64_t at, char *to, size_t len)
{
	off_t offset;
	ssize_t n;

	for (; len > 0; to += n, at += n, len -= (size_t)n) {
		n = (ssize_t)relay_place(at, len, &offset);
		n = pread(r->fd, to, (size_t)n, offset);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return false;
	}
	return true;
}

/* Whether there is such a position, and room for such a piece. */
static bool
relay_has(int64_t at, size_t len)
{
	return at >= 0 && at <= INT64_MAX - RELAY_BYTES &&
	       len <= (size_t)(RELAY_BYTES - RELAY_SPAN(0));
}

int
relay_write(struct relay *r, int64_t at, int64_t mark, struct slice piece,
	    struct err *err)
{
	if (!relay_has(at, piece.len))
		errno = EFBIG;
	else if (relay_put(r, at, (const char *)&mark, sizeof(mark)) == 0 &&
		 relay_put(r, at + (int64_t)sizeof(mark), piece.p, piece.len) ==
		     0)
		return 0;
	return err_sys(err, ERR_UNAVAILABLE, "cannot write events");
}

bool
relay_read(struct relay *r, int64_t at, int64_t mark, char *to, size_t len)
{
	int64_t there;

	return relay_has(at, len) &&
	       relay_take(r, at, (char *)&there, sizeof(there)) &&
	       there == mark &&
	       relay_take(r, at + (int64_t)sizeof(mark), to, len);
}

void
relay_empty(struct relay *r)
{
	/* Else its bytes stay, of which there are no more than that. */
	if (ftruncate(r->fd, 0) != 0)
		return;
}
