/* SPDX-License-Identifier: MIT */
/* A connection to beanstalkd, whose protocol is lines of text. Debian has no
 * client for C. */
#ifndef PEERS_BEANSTALKD_LINK_H
#define PEERS_BEANSTALKD_LINK_H

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../common/ledger.h"

static inline FILE *
link_open(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *f;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s",
		 getenv("BENCH_SOCKET"));
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	    (f = fdopen(fd, "r+")) == NULL)
		err(1, "%s", sun.sun_path);
	return f;
}

static inline void
link_send(FILE *f, const char *bytes, size_t n)
{
	ssize_t sent;

	for (; n > 0; bytes += sent, n -= (size_t)sent)
		if ((sent = write(fileno(f), bytes, n)) <= 0)
			err(1, "beanstalkd");
}

/* Reads a line, which must begin with `expected`. */
static inline void
link_expect(FILE *f, const char *expected, char *line, int size)
{
	if (fgets(line, size, f) == NULL ||
	    strncmp(line, expected, strlen(expected)) != 0)
		errx(1, "beanstalkd says \"%s\", not %s", line, expected);
}

#endif
