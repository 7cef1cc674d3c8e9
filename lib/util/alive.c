/* SPDX-License-Identifier: MIT */
/*
 * Whether a process lives: a lock on the first byte of the file says so, and one
 * on the second that it leaves. Locks of an open file description (fcntl(2)) know
 * nothing of flock(), which may be on the same file.
 */
#include "util/alive.h"

#include <fcntl.h>
#include <unistd.h>

enum { BYTE_RUNNING, BYTE_LEAVING };

static int
alive_set(int fd, int byte, short type)
{
	struct flock lock = {
	    .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &lock);
}

int
alive_begin(int fd)
{
	return alive_set(fd, BYTE_RUNNING, F_WRLCK);
}

void
alive_end(int fd)
{
	alive_set(fd, BYTE_RUNNING, F_UNLCK);
}

int
alive_leave(int fd, bool leaving)
{
	return alive_set(fd, BYTE_LEAVING, leaving ? F_WRLCK : F_UNLCK);
}

static bool
alive_is_set(int fd, int byte)
{
	/* A read lock: it only conflicts with a write lock, which needs write
	 * access to the file. Anyone who can read it could take a read lock. */
	struct flock lock = {.l_type = F_RDLCK,
			     .l_whence = SEEK_SET,
			     .l_start = byte,
			     .l_len = 1};

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* Leaving first: a process that ends between the two questions is gone. */
enum alive
alive_ask_fd(int fd)
{
	if (alive_is_set(fd, BYTE_LEAVING))
		return ALIVE_LEAVING;
	return alive_is_set(fd, BYTE_RUNNING) ? ALIVE_RUNNING : ALIVE_NO;
}

enum alive
alive_ask(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum alive alive;

	if (fd < 0)
		return ALIVE_NO;
	alive = alive_ask_fd(fd);
	close(fd);
	return alive;
}
