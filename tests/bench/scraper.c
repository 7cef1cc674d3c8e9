/* SPDX-License-Identifier: MIT */
/* A monitor, which is more eager than most: they come each 15 seconds. */
#include "scraper.h"

#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void
on_term(int sig)
{
	ended = 1;
}

/* Whether it was answered with metrics. */
static bool
scrape(const char *path)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: bench\r\n"
				      "Connection: close\r\n\r\n";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char reply[65536];
	bool good = false;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) ==
		0 &&
	    write(fd, request, strlen(request)) > 0)
		while (read(fd, reply, sizeof(reply)) > 0)
			good = true;
	close(fd);
	return good;
}

pid_t
scraper_start(const char *path)
{
	const struct sigaction term = {.sa_handler = on_term};
	pid_t pid = fork();
	bool good = false;

	if (pid < 0)
		err(71, "fork");
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGTERM, &term, NULL);
	while (!ended) {
		good |= scrape(path);
		usleep(good ? 1000000 : 20000);
	}
	_exit(good ? 0 : 1);
}

void
scraper_stop(pid_t pid)
{
	int status;

	kill(pid, SIGTERM);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		errx(1, "the worker served no metrics");
}
