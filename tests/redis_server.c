/* SPDX-License-Identifier: MIT */
/* Private redis-servers for tests. */
#include "redis_server.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	char *ca, *crt, *key; /* with TLS */
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
		arg(s, "--tls-cert-file", s->crt);
		arg(s, "--tls-key-file", s->key);
		arg(s, "--tls-ca-cert-file", s->ca);
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
	unlink(s->socket);
	s->pid = server_spawn(s->dir, "out", s->argv);
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
make_certificates(struct redis_server *s)
{
	const struct redis_server *of = s->options.certificates_of;
	const char *dir = of != NULL ? of->dir : s->dir;

	if (of == NULL && server_certificates(dir) != 0)
		server_die("cannot make certificates; see %s/openssl.log", dir);
	s->ca = server_text("%s/ca.crt", dir);
	s->crt = server_text("%s/server.crt", dir);
	s->key = server_text("%s/server.key", dir);
}

char *
redis_server_make_url(const struct redis_server *s, const char *kind,
		      const char *hosts)
{
	return server_text(
	    "redis%s%s://%s%s%s%s%s%s", s->options.tls ? "s" : "", kind,
	    s->password != NULL ? ":" : "",
	    s->password != NULL ? s->password : "",
	    s->password != NULL ? "@" : "", hosts,
	    s->options.tls ? "?cafile=" : "", s->options.tls ? s->ca : "");
}

static void
make_urls(struct redis_server *s)
{
	char host[32];

	snprintf(host, sizeof(host), "127.0.0.1:%d", s->port);
	s->url = redis_server_make_url(s, "", host);
	s->unix_url =
	    server_text("unix://%s%s%s%s", s->password != NULL ? ":" : "",
			s->password != NULL ? s->password : "",
			s->password != NULL ? "@" : "", s->socket);
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
	s->dir = server_make_dir("redis");
	s->socket = server_text("%s/redis.sock", s->dir);
	if (s->options.tls)
		make_certificates(s);
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

void
redis_server_stop(struct redis_server *s)
{
	if (s == NULL)
		return;
	redis_server_kill(s);
	if (s->context != NULL)
		redisFree(s->context);
	server_remove_dir(s->dir);
	free(s->password);
	free(s->dir);
	free(s->ca);
	free(s->crt);
	free(s->key);
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
