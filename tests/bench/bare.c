/* SPDX-License-Identifier: MIT */
/* Commands to Redis by write() and read(). */
#include "bare.h"

#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void
bare_open(struct bare *b, const char *url)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = url + strlen("unix://");

	if (strncmp(url, "unix://", strlen("unix://")) != 0 ||
	    strlen(path) >= sizeof(address.sun_path))
		errx(64, "%s: the floor is measured over a Unix socket", url);
	memcpy(address.sun_path, path, strlen(path) + 1);
	memset(b, 0, sizeof(*b));
	if ((b->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 ||
	    connect(b->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		err(1, "%s", url);
}

void
bare_add(struct bare *b, const char *arg, ...)
{
	char *p = b->out + b->n_out;
	const char *a;
	int argc = 0;
	va_list ap;

	va_start(ap, arg);
	for (a = arg; a != NULL; a = va_arg(ap, const char *))
		argc++;
	va_end(ap);
	p += sprintf(p, "*%d\r\n", argc);
	va_start(ap, arg);
	for (a = arg; a != NULL; a = va_arg(ap, const char *)) {
		if (p - b->out + strlen(a) + 32 > sizeof(b->out))
			errx(70, "too much for one write");
		p += sprintf(p, "$%zu\r\n%s\r\n", strlen(a), a);
	}
	va_end(ap);
	b->n_out = (size_t)(p - b->out);
}

void
bare_send(struct bare *b)
{
	if (send(b->fd, b->out, b->n_out, MSG_NOSIGNAL) != (ssize_t)b->n_out)
		err(1, "writing to Redis");
	b->n_out = 0;
}

/* The place behind what begins at p, or NULL if not all of it is there. */
static const char *
bare_skip(const char *p, const char *end, const char **ret, size_t *ret_len)
{
	const char *line = memchr(p, '\n', (size_t)(end - p));
	long n;

	if (line++ == NULL)
		return NULL;
	n = strtol(p + 1, NULL, 10);
	switch (*p) {
	case '-':
		errx(1, "Redis: %.*s", (int)(line - p), p);
	case '$':
		if (n < 0)
			return line;
		if (end - line < n + 2)
			return NULL;
		*ret = line;
		*ret_len = (size_t)n;
		return line + n + 2;
	case '*':
		while (n-- > 0 && line != NULL)
			line = line < end ? bare_skip(line, end, ret, ret_len)
					  : NULL;
		return line;
	default:
		return line;
	}
}

void
bare_reply(struct bare *b, const char **ret, size_t *ret_len)
{
	const char *past = NULL;
	ssize_t n;

	*ret = NULL;
	while (b->n_in == b->at ||
	       (past = bare_skip(b->in + b->at, b->in + b->n_in, ret,
				 ret_len)) == NULL) {
		memmove(b->in, b->in + b->at, b->n_in - b->at);
		b->n_in -= b->at;
		b->at = 0;
		n = recv(b->fd, b->in + b->n_in, sizeof(b->in) - b->n_in, 0);
		if (n <= 0)
			err(1, "reading from Redis");
		b->n_in += (size_t)n;
	}
	b->at = (size_t)(past - b->in);
}

void
bare_id(char out[BARE_ID_SIZE], long n)
{
	snprintf(out, BARE_ID_SIZE, "%036ld", n);
}

void
bare_record(char *out, size_t size, const char *id)
{
	snprintf(out, size,
		 "{\"task_id\":\"%s\",\"status\":\"pending\",\"task_name\":"
		 "\"stamp\",\"result\":null,\"error\":null,\"submitted_at\":"
		 "\"2026-11-29T22:26:07.520590+00:00\",\"started_at\":null,"
		 "\"finished_at\":null,\"retries\":0,\"args\":[],\"kwargs\":{},"
		 "\"queue\":\"io\"}",
		 id);
}

void
bare_task(char *out, size_t size, const char *id, const char *reply_to)
{
	snprintf(out, size,
		 "{\"id\":\"%s\",\"name\":\"stamp\",\"args\":[],\"kwargs\":{},"
		 "\"max_retries\":3,\"retry_delay\":1.0,\"current_retry\":0,"
		 "\"priority\":0,\"cpu_bound\":false,\"queue\":\"io\","
		 "\"submitted_at\":\"2026-11-29T22:26:07.520590+00:00\","
		 "\"reply_to\":\"%s\"}",
		 id, reply_to);
}

void
bare_final(char *out, size_t size, const char *id, const char *result)
{
	snprintf(out, size,
		 "{\"task_id\":\"%s\",\"status\":\"success\",\"task_name\":"
		 "\"stamp\",\"result\":%s,\"error\":null,\"submitted_at\":"
		 "\"2026-11-29T22:26:07.520590+00:00\",\"started_at\":"
		 "\"2026-11-29T22:26:07.521016+00:00\",\"finished_at\":"
		 "\"2026-11-29T22:26:07.521028+00:00\",\"retries\":0,\"args\":"
		 "[],\"kwargs\":{},\"queue\":\"io\",\"worker\":\"w0\"}",
		 id, result);
}
