/* SPDX-License-Identifier: MIT */
/* A flowrra-web in a world. */
#include "e2e/web_scene.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/world_private.h"
#include "server.h"

int
site_connect(const struct site *s)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)s->port)};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool
site_listens(const struct site *s)
{
	const int fd = site_connect(s);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void
site_again(struct site *s)
{
	struct world *w = s->w;

	s->daemon = run_start(
	    w,
	    "exec flowrra-web --config flowrra.conf "
	    "-o 'web.listen=127.0.0.1:%d unix:%s/web.sock' "
	    "-o web.runtime_dir=%s/run -o web.state_dir=%s/state %s",
	    s->port, world_dir(w), world_dir(w), world_dir(w), s->settings);
	WAIT_UNTIL(site_listens(s));
	s->token = world_read(w, "run/web.token");
	s->token[strcspn(s->token, "\n")] = '\0';
}

struct site *
site_start(struct world *w, const char *settings)
{
	struct site *s = calloc(1, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	world_keep(w, (char *)s);
	s->w = w;
	s->settings = settings;
	s->port = server_free_port();
	site_again(s);
	return s;
}

void
site_kill(struct site *s)
{
	ck_assert_int_eq(kill(s->daemon->pid, SIGKILL), 0);
	ck_assert_int_eq(run_end(s->w, s->daemon)->status, 128 + SIGKILL);
}

void
site_stop(struct site *s)
{
	ck_assert_int_eq(kill(s->daemon->pid, SIGTERM), 0);
	run_end(s->w, s->daemon);
	ck_assert_msg(s->daemon->status == 0, "exit status %d: %.999s",
		      s->daemon->status, s->daemon->err);
}

__attribute__((format(printf, 4, 0))) static int
site_vask(struct site *s, const char *path, const char *token, const char *fmt,
	  va_list ap)
{
	struct world *w = s->w;
	char *arguments = world_vtext(w, fmt, ap);
	struct run *r = run(w,
			    "curl -s -m 20 -D head -o body -w '%%{http_code}' "
			    "%s%s%s %s 'http://127.0.0.1:%d%s'",
			    token != NULL ? "-H 'Authorization: Bearer " : "",
			    token != NULL ? token : "",
			    token != NULL ? "'" : "", arguments, s->port, path);

	s->body = world_read(w, "body");
	s->head = world_read(w, "head");
	unlink(world_text(w, "%s/body", world_dir(w)));
	return atoi(r->out); /* NOLINT: curl's own number */
}

int
site_ask(struct site *s, const char *path, const char *fmt, ...)
{
	va_list ap;
	int status;

	va_start(ap, fmt);
	status = site_vask(s, path, NULL, fmt, ap);
	va_end(ap);
	return status;
}

int
site_ask_in(struct site *s, const char *path, const char *fmt, ...)
{
	va_list ap;
	int status;

	va_start(ap, fmt);
	status = site_vask(s, path, s->token, fmt, ap);
	va_end(ap);
	return status;
}

char *
site_cut(struct site *s, const char *before)
{
	char *at = strstr(s->body, before);

	ck_assert_msg(at != NULL, "no %s in %.500s", before, s->body);
	at += strlen(before);
	return world_text(s->w, "%.*s", (int)strcspn(at, "\""), at);
}

struct world *
site_world(bool embedded)
{
	const struct world_options o = {.embedded = embedded,
					.config =
					    "[broker]\nsocket_timeout = 2\n"
					    "[backend]\nsocket_timeout = 2\n"};

	return world_start(&o);
}

void
site_make_alice(struct world *w)
{
	/* By htpasswd -B -C 4. */
	static const char line[] =
	    "alice:$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/"
	    "TgnMHhkvl85RW\n";

	world_write(w, "users", line, strlen(line));
	ck_assert_int_eq(run(w, "chmod 600 users")->status, 0);
}

const char *
site_make_token(struct world *w, const char *command)
{
	static const char before[] = "again: ";
	const char *line = ctl_ok(w, "%s 2>token", command);
	const char *token = strstr(world_read(w, "token"), before);

	ck_assert_ptr_nonnull(token);
	token += strlen(before);
	world_write(w, "tokens", line, strlen(line));
	ck_assert_int_eq(run(w, "chmod 600 tokens")->status, 0);
	return world_text(w, "%.*s", (int)strcspn(token, "\n"), token);
}

void
site_log_in(struct site *s)
{
	const char *url = ctl_ok(s->w,
				 "web -o web.runtime_dir=%s/run "
				 "-o web.listen=127.0.0.1:%d",
				 world_dir(s->w), s->port);
	const char *code = strstr(url, "#code=");

	ck_assert_msg(code != NULL, "%s", url);
	code += strlen("#code=");
	ck_assert_int_eq(site_ask(s, "/api/v1/session",
				  "-c jar " SITE_JSON SITE_SAME
				  "-d '{\"code\":\"%s\"}'",
				  code),
			 200);
	ck_assert_ptr_nonnull(strstr(s->head, "HttpOnly; SameSite=Strict"));
	/* It is good once. */
	ck_assert_int_eq(site_ask(s, "/api/v1/session",
				  SITE_JSON SITE_SAME "-d '{\"code\":\"%s\"}'",
				  code),
			 401);
}
