/* SPDX-License-Identifier: MIT */
/* The reserve: a file of blocks that nobody uses. */
#include "sqlite/reserve.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A page of deletions, a thousand small tasks, changes some hundred pages of
 * the database, since those that become free need not be written. */
#define RESERVE_BYTES (512 * 1024)
/* A reserve that took a large part of a small disk would fill it by itself. */
#define RESERVE_SHARE 4

/* Closing it drops no lock: it is not the database. Tries no path through a
 * link, since it is written and the directory may be shared with others. */
static int
reserve_open(const char *path, int flags)
{
	char *name;
	int fd;

	if (asprintf(&name, "%s-reserve", path) < 0)
		return -1;
	fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	free(name);
	return fd;
}

/* As the database itself, what root makes is the service's. */
static bool
reserve_give_to_owner(const char *path, int fd)
{
	struct stat st;

	return geteuid() != 0 ||
	       (stat(path, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) == 0);
}

static bool
reserve_fits(int fd, off_t there)
{
	struct statvfs fs;

	return fstatvfs(fd, &fs) == 0 &&
	       fs.f_bavail * (unsigned long long)fs.f_frsize >=
		   (unsigned long long)(RESERVE_BYTES - there) * RESERVE_SHARE;
}

void
reserve_fill(const char *path)
{
	const int fd = reserve_open(path, O_CREAT);
	struct stat st;

	if (fd < 0)
		return;
	/* If the disk is full before all of it is there, it goes back as it
	 * was: the last block is for whoever needs it. */
	if (fstat(fd, &st) == 0 && st.st_size < RESERVE_BYTES &&
	    reserve_fits(fd, st.st_size) && reserve_give_to_owner(path, fd) &&
	    posix_fallocate(fd, 0, RESERVE_BYTES) != 0 &&
	    ftruncate(fd, st.st_size) != 0)
		reserve_release(path, 0);
	close(fd);
}

bool
reserve_release(const char *path, size_t bytes)
{
	const int fd = reserve_open(path, 0);
	bool released = false;
	struct stat st;
	off_t size = 0;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		if (bytes > 0 && st.st_size > (off_t)bytes)
			size = st.st_size - (off_t)bytes;
		released = ftruncate(fd, size) == 0;
	}
	close(fd);
	return released;
}
