/* SPDX-License-Identifier: MIT */
/* Configuration files and credentials, read into memory. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/conf_file.h"
#include "util/err.h"

/* Far beyond any configuration; it keeps a wrong path from filling memory. */
#define FILE_MAX (1024 * 1024)

/* For all of what is not a file: it is read before a program does anything else, and
 * by a reload on the loop. */
#define PIPE_WAIT_MS 5000

/* A pipe, as of the shell's <(command), may be slow, or have nobody who writes. */
static int
conf_file_await(int fd, const char *path, int64_t until_ms, struct err *err)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	const int64_t left = until_ms - clock_mono_ms();

	if (left > 0 && poll(&p, 1, (int)left) != 0)
		return 0;
	return err_set(err, ERR_CONFIG,
		       "%s has not ended within %d s; name a file, or a pipe "
		       "that is written to and closed",
		       path, PIPE_WAIT_MS / 1000);
}

/* Into memory as a whole: the size is limited, and the line of an error can be
 * counted afterwards. */
static int
conf_file_read_all(int fd, const char *path, struct buf *out, struct err *err)
{
	const int64_t until_ms = clock_mono_ms() + PIPE_WAIT_MS;
	ssize_t n;

	while (out->len <= FILE_MAX) {
		if (buf_reserve(out, 4096) != 0)
			return err_nomem(err);
		if (conf_file_await(fd, path, until_ms, err) != 0)
			return -1;
		n = read(fd, out->data + out->len, 4096);
		if (n == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n == -1)
			return err_sys(err, ERR_CONFIG, "cannot read %s", path);
		out->len += (size_t)n;
		out->data[out->len] = '\0';
		if (n == 0)
			return 0;
	}
	return err_set(
	    err, ERR_CONFIG,
	    "%s is larger than 1 MiB, the limit for a configuration file",
	    path);
}

/* A NUL would end the text for inih, and the keys behind it would be ignored
 * without a word. */
static int
check_content(const char *path, const struct buf *text, struct err *err)
{
	const char *p;
	int line = 1;

	if (strlen(text->data) == text->len)
		return 0;
	for (p = text->data; *p != '\0'; p++)
		line += *p == '\n';
	return err_set(err, ERR_CONFIG,
		       "%s:%d: NUL byte; a configuration file must be text",
		       path, line);
}

/*
 * Returns 1 when there is no such file; the caller knows whether it had to
 * exist. The path comes from a user and may name a terminal (O_NOCTTY) or a pipe
 * without a writer (O_NONBLOCK).
 */
int
conf_file_read(const char *path, struct buf *out, struct err *err)
{
	struct stat st;
	int fd, r;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) ==
	    -1) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 1;
		return err_sys(err, ERR_CONFIG, "cannot open %s", path);
	}
	if (fstat(fd, &st) != 0)
		r = err_sys(err, ERR_CONFIG, "cannot read %s", path);
	else if (S_ISDIR(st.st_mode))
		r = err_set(err, ERR_CONFIG, "%s is a directory; name a file",
			    path);
	else if ((r = conf_file_read_all(fd, path, out, err)) == 0)
		r = check_content(path, out, err);
	close(fd);
	return r;
}
