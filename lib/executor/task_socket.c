/* SPDX-License-Identifier: MIT */
/*
 * The socket by which the commands of tasks submit tasks.
 *
 * It is in the abstract namespace: it needs no directory, goes with the
 * executor however that ends, and commands that run as other users reach it.
 * Anybody on the host can see its name and connect; the token, which only the
 * task's own processes have, is what counts.
 */
#include "executor/task_socket.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "executor/submit.h"
#include "executor/task.h"
#include "util/err.h"
#include "util/limits.h"
#include "util/log.h"
#include "util/uuid.h"

/* A line of the largest task and what goes with it: 32 MiB, as for [worker]
 * max_task_size, and some. */
#define REQUEST_MAX (33u << 20)
/* Connections at a time, each with a thread; more wait to be accepted. A tree of
 * processes that submits with more of them gains nothing. */
#define CONNECTIONS_MAX 32

/* Between two tries while processes or descriptors are short. */
#define SHORT_US 50000

struct token {
	LIST_ENTRY(token) entry;
	char text[UUID_TEXT_SIZE];
	uint32_t number;
	char id[FLOWRRA_ID_SIZE];
};

struct connection {
	LIST_ENTRY(connection) entry;
	struct task_sockets *sockets;
	int fd;
};

struct task_sockets {
	struct submits *submits;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a connection ended */
	int fd;			/* -1: not open */
	char name[64];
	pthread_t listener;
	bool stopping;
	unsigned int n_connections;
	LIST_HEAD(, connection) connections;
	LIST_HEAD(, token) tokens;
};

/* --- tokens -------------------------------------------------------------- */

/* Lock held. */
static struct token *
token_find(struct task_sockets *s, const char *text)
{
	struct token *token;

	LIST_FOREACH (token, &s->tokens, entry)
		if (strcmp(token->text, text) == 0)
			return token;
	return NULL;
}

/* Lock held; a task has one. */
static struct token *
token_of(struct task_sockets *s, const struct flowrra_task *t)
{
	struct token *token;

	LIST_FOREACH (token, &s->tokens, entry)
		if (token->number == t->number)
			return token;
	if ((token = calloc(1, sizeof(*token))) == NULL)
		return NULL;
	uuid_make_random(token->text);
	token->number = t->number;
	snprintf(token->id, sizeof(token->id), "%s", t->id);
	LIST_INSERT_HEAD(&s->tokens, token, entry);
	return token;
}

void
task_sockets_drop(struct task_sockets *s, const struct flowrra_task *t)
{
	struct token *token;

	pthread_mutex_lock(&s->lock);
	LIST_FOREACH (token, &s->tokens, entry)
		if (token->number == t->number)
			break;
	if (token != NULL)
		LIST_REMOVE(token, entry);
	pthread_mutex_unlock(&s->lock);
	free(token);
}

/* --- one request --------------------------------------------------------- */

/* What the task's own process may not say is said here: which id the new task
 * has, unless one was asked for, and which task submitted it. */
static char *
connection_task(struct slice line, const struct token *token,
		char id[FLOWRRA_ID_SIZE], struct err *err)
{
	json_error_t why;
	json_t *j = json_loadb(line.p, line.len, JSON_REJECT_DUPLICATES, &why);
	const char *given;
	char *text;

	if (!json_is_object(j)) {
		err_set(err, ERR_DATA, "the request is not a JSON object: %s",
			j == NULL ? why.text : "it is of another type");
		json_decref(j);
		return NULL;
	}
	given = json_string_value(json_object_get(j, "id"));
	json_object_set_new(j, "exclusive", json_boolean(given != NULL));
	if (given == NULL)
		uuid_make(id);
	else
		snprintf(id, FLOWRRA_ID_SIZE, "%s", given);
	json_object_set_new(j, "id", json_string(given != NULL ? given : id));
	json_object_set_new(j, "parent", json_string(token->id));
	if ((text = json_dumps(j, JSON_COMPACT)) == NULL)
		err_nomem(err);
	json_decref(j);
	return text;
}

/* Returns the id in `answer`, or -1 with *err. */
static int
connection_submit(struct connection *c, const struct token *token,
		  struct slice line, struct buf *answer, struct err *err)
{
	char id[FLOWRRA_ID_SIZE];
	char *task = connection_task(line, token, id, err);
	int32_t code;

	if (task == NULL)
		return -1;
	code = submits_ask(c->sockets->submits, token->number, slice_of(task),
			   answer);
	free(task);
	if (code != ERR_NONE)
		return err_set(err, (enum err_code)code, "%.*s",
			       (int)answer->len,
			       answer->data != NULL ? answer->data : "");
	/* Another task, where a key says so. */
	if (answer->len == 0)
		buf_adds(answer, id);
	return 0;
}

/* One line to the client; false: it is gone. */
static bool
connection_answer(int fd, json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT);
	size_t len, at = 0;
	ssize_t n = 0;

	json_decref(answer);
	if (text == NULL)
		return false;
	len = strlen(text);
	text[len++] = '\n'; /* in the place of the NUL */
	for (; at < len && n >= 0; at += (size_t)(n > 0 ? n : 0))
		n = send(fd, text + at, len - at, MSG_NOSIGNAL);
	free(text);
	return n >= 0;
}

/* The token is looked for each time: the task may have ended. */
static bool
connection_take_line(struct connection *c, const char *shown, struct slice line)
{
	struct buf answer = BUF_INIT;
	struct err err = ERR_INIT;
	struct token token, *found;
	json_t *reply;

	pthread_mutex_lock(&c->sockets->lock);
	if ((found = token_find(c->sockets, shown)) != NULL)
		token = *found;
	pthread_mutex_unlock(&c->sockets->lock);
	if (found == NULL)
		err_set(&err, ERR_REFUSED,
			"the task of this command has ended; it cannot submit "
			"any more");
	else
		connection_submit(c, &token, line, &answer, &err);
	reply = err.code == ERR_NONE
		    ? json_pack("{s:s%}", "id", answer.data, answer.len)
		    : json_pack("{s:i,s:s}", "code", err_exit_status(err.code),
				"error", err.msg);
	buf_done(&answer);
	return reply != NULL && connection_answer(c->fd, reply);
}

/* --- connections --------------------------------------------------------- */

/* Takes the complete lines of `in`; the first one is the token. */
static bool
connection_take(struct connection *c, struct buf *in, char shown[64])
{
	char *end;
	size_t len;
	bool ok = true;

	while (ok && in->len > 0 &&
	       (end = memchr(in->data, '\n', in->len)) != NULL) {
		len = (size_t)(end - in->data);
		if (shown[0] == '\0')
			ok =
			    len > 0 && len < 64 &&
			    snprintf(shown, 64, "%.*s", (int)len, in->data) > 0;
		else
			ok = connection_take_line(
			    c, shown, (struct slice){in->data, len});
		buf_drain(in, len + 1);
	}
	return ok && in->len <= REQUEST_MAX;
}

static void *
connection_main(void *arg)
{
	struct connection *c = arg;
	struct task_sockets *s = c->sockets;
	struct buf in = BUF_INIT;
	char shown[64] = "";
	ssize_t n;

	pthread_setname_np(pthread_self(), "task-socket");
	do {
		if (buf_reserve(&in, 65536) != 0)
			break;
		n = recv(c->fd, in.data + in.len, 65536, 0);
		if (n > 0)
			in.len += (size_t)n;
	} while (n > 0 && connection_take(c, &in, shown));
	buf_done(&in);
	pthread_mutex_lock(&s->lock);
	LIST_REMOVE(c, entry);
	close(c->fd);
	s->n_connections--;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	free(c);
	return NULL;
}

/* Lock held, but not for the whole time: nothing can be started for a while. */
static void
sockets_wait_short(struct task_sockets *s)
{
	pthread_mutex_unlock(&s->lock);
	usleep(SHORT_US);
	pthread_mutex_lock(&s->lock);
}

/* Lock held. Detached: the count says when all have ended. While there are too
 * many processes for one more thread, the command waits for its answer. */
static int
connection_start_thread(struct connection *c)
{
	struct task_sockets *s = c->sockets;
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	while ((r = pthread_create(&thread, &attr, connection_main, c)) ==
		   EAGAIN &&
	       !s->stopping)
		sockets_wait_short(s);
	pthread_attr_destroy(&attr);
	return r;
}

/* Lock held. */
static void
connection_start(struct task_sockets *s, int fd)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (c != NULL) {
		c->sockets = s;
		c->fd = fd;
		LIST_INSERT_HEAD(&s->connections, c, entry);
		s->n_connections++;
	}
	if (c == NULL || connection_start_thread(c) != 0) {
		close(fd);
		if (c != NULL) {
			LIST_REMOVE(c, entry);
			s->n_connections--;
		}
		free(c);
		/* A thread that has ended meanwhile may be waited for. */
		pthread_cond_broadcast(&s->changed);
	}
}

static void *
listener_main(void *arg)
{
	struct task_sockets *s = arg;
	int fd, sys;

	pthread_setname_np(pthread_self(), "task-socket");
	pthread_mutex_lock(&s->lock);
	while (!s->stopping) {
		while (!s->stopping && s->n_connections >= CONNECTIONS_MAX)
			pthread_cond_wait(&s->changed, &s->lock);
		pthread_mutex_unlock(&s->lock);
		/* Ended by shutdown(). */
		fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
		sys = errno;
		pthread_mutex_lock(&s->lock);
		/* The command waits in the backlog. */
		if (fd < 0 && limits_is_short(sys))
			sockets_wait_short(s);
		if (fd >= 0 && !s->stopping)
			connection_start(s, fd);
		else if (fd >= 0)
			close(fd);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* --- opening and closing ------------------------------------------------- */

/* Lock held. At the first command, as most executors run none. */
static int
sockets_open(struct task_sockets *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char unique[UUID_TEXT_SIZE];
	socklen_t len;
	int sys;

	if (s->fd >= 0)
		return 0;
	uuid_make_random(unique);
	snprintf(s->name, sizeof(s->name), "flowrra-%s", unique);
	memcpy(address.sun_path + 1, s->name, strlen(s->name));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			  strlen(s->name));
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd >= 0 &&
	    bind(s->fd, (const struct sockaddr *)&address, len) == 0 &&
	    listen(s->fd, CONNECTIONS_MAX) == 0) {
		errno = pthread_create(&s->listener, NULL, listener_main, s);
		if (errno == 0)
			return 0;
	}
	sys = errno;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	errno = sys;
	return -1;
}

struct task_sockets *
task_sockets_new(struct submits *submits)
{
	struct task_sockets *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->submits = submits;
	s->fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	LIST_INIT(&s->connections);
	LIST_INIT(&s->tokens);
	return s;
}

void
task_sockets_free(struct task_sockets *s)
{
	struct connection *c;
	struct token *token;

	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->changed);
	if (s->fd >= 0)
		shutdown(s->fd, SHUT_RDWR);
	LIST_FOREACH (c, &s->connections, entry)
		shutdown(c->fd, SHUT_RDWR);
	while (s->n_connections > 0)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	if (s->fd >= 0) {
		pthread_join(s->listener, NULL);
		close(s->fd);
	}
	while ((token = LIST_FIRST(&s->tokens)) != NULL) {
		LIST_REMOVE(token, entry);
		free(token);
	}
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	free(s);
}

/* Written into the task, which a command's environment is made from at once. */
int
flowrra_task_socket(struct flowrra_task *task,
		    char address[FLOWRRA_SOCKET_SIZE])
{
	struct task_sockets *s = task->env->sockets;
	struct token *token = NULL;

	errno = 0;
	pthread_mutex_lock(&s->lock);
	if (!s->stopping && sockets_open(s) == 0)
		token = token_of(s, task);
	if (token != NULL)
		snprintf(address, FLOWRRA_SOCKET_SIZE, "%s:%s", s->name,
			 token->text);
	task->has_socket = token != NULL;
	pthread_mutex_unlock(&s->lock);
	return token != NULL ? 0 : -1;
}
