/* SPDX-License-Identifier: MIT */
/*
 * The floor of `flowrractl submit` on Redis: connects, stores a record and pushes a
 * task in one round trip, and ends. No library, and no question asked.
 * Usage: redis_floor SOCKET
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char request[] =
    "*3\r\n$3\r\nSET\r\n$10\r\nfloor:task\r\n$20\r\n{\"status\":\"pending\"}"
    "\r\n"
    "*3\r\n$5\r\nLPUSH\r\n$11\r\nfloor:queue\r\n$15\r\n{\"name\":\"noop\"}\r\n";

/* "+OK" and ":N", a line each. */
static void
read_answers(int fd)
{
	char text[64];
	ssize_t n = 0, got;

	do {
		got = read(fd, text + n, sizeof(text) - 1 - (size_t)n);
		if (got <= 0)
			err(1, "reading the answers");
		n += got;
		text[n] = '\0';
	} while (memchr(text, '\n', (size_t)n) ==
		 memrchr(text, '\n', (size_t)n));
	if (strncmp(text, "+OK\r\n:", 6) != 0)
		errx(1, "%s", text);
}

int
main(int argc, char **argv)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc != 2 || strlen(argv[1]) >= sizeof(sun.sun_path))
		errx(64, "usage: redis_floor SOCKET");
	memcpy(sun.sun_path, argv[1], strlen(argv[1]));
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	    write(fd, request, sizeof(request) - 1) !=
		(ssize_t)sizeof(request) - 1)
		err(1, "%s", argv[1]);
	read_answers(fd);
	puts("submitted");
	return 0;
}
