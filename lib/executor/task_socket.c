/* SPDX-License-Identifier: MIT */
/*
 * The socket by which the commands of tasks speak to their worker.
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

#include "executor/task.h"
#include "executor/task_request.h"
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
/* Those that wait for other tasks do not count among them: what they wait for may
 * have to come through here, too. */
#define WAITING_MAX 1000

/* Between two tries while processes or descriptors are short. */
#define SHORT_US 50000

struct token {
	LIST_ENTRY(token) entry;
	char text[UUID_TEXT_SIZE];
	uint32_t number;
};

struct connection {
	LIST_ENTRY(connection) entry;
	struct task_sockets *sockets;
	int fd;
	uint32_t number; /* of its task; 0: not known yet */
};

struct task_sockets {
	const struct task_env *env;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a connection ended */
	int fd;			/* -1: not open */
	char name[64];
	pthread_t listener;
	bool stopping;
	unsigned int n_connections; /* those that wait among them */
	unsigned int n_waiting;
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
	LIST_INSERT_HEAD(&s->tokens, token, entry);
	return token;
}

void
task_sockets_drop(struct task_sockets *s, const struct flowrra_task *t)
{
	struct connection *c;
	struct token *token;

	pthread_mutex_lock(&s->lock);
	LIST_FOREACH (token, &s->tokens, entry)
		if (token->number == t->number)
			break;
	if (token != NULL)
		LIST_REMOVE(token, entry);
	/* A process that has left the command may still wait for something. */
	LIST_FOREACH (c, &s->connections, entry)
		if (c->number == t->number)
			shutdown(c->fd, SHUT_RDWR);
	pthread_mutex_unlock(&s->lock);
	free(token);
}

/* --- one request --------------------------------------------------------- */

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

/* Whose token it is; the connection is that task's from now on, and ends with it.
 * NULL: the task has ended. */
static const struct token *
connection_token(struct connection *c, const char *shown, struct token *copy)
{
	const struct token *found;

	pthread_mutex_lock(&c->sockets->lock);
	if ((found = token_find(c->sockets, shown)) != NULL) {
		*copy = *found;
		c->number = found->number;
	}
	pthread_mutex_unlock(&c->sockets->lock);
	return found != NULL ? copy : NULL;
}

static bool
on_wait_begins(void *arg)
{
	struct task_sockets *s = ((struct connection *)arg)->sockets;
	bool may;

	pthread_mutex_lock(&s->lock);
	may = s->n_waiting < WAITING_MAX;
	s->n_waiting += may;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return may;
}

static void
on_wait_ends(void *arg)
{
	struct task_sockets *s = ((struct connection *)arg)->sockets;

	pthread_mutex_lock(&s->lock);
	s->n_waiting--;
	pthread_mutex_unlock(&s->lock);
}

/* The token is looked for each time: the task may have ended. */
static bool
connection_take_line(struct connection *c, const char *shown, struct slice line)
{
	struct token token = {.number = 0};
	const struct token *found = connection_token(c, shown, &token);
	const struct task_caller caller = {.env = c->sockets->env,
					   .number = token.number,
					   .fd = c->fd,
					   .wait_begins = on_wait_begins,
					   .wait_ends = on_wait_ends,
					   .arg = c};
	json_t *reply;

	if (found != NULL)
		reply = task_request(&caller, line);
	else
		reply = json_pack("{s:i,s:s}", "code",
				  err_exit_status(ERR_REFUSED), "error",
				  "the task of this command has ended; it can "
				  "ask nothing any more");
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
		while (!s->stopping &&
		       s->n_connections - s->n_waiting >= CONNECTIONS_MAX)
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
task_sockets_new(const struct task_env *env)
{
	struct task_sockets *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->env = env;
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
