/* SPDX-License-Identifier: MIT */
/* A flowrra-web that is measured, and what asks it. */
#include "web_site.h"

#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server.h"
#include "util/err.h"
#include "util/proc.h"

#define SETTINGS_MAX 32
/* Until it listens: a busy machine takes seconds. */
#define READY_TURNS 1000
#define TURN_NS 20000000L

/* --- the daemon -------------------------------------------------------- */

static char *
site_text(const char *fmt, const char *dir)
{
	char *text;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (asprintf(&text, fmt, dir) < 0)
		errx(71, "out of memory");
#pragma GCC diagnostic pop
	return text;
}

static void
site_spawn(struct web_site *s, const char *dir, const char *const *argv)
{
	const char *build = getenv("BUILD_DIR");
	char *program = site_text("%s/bin/flowrra-web",
				  build != NULL ? build : "build/release");
	char *log = site_text("%s/web.log", dir);
	const int fd =
	    open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	const int fds[] = {-1, fd, fd};
	const struct proc_options options = {.path = program,
					     .argv = argv,
					     .fds = fds,
					     .n_fds = 3,
					     .die_with_parent = true};
	struct err why;

	if (fd < 0)
		err(71, "opening %s", log);
	if (proc_spawn(&options, &s->pid, &why) != 0)
		errx(71, "%s", why.msg);
	close(fd);
	free(log);
	free(program);
}

static int
site_try(const struct web_site *s)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)s->port)};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(71, "socket");
	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
site_await(struct web_site *s, const char *dir)
{
	const struct timespec nap = {.tv_nsec = TURN_NS};
	char *path = site_text("%s/web.token", dir);
	int turns, fd = -1;
	FILE *f;

	for (turns = 0; (fd = site_try(s)) < 0; turns++) {
		if (turns == READY_TURNS ||
		    waitpid(s->pid, NULL, WNOHANG) == s->pid)
			errx(1, "flowrra-web does not listen; see %s", dir);
		nanosleep(&nap, NULL);
	}
	close(fd);
	if ((f = fopen(path, "re")) == NULL ||
	    fgets(s->token, sizeof(s->token), f) == NULL)
		err(71, "reading %s", path);
	s->token[strcspn(s->token, "\n")] = '\0';
	fclose(f);
	free(path);
}

void
web_site_start(struct web_site *s, const char *dir, const char *const *settings)
{
	const char *argv[6 + 2 * SETTINGS_MAX] = {"flowrra-web"};
	char *runtime = site_text("web.runtime_dir=%s", dir);
	char *state = site_text("web.state_dir=%s", dir);
	char listen[64];
	size_t n = 1, i;

	s->port = server_free_port();
	snprintf(listen, sizeof(listen), "web.listen=127.0.0.1:%d", s->port);
	for (i = 0; settings[i] != NULL && i < SETTINGS_MAX; i++) {
		argv[n++] = "-o";
		argv[n++] = settings[i];
	}
	argv[n++] = "-o";
	argv[n++] = listen;
	argv[n++] = "-o";
	argv[n++] = runtime;
	argv[n++] = "-o";
	argv[n++] = state;
	argv[n] = NULL;
	site_spawn(s, dir, argv);
	site_await(s, dir);
	free(runtime);
	free(state);
}

void
web_site_stop(struct web_site *s)
{
	int status;

	kill(s->pid, SIGTERM);
	if (waitpid(s->pid, &status, 0) != s->pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != 0)
		errx(1, "flowrra-web did not end in order");
	s->pid = 0;
}

double
web_site_cpu_ms(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (pid == 0 || clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &t) != 0)
		return 0;
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* --- asking ------------------------------------------------------------ */

int
web_site_connect(const struct web_site *s)
{
	const int fd = site_try(s);

	if (fd < 0)
		err(71, "connecting to flowrra-web");
	return fd;
}

void
web_site_send(const struct web_site *s, int fd, const char *path)
{
	char request[1024];
	const int n = snprintf(request, sizeof(request),
			       "GET %s HTTP/1.1\r\nHost: localhost\r\n"
			       "Authorization: Bearer %s\r\n\r\n",
			       path, s->token);

	if (n >= (int)sizeof(request) ||
	    send(fd, request, (size_t)n, MSG_NOSIGNAL) != n)
		err(71, "asking flowrra-web");
}

int
web_site_get(const struct web_site *s, int fd, const char *path, size_t *body)
{
	static char text[16 << 20];
	const char *end = NULL, *length;
	size_t n = 0, whole = 0;
	ssize_t got;

	web_site_send(s, fd, path);
	do {
		got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
		if (got <= 0)
			errx(1, "%s: the answer has %zu bytes and ends", path,
			     n);
		n += (size_t)got;
		text[n] = '\0';
		if (end == NULL && (end = strstr(text, "\r\n\r\n")) != NULL) {
			length = strcasestr(text, "\r\ncontent-length: ");
			if (length == NULL || length > end)
				errx(1, "%s: the answer has no length", path);
			*body = strtoul(length + 18, NULL, 10);
			whole = (size_t)(end + 4 - text) + *body;
		}
	} while (end == NULL || n < whole);
	return (int)strtol(text + strlen("HTTP/1.1 "), NULL, 10);
}
