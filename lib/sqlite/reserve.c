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

/*
 * How large the reserve can be, of `there` bytes now. A new one must be small
 * beside what is free. One that was used takes back half of it, since what a
 * deletion has set free is for new tasks, too.
 */
static off_t
reserve_size(const char *path, off_t there, bool new)
{
	unsigned long long available, missing = RESERVE_BYTES - there;
	struct statvfs fs;

	if (statvfs(path, &fs) != 0)
		return there;
	available = fs.f_bavail * (unsigned long long)fs.f_frsize;
	if (new)
		return available >= missing * RESERVE_SHARE ? RESERVE_BYTES
							    : there;
	return there +
	       (off_t)(available / 2 < missing ? available / 2 : missing);
}

/* If the disk is full before all of it is there, it goes back as it was: the
 * last block is for those who need it. */
static void
reserve_grow(const char *path, int fd, bool new)
{
	struct stat st;
	off_t size;

	if (fstat(fd, &st) != 0 || st.st_size >= RESERVE_BYTES)
		return;
	size = reserve_size(path, st.st_size, new);
	if (size > st.st_size && posix_fallocate(fd, 0, size) != 0 &&
	    ftruncate(fd, st.st_size) != 0)
		reserve_release(path, 0);
}

void
reserve_fill(const char *path)
{
	int fd = reserve_open(path, 0);
	const bool new = fd < 0;

	if (new &&reserve_size(path, 0, true) > 0)
		fd = reserve_open(path, O_CREAT);
	if (fd < 0)
		return;
	reserve_grow(path, fd, new);
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
	/* It stays there, if empty: so that it is filled as one that was. */
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		if (bytes > 0 && st.st_size > (off_t)bytes)
			size = st.st_size - (off_t)bytes;
		released = ftruncate(fd, size) == 0;
	}
	close(fd);
	return released;
}
