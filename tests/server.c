/* SPDX-License-Identifier: MIT */
/* What private servers of tests share. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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

char *
server_make_dir(const char *name)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = server_text("%s/flowrra-%s-XXXXXX",
				tmp != NULL ? tmp : "/tmp", name);

	if (mkdtemp(dir) == NULL)
		server_die("cannot make %s: %s", dir, strerror(errno));
	return dir;
}

static int
server_remove_one(const char *path, const struct stat *st, int flag,
		  struct FTW *ftw)
{
	return remove(path);
}

void
server_remove_dir(const char *dir)
{
	nftw(dir, server_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

pid_t
server_spawn(const char *dir, const char *out, const char *const *argv)
{
	const pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		server_die("cannot fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || chdir(dir) != 0)
		_exit(127);
	/* Not to be taken for the test's own output, or wait for it. */
	dup2(open("/dev/null", O_RDWR | O_CLOEXEC), STDIN_FILENO);
	dup2(open(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600),
	     STDOUT_FILENO);
	dup2(STDOUT_FILENO, STDERR_FILENO);
	closefrom(3);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
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
