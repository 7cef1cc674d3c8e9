/* SPDX-License-Identifier: MIT */
/* What private servers of tests share. */
#include "server.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char make_certificates[] =
    "set -e; cd \"$1\"\n"
    "exec >/dev/null 2>openssl.log\n"
    "key() { openssl genpkey -algorithm EC -pkeyopt "
    "ec_paramgen_curve:P-256 -out \"$1.key\"; }\n"
    "ca() { key \"$1\"; openssl req -x509 -new -key \"$1.key\" -subj "
    "\"/CN=$1\" "
    "-days 2 -out \"$1.crt\"; }\n"
    "leaf() { key \"$1\"; openssl req -new -key \"$1.key\" -subj \"/CN=$1\" "
    "-out \"$1.csr\"\n"
    "echo 'subjectAltName=DNS:localhost,IP:127.0.0.1' >\"$1.ext\"\n"
    "openssl x509 -req -in \"$1.csr\" -CA ca.crt -CAkey ca.key "
    "-CAcreateserial -days 2 -extfile \"$1.ext\" -out \"$1.crt\"; }\n"
    "ca ca; ca other-ca; leaf server; leaf client\n";

int
server_certificates(const char *dir)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", make_certificates, "sh", dir,
		      (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0
									 : -1;
}

int
server_free_port(void)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(sin);
	int port = -1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&sin, len) == 0 &&
	    getsockname(fd, (struct sockaddr *)&sin, &len) == 0)
		port = ntohs(sin.sin_port);
	close(fd);
	return port;
}

void
server_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

char *
server_text(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		server_die("out of memory");
	return s;
}

int64_t
server_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
server_nap(void)
{
	const struct timespec ts = {.tv_nsec = 2000000};

	nanosleep(&ts, NULL);
}
