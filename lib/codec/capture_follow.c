/* SPDX-License-Identifier: MIT */
/*
 * Followers of captures: how far they have come, for the writer, who waits for them
 * only where it would else overwrite what they have not seen.
 */
#include "codec/capture_follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/capture.h"
#include "util/alive.h"
#include "util/err.h"

static char *
follow_path(const char *directory, const char *id)
{
	char base[CAPTURE_BASE_SIZE], *path;

	capture_base(base, id);
	return asprintf(&path, "%s/%s.follow", directory, base) < 0 ? NULL
								    : path;
}

/* flock(), too: that keeps it from those who remove old files. */
int
capture_follow_begin(const char *directory, const char *id, struct err *err)
{
	char *path = follow_path(directory, id);
	int fd = -1;

	if (path == NULL)
		return err_nomem(err);
	if (mkdir(directory, 0700) == 0 || errno == EEXIST)
		fd = open(path,
			  O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			  0600);
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) != 0 ||
	    alive_begin(fd) != 0) {
		err_sys(err, ERR_SYSTEM, "cannot follow by %s", path);
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	free(path);
	return fd;
}

/* One that cannot be written keeps the command waiting: then there is none. */
void
capture_follow_tell(int fd, unsigned int attempt, uint64_t number)
{
	const struct capture_progress progress = {.attempt = attempt,
						  .number = number + 1};

	if (pwrite(fd, &progress, sizeof(progress), 0) !=
	    (ssize_t)sizeof(progress))
		alive_end(fd);
}

void
capture_follow_end(int fd, const char *directory, const char *id)
{
	char *path = follow_path(directory, id);

	if (path != NULL)
		unlink(path);
	free(path);
	close(fd);
}

bool
capture_is_followed(const char *directory, const char *id, unsigned int attempt,
		    uint64_t number)
{
	struct capture_progress progress = {.attempt = 0};
	char *path = follow_path(directory, id);
	bool behind = false;
	int fd;

	if (path != NULL && alive_ask(path) == ALIVE_RUNNING &&
	    (fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) >= 0) {
		/* Nothing is written before the first file is opened. */
		behind =
		    pread(fd, &progress, sizeof(progress), 0) !=
			(ssize_t)sizeof(progress) ||
		    progress.attempt < attempt ||
		    (progress.attempt == attempt && progress.number <= number);
		close(fd);
	}
	free(path);
	return behind;
}
