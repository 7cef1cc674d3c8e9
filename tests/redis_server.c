/* SPDX-License-Identifier: MIT */
/* Private redis-servers for tests. */
#include "redis_server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"

#define ARGS_MAX 64
#define START_MS 15000
#define PORT_TRIES 5

struct redis_server {
	struct redis_server_options options;
	char *password; /* or NULL */
	char *dir;
	char *socket;
	char *url;
	char *unix_url;
	int port;
	pid_t pid; /* 0: not running */
	bool paused;
	redisContext *context;
	const char *argv[ARGS_MAX];
	size_t argc;
	char port_text[16];
};

/* --- starting and stopping ----------------------------------------------- */

static void
arg(struct redis_server *s, const char *name, const char *value)
{
	if (s->argc + 2 >= ARGS_MAX)
		server_die("too many arguments for redis-server");
	s->argv[s->argc++] = name;
	s->argv[s->argc++] = value;
	s->argv[s->argc] = NULL;
}

const char *
redis_server_program(void)
{
	const char *program = getenv("REDIS_SERVER");

	return program != NULL && *program != '\0' ? program : "redis-server";
}

static void
make_args(struct redis_server *s)
{
	const char *const *a;

	snprintf(s->port_text, sizeof(s->port_text), "%d", s->port);
	s->argc = 0;
	s->argv[s->argc++] = redis_server_program();
	arg(s, "--bind", "127.0.0.1");
	arg(s, "--unixsocket", "redis.sock");
	arg(s, "--logfile", "log");
	arg(s, "--save", "");
	arg(s, "--daemonize", "no");
	if (s->options.tls) {
		arg(s, "--port", "0");
		arg(s, "--tls-port", s->port_text);
		arg(s, "--tls-cert-file", "server.crt");
		arg(s, "--tls-key-file", "server.key");
		arg(s, "--tls-ca-cert-file", "ca.crt");
		arg(s, "--tls-auth-clients",
		    s->options.tls_auth_clients ? "yes" : "no");
	} else {
		arg(s, "--port", s->port_text);
	}
	if (s->password != NULL)
		arg(s, "--requirepass", s->password);
	for (a = s->options.args; a != NULL && a[0] != NULL && a[1] != NULL;
	     a += 2)
		arg(s, a[0], a[1]);
}

static void
spawn(struct redis_server *s)
{
	pid_t parent = getpid();

	unlink(s->socket);
	s->pid = fork();
	if (s->pid < 0)
		server_die("cannot fork: %s", strerror(errno));
	if (s->pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || chdir(s->dir) != 0)
		_exit(127);
	/* Not to be taken for the test's own output, or wait for it. */
	dup2(open("/dev/null", O_RDWR | O_CLOEXEC), STDIN_FILENO);
	dup2(open("out", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), STDOUT_FILENO);
	dup2(STDOUT_FILENO, STDERR_FILENO);
	closefrom(3);
	execvp(s->argv[0], (char *const *)(uintptr_t)s->argv);
	_exit(127);
}

static bool
connected(struct redis_server *s)
{
	redisReply *reply;
	bool ok;

	if (s->context != NULL)
		redisFree(s->context);
	s->context = redisConnectUnix(s->socket);
	if (s->context == NULL || s->context->err != 0)
		return false;
	if (s->password != NULL)
		freeReplyObject(
		    redisCommand(s->context, "AUTH %s", s->password));
	reply = redisCommand(s->context, "PING");
	ok = reply != NULL &&
	     (reply->type == REDIS_REPLY_STATUS ||
	      reply->type == REDIS_REPLY_ERROR) &&
	     strncmp(reply->str, "LOADING", 7) != 0;
	freeReplyObject(reply);
	return ok;
}

/* False when it has ended, most likely since its port was taken meanwhile. */
static bool
launch(struct redis_server *s)
{
	int64_t end = server_now_ms() + START_MS;

	make_args(s);
	spawn(s);
	while (!connected(s)) {
		if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
			s->pid = 0;
			return false;
		}
		if (server_now_ms() > end)
			server_die("redis-server does not answer; see %s",
				   s->dir);
		server_nap();
	}
	return true;
}

static void
make_dir(struct redis_server *s)
{
	const char *tmp = getenv("TMPDIR");

	s->dir =
	    server_text("%s/flowrra-redis-XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(s->dir) == NULL)
		server_die("cannot make %s: %s", s->dir, strerror(errno));
	s->socket = server_text("%s/redis.sock", s->dir);
	if (s->options.tls && server_certificates(s->dir) != 0)
		server_die("cannot make certificates; see %s/openssl.log",
			   s->dir);
}

static void
make_urls(struct redis_server *s)
{
	const char *password = s->password != NULL ? s->password : "";
	const char *colon = s->password != NULL ? ":" : "";
	const char *at = s->password != NULL ? "@" : "";

	s->unix_url =
	    server_text("unix://%s%s%s%s", colon, password, at, s->socket);
	if (s->options.tls)
		s->url =
		    server_text("rediss://%s%s%s127.0.0.1:%d?cafile=%s/ca.crt",
				colon, password, at, s->port, s->dir);
	else
		s->url = server_text("redis://%s%s%s127.0.0.1:%d", colon,
				     password, at, s->port);
}

struct redis_server *
redis_server_start(const struct redis_server_options *options)
{
	struct redis_server *s = calloc(1, sizeof(*s));
	int tries = 0;

	if (s == NULL)
		server_die("out of memory");
	if (options != NULL)
		s->options = *options;
	if (s->options.password != NULL)
		s->password = server_text("%s", s->options.password);
	make_dir(s);
	do {
		if (tries++ == PORT_TRIES)
			server_die("redis-server does not start; see %s",
				   s->dir);
		if ((s->port = server_free_port()) < 0)
			server_die("cannot find a free port: %s",
				   strerror(errno));
	} while (!launch(s));
	make_urls(s);
	return s;
}

void
redis_server_kill(struct redis_server *s)
{
	if (s->pid == 0)
		return;
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
	s->paused = false;
}

void
redis_server_reconnect(struct redis_server *s)
{
	int64_t end = server_now_ms() + START_MS;

	while (!connected(s)) {
		if (server_now_ms() > end)
			server_die("redis-server does not answer; see %s",
				   s->dir);
		server_nap();
	}
}

bool
redis_server_is_running(const struct redis_server *s)
{
	return s->pid != 0 && !s->paused;
}

static void
signal_and_wait(struct redis_server *s, int sig, int flag)
{
	int status;

	if (kill(s->pid, sig) != 0 || waitpid(s->pid, &status, flag) != s->pid)
		server_die("cannot stop or continue redis-server");
}

void
redis_server_pause(struct redis_server *s)
{
	signal_and_wait(s, SIGSTOP, WUNTRACED);
	s->paused = true;
}

void
redis_server_continue(struct redis_server *s)
{
	signal_and_wait(s, SIGCONT, WCONTINUED);
	s->paused = false;
}

void
redis_server_restart(struct redis_server *s)
{
	int64_t end = server_now_ms() + START_MS;

	redis_server_kill(s);
	while (!launch(s))
		if (server_now_ms() > end)
			server_die("redis-server does not start again; see %s",
				   s->dir);
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

void
redis_server_stop(struct redis_server *s)
{
	if (s == NULL)
		return;
	redis_server_kill(s);
	if (s->context != NULL)
		redisFree(s->context);
	nftw(s->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(s->password);
	free(s->dir);
	free(s->socket);
	free(s->url);
	free(s->unix_url);
	free(s);
}

/* --- talking to it ------------------------------------------------------- */

const char *
redis_server_url(const struct redis_server *s)
{
	return s->url;
}

const char *
redis_server_unix_url(const struct redis_server *s)
{
	return s->unix_url;
}

int
redis_server_port(const struct redis_server *s)
{
	return s->port;
}

const char *
redis_server_dir(const struct redis_server *s)
{
	return s->dir;
}

static redisReply *
command(struct redis_server *s, const char *fmt, va_list ap)
{
	redisReply *reply;
	char byte;

	/* A server that becomes a master, or a Sentinel, ends connections. */
	if (recv(s->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		redis_server_reconnect(s);
	reply = redisvCommand(s->context, fmt, ap);

	if (reply == NULL)
		server_die("redis-server: %s: %s", fmt, s->context->errstr);
	return reply;
}

struct redisReply *
redis_server_command(struct redis_server *s, const char *fmt, ...)
{
	redisReply *reply;
	va_list ap;

	va_start(ap, fmt);
	reply = command(s, fmt, ap);
	va_end(ap);
	return reply;
}

void
redis_server_run(struct redis_server *s, const char *fmt, ...)
{
	redisReply *reply;
	va_list ap;

	va_start(ap, fmt);
	reply = command(s, fmt, ap);
	va_end(ap);
	if (reply->type == REDIS_REPLY_ERROR)
		server_die("redis-server: %s: %s", fmt, reply->str);
	freeReplyObject(reply);
}
