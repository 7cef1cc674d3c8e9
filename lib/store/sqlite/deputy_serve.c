/* SPDX-License-Identifier: MIT */
/*
 * Submissions by way of a worker: the worker's side.
 *
 * A client runs as our own user, and could write to the database itself. What it sends
 * is checked all the same: it may be broken, or of another version. One that sends an
 * invalid request is disconnected.
 */
#include "store/sqlite/deputy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "core/task.h"
#include "sqlite/door.h"
#include "util/limits.h"

/* Programs that are here at the same time; each has a descriptor, and of those that
 * the worker may have, its executors need most. Others are shown out at once. */
#define VISITORS_MAX 64
#define FILES_A_VISITOR 16
/* Requests that one may have under way: beyond them it waits. */
#define REQUESTS_MAX 16

struct visitor {
	LIST_ENTRY(visitor) link;
	struct sdeputy_server *server;
	int fd;
	struct event *event;
	unsigned int n_requests;
};

/* One that is under way, and its texts. */
struct request {
	LIST_ENTRY(request) link;
	struct visitor *visitor; /* NULL: has left */
	struct sdeputy_request head;
	struct broker_submit submit;
	struct slice texts[SDEPUTY_TEXTS];
	char bytes[];
};

struct sdeputy_server {
	struct sbroker *broker;
	struct event *event;
	bool resting; /* descriptors are short: the event is not pending */
	LIST_HEAD(, visitor) visitors;
	unsigned int n_visitors, max_visitors;
	LIST_HEAD(, request) requests; /* of all of them */
	char packet[SDEPUTY_MAX];
};

/* --- visitors ------------------------------------------------------------ */

/* Its requests are carried out, and answered to nobody. */
static void
visitor_show_out(struct visitor *v)
{
	struct request *q;

	LIST_FOREACH (q, &v->server->requests, link)
		if (q->visitor == v)
			q->visitor = NULL;
	LIST_REMOVE(v, link);
	v->server->n_visitors--;
	event_free(v->event);
	close(v->fd);
	free(v);
}

/* One whose socket is full reads nothing, and is not waited for: it is shown out by
 * its next event. */
static void
visitor_answer(struct visitor *v, struct sdeputy_answer answer,
	       struct slice text)
{
	struct iovec parts[] = {{&answer, sizeof(answer)},
				{(void *)(uintptr_t)text.p, text.len}};
	const struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};

	if (text.len > SDEPUTY_MAX - sizeof(answer) ||
	    sendmsg(v->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		shutdown(v->fd, SHUT_RDWR);
}

/* --- requests ------------------------------------------------------------ */

static void
request_end(struct request *q, bool found, struct slice text,
	    const struct err *err)
{
	const bool failed = err != NULL && err->code != ERR_NONE;
	const struct sdeputy_answer answer = {.number = q->head.number,
					      .code =
						  failed ? err->code : ERR_NONE,
					      .found = found};
	struct visitor *v = q->visitor;

	LIST_REMOVE(q, link);
	if (v != NULL) {
		if (v->n_requests-- == REQUESTS_MAX)
			event_add(v->event, NULL);
		visitor_answer(v, answer, failed ? slice_of(err->msg) : text);
	}
	free(q);
}

static void
request_on_value(struct slice value, const struct err *err, void *arg)
{
	request_end(arg, value.p != NULL, value, err);
}

static void
request_on_submitted(struct broker_submit *batch, size_t n, void *arg)
{
	(void)n;
	request_end(arg, false, SLICE(""), &batch->err);
}

/* The texts are in request_read()'s order, each with a NUL behind it. */
static void
request_submit(struct sbroker *b, struct request *q)
{
	const struct ssubmit_bounds bounds = {q->head.max_queue_size,
					      q->head.by_ms};

	q->submit = (struct broker_submit){.queue = q->texts[0].p,
					   .id = q->texts[1],
					   .bytes = q->texts[2],
					   .record = q->texts[3],
					   .derived = q->head.derived != 0,
					   .priority = q->head.priority,
					   .delay_ms = q->head.delay_ms,
					   .at_ms = q->head.at_ms,
					   .exclusive = true};
	ssubmit_post(b, &bounds, &q->submit, 1, request_on_submitted, q);
}

static void
request_begin(struct sbroker *b, struct request *q)
{
	/* Of two names, the NUL between them is there. */
	const struct slice text = q->texts[0];
	const size_t len = strlen(text.p);
	const struct broker_served served = {
	    .queue = {text.p, len},
	    .name = {text.p + len + 1, text.len - len - 1}};

	if (q->head.what == SDEPUTY_REGISTERED)
		sbroker_registered(&b->pub, text, request_on_value, q);
	else if (q->head.what == SDEPUTY_SUBMIT)
		request_submit(b, q);
	else
		sbroker_served(&b->pub, &served, request_on_value, q);
}

/* Whether it is one that can be carried out. */
static bool
request_is_good(const struct request *q)
{
	const struct sdeputy_request *head = &q->head;

	if (head->version != SDEPUTY_VERSION || head->what >= SDEPUTY_WHATS)
		return false;
	if (head->what != SDEPUTY_SUBMIT)
		return head->what == SDEPUTY_REGISTERED ||
		       memchr(q->texts[0].p, '\0', q->texts[0].len) != NULL;
	return head->by_ms > 0 && head->delay_ms >= 0 && head->at_ms >= 0 &&
	       task_name_valid(q->texts[0], TASK_QUEUE_MAX) &&
	       task_id_valid(q->texts[1]) && q->texts[2].len > 0;
}

/* How long the texts are; more than the packet, if they do not fit into it. */
static size_t
request_size(const struct sdeputy_request *head, struct slice packet)
{
	size_t size = 0, i;

	for (i = 0; i < SDEPUTY_TEXTS && size <= packet.len; i++)
		size += head->lens[i];
	return size;
}

/* Takes the first request of the packet. NULL: no memory, or it is none. */
static struct request *
request_read(struct slice *packet)
{
	struct request *q;
	struct sdeputy_request head;
	char *to;
	size_t i;

	if (packet->len < sizeof(head))
		return NULL;
	memcpy(&head, packet->p, sizeof(head));
	*packet = (struct slice){packet->p + sizeof(head),
				 packet->len - sizeof(head)};
	if (request_size(&head, *packet) > packet->len ||
	    (q = calloc(1, sizeof(*q) + request_size(&head, *packet) +
			       SDEPUTY_TEXTS)) == NULL)
		return NULL;
	q->head = head;
	to = q->bytes;
	for (i = 0; i < SDEPUTY_TEXTS; i++) {
		memcpy(to, packet->p, head.lens[i]);
		q->texts[i] = (struct slice){to, head.lens[i]};
		to += head.lens[i] + 1;
		packet->p += head.lens[i];
		packet->len -= head.lens[i];
	}
	if (request_is_good(q))
		return q;
	free(q);
	return NULL;
}

/* --- events -------------------------------------------------------------- */

/* Begins what a packet asks for; false: the visitor is not to stay. */
static bool
visitor_ask(struct visitor *v, struct slice packet)
{
	struct sdeputy_server *server = v->server;
	struct request *q;

	while (packet.len > 0) {
		if ((q = request_read(&packet)) == NULL)
			return false;
		q->visitor = v;
		LIST_INSERT_HEAD(&server->requests, q, link);
		if (++v->n_requests == REQUESTS_MAX)
			event_del(v->event);
		request_begin(server->broker, q);
	}
	return true;
}

/* Takes one packet. */
static void
visitor_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct visitor *v = arg;
	char *packet = v->server->packet;
	const ssize_t n =
	    recv(fd, packet, SDEPUTY_MAX, MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || n > (ssize_t)SDEPUTY_MAX ||
	    !visitor_ask(v, (struct slice){packet, (size_t)n}))
		visitor_show_out(v);
}

static void
visitor_come_in(struct sdeputy_server *server, int fd)
{
	struct visitor *v = calloc(1, sizeof(*v));

	if (v == NULL || server->n_visitors >= server->max_visitors ||
	    (v->event =
		 event_new(server->broker->opt.base, fd, EV_READ | EV_PERSIST,
			   visitor_on_readable, v)) == NULL ||
	    event_add(v->event, NULL) != 0) {
		if (v != NULL && v->event != NULL)
			event_free(v->event);
		free(v);
		close(fd);
		return;
	}
	v->server = server;
	v->fd = fd;
	LIST_INSERT_HEAD(&server->visitors, v, link);
	server->n_visitors++;
}

/* All that wait. Without descriptors it looks again with the next heartbeat. */
static void
server_on_knock(evutil_socket_t fd, short what, void *arg)
{
	struct sdeputy_server *server = arg;
	int in;

	while ((in = door_admit(fd)) >= 0)
		visitor_come_in(server, in);
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ||
	    errno == EPERM)
		return;
	event_del(server->event);
	server->resting = true;
}

/* --- the door ------------------------------------------------------------ */

void
sdeputy_open_run(struct sbroker *b, struct tx *tx)
{
	const int dir_fd = tx_directory(tx, NULL);

	if (b->door_fd >= 0 || !b->opt.with_results || dir_fd < 0)
		return;
	b->door_fd = door_open(dir_fd, SDEPUTY_NAME, NULL);
	b->door_named = b->door_fd >= 0;
}

static unsigned int
visitors_max(void)
{
	const uint64_t share = limits_files() / FILES_A_VISITOR;

	return share < VISITORS_MAX ? (unsigned int)share : VISITORS_MAX;
}

static struct sdeputy_server *
server_new(struct sbroker *b)
{
	struct sdeputy_server *server = malloc(sizeof(*server));

	if (server == NULL)
		return NULL;
	/* The buffer need not be cleared. */
	server->broker = b;
	server->resting = true;
	server->n_visitors = 0;
	server->max_visitors = visitors_max();
	LIST_INIT(&server->visitors);
	LIST_INIT(&server->requests);
	server->event = event_new(b->opt.base, b->door_fd, EV_READ | EV_PERSIST,
				  server_on_knock, server);
	if (server->event == NULL) {
		free(server);
		return NULL;
	}
	return server;
}

void
sdeputy_serve(struct sbroker *b)
{
	if (b->door_fd >= 0 && b->server == NULL)
		b->server = server_new(b);
	if (b->server != NULL && b->server->resting)
		b->server->resting = event_add(b->server->event, NULL) != 0;
}

/* Who comes next finds no door; who is here is served until the end. Once: when the
 * job runs again, the name may be another worker's. */
void
sdeputy_leave_run(struct sbroker *b, struct tx *tx)
{
	if (b->door_named)
		door_remove(tx_directory(tx, NULL), SDEPUTY_NAME);
	b->door_named = false;
}

/* What is under way has been dropped. */
void
sdeputy_serve_done(struct sbroker *b)
{
	struct visitor *v, *next_visitor;
	struct request *q, *next;

	if (b->server != NULL) {
		v = LIST_FIRST(&b->server->visitors);
		for (; v != NULL; v = next_visitor) {
			next_visitor = LIST_NEXT(v, link);
			visitor_show_out(v);
		}
		for (q = LIST_FIRST(&b->server->requests); q != NULL;
		     q = next) {
			next = LIST_NEXT(q, link);
			free(q);
		}
		event_free(b->server->event);
		free(b->server);
	}
	b->server = NULL;
	if (b->door_fd >= 0)
		close(b->door_fd);
	b->door_fd = -1;
}
