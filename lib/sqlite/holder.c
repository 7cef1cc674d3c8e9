/* SPDX-License-Identifier: MIT */
/*
 * Which process keeps others from writing into the database, or its log from being
 * moved.
 *
 * SQLite's locks are POSIX ones, on bytes that its file format names, so the
 * kernel knows their owner. It is asked through the descriptors that SQLite has
 * open: to close one of our own would drop the locks that this process has on
 * the file. Processes of other containers have no number here.
 */
#include "sqlite/holder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loaded/sqlite3.h"

/* WAL_WRITE_LOCK, in the index of the log (sqlite.org/walformat.html). */
#define WRITE_LOCK 120
/* WAL_READ_LOCK(0) to (4), whose readers use the log up to the frame that the mark
 * of the same number has. Those of 0 use the file alone, which must not change
 * then. */
#define READ_LOCK 123
#define READ_MARKS 100
#define READERS 5
/* PENDING, RESERVED and SHARED bytes of the file itself: with
 * locking_mode = EXCLUSIVE, or without a log (sqlite.org/fileformat.html). */
#define FILE_LOCKS 0x40000000
#define FILE_LOCKS_LEN 512
/* comm(5) has 15 bytes at most. */
#define NAME_SIZE 16

/* Its own descriptor of a file; -1: it has none. */
static int
holder_descriptor(const char *path)
{
	struct dirent *entry;
	struct stat file, st;
	DIR *dir = NULL;
	int fd, found = -1;

	if (stat(path, &file) != 0 || (dir = opendir("/proc/self/fd")) == NULL)
		return -1;
	while (found < 0 && (entry = readdir(dir)) != NULL) {
		fd = (int)strtol(entry->d_name, NULL, 10);
		if (entry->d_name[0] != '.' && fstat(fd, &st) == 0 &&
		    st.st_dev == file.st_dev && st.st_ino == file.st_ino)
			found = fd;
	}
	closedir(dir);
	return found;
}

/* Who holds what keeps a lock of `type` away; 0: nobody, or it is unknown. */
static pid_t
holder_of(int fd, short type, off_t start, off_t len)
{
	struct flock lock = {.l_type = type,
			     .l_whence = SEEK_SET,
			     .l_start = start,
			     .l_len = len};

	if (fd < 0 || fcntl(fd, F_GETLK, &lock) != 0 ||
	    lock.l_type == F_UNLCK || lock.l_pid < 0)
		return 0;
	return lock.l_pid;
}

static pid_t
holder_find(const char *path)
{
	char index[4096];
	pid_t pid = 0;

	if (snprintf(index, sizeof(index), "%s-shm", path) < (int)sizeof(index))
		pid =
		    holder_of(holder_descriptor(index), F_WRLCK, WRITE_LOCK, 1);
	return pid != 0 ? pid
			: holder_of(holder_descriptor(path), F_RDLCK,
				    FILE_LOCKS, FILE_LOCKS_LEN);
}

/* A process may give itself any name: it must not write into our messages. */
static void
holder_name(pid_t pid, char name[NAME_SIZE])
{
	char path[32], *p;
	FILE *file;

	name[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	if ((file = fopen(path, "re")) == NULL)
		return;
	if (fgets(name, NAME_SIZE, file) == NULL)
		name[0] = '\0';
	fclose(file);
	name[strcspn(name, "\n")] = '\0';
	for (p = name; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

/* Of those that read now, who began first: it needs most of the log. Marks are
 * compared as SQLite does, so one that is not used is the last. */
static pid_t
holder_find_reader(const char *path)
{
	uint32_t marks[READERS], first = UINT32_MAX;
	char index[4096];
	pid_t pid, found = 0;
	int fd, i;

	if (snprintf(index, sizeof(index), "%s-shm", path) >=
		(int)sizeof(index) ||
	    (fd = holder_descriptor(index)) < 0 ||
	    pread(fd, marks, sizeof(marks), READ_MARKS) !=
		(ssize_t)sizeof(marks))
		return 0;
	for (i = 0; i < READERS; i++) {
		pid = holder_of(fd, F_WRLCK, READ_LOCK + i, 1);
		if (pid != 0 && marks[i] < first) {
			first = marks[i];
			found = pid;
		}
	}
	return found;
}

static void
holder_put(pid_t pid, char *ret, size_t size)
{
	char name[NAME_SIZE];

	if (pid == 0) {
		snprintf(ret, size, "another process");
		return;
	}
	holder_name(pid, name);
	snprintf(ret, size, name[0] != '\0' ? "process %d (%s)" : "process %d",
		 (int)pid, name);
}

void
holder_describe(sqlite3 *db, char *ret, size_t size)
{
	const char *path = sqlite3_db_filename(db, "main");

	holder_put(path != NULL ? holder_find(path) : 0, ret, size);
}

void
holder_describe_reader(sqlite3 *db, char *ret, size_t size)
{
	const char *path = sqlite3_db_filename(db, "main");

	holder_put(path != NULL ? holder_find_reader(path) : 0, ret, size);
}
