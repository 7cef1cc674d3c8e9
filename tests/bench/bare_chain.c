/* SPDX-License-Identifier: MIT */
/*
 * A task's way, bare: client, Redis, worker, executor, worker, Redis, client.
 * The worker has several descriptors to watch, and does so with epoll; the
 * others wait in recv(). One task is under way at a time.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bare.h"

#define QUEUE "bare:queue"
#define INFLIGHT "bare:inflight"

static int64_t
bare_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
bare_executor(int fd)
{
	char task[BARE_TEXT_SIZE], text[32];
	ssize_t n;

	while (recv(fd, task, sizeof(task), 0) > 0) {
		n = snprintf(text, sizeof(text), "%jd",
			     (intmax_t)bare_now_us());
		if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
			break;
	}
	_exit(0);
}

/* The text of a member, which stands behind `name`. */
static void
bare_member(char out[BARE_ID_SIZE], const char *task, const char *name)
{
	const char *p = strstr(task, name);

	if (p == NULL)
		errx(70, "not a task: %s", task);
	snprintf(out, BARE_ID_SIZE, "%s", p + strlen(name));
}

static void
bare_watch(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		err(71, "epoll_ctl");
}

/* Only one of them has something to say at a time. */
static void
bare_wait(int epoll)
{
	struct epoll_event events[8];

	if (epoll_wait(epoll, events, 8, -1) < 1)
		err(71, "epoll_wait");
}

static void
bare_finish(struct bare *b, int epoll, const char *task, const char *result)
{
	char id[BARE_ID_SIZE], to[BARE_ID_SIZE], key[64], done[64], reply[64];
	char record[BARE_TEXT_SIZE];
	const char *text;
	size_t len;
	int i;

	bare_member(id, task, "\"id\":\"");
	bare_member(to, task, "\"reply_to\":\"");
	snprintf(key, sizeof(key), "bare:task:%s", id);
	snprintf(done, sizeof(done), "bare:complete:%s", id);
	snprintf(reply, sizeof(reply), "bare:reply:%s", to);
	bare_final(record, sizeof(record), id, result);
	bare_add(b, "SET", key, record, "EX", "86400", NULL);
	bare_add(b, "PUBLISH", done, "done", NULL);
	bare_add(b, "PUBLISH", reply, record, NULL);
	bare_send(b);
	bare_wait(epoll);
	for (i = 0; i < 3; i++)
		bare_reply(b, &text, &len);
	bare_add(b, "LREM", INFLIGHT, "-1", task, NULL);
	bare_send(b);
	bare_wait(epoll);
	bare_reply(b, &text, &len);
}

static void
bare_worker(const char *url, int fd)
{
	static struct bare waiting, settling;
	const int epoll = epoll_create1(EPOLL_CLOEXEC);
	char task[BARE_TEXT_SIZE], result[32];
	const char *text;
	size_t len;
	ssize_t n;

	bare_open(&waiting, url);
	bare_open(&settling, url);
	bare_watch(epoll, waiting.fd);
	bare_watch(epoll, settling.fd);
	bare_watch(epoll, fd);
	for (;;) {
		bare_add(&waiting, "BLMOVE", QUEUE, INFLIGHT, "RIGHT", "LEFT",
			 "0", NULL);
		bare_send(&waiting);
		bare_wait(epoll);
		bare_reply(&waiting, &text, &len);
		if (text == NULL || len >= sizeof(task))
			errx(1, "not a task");
		memcpy(task, text, len);
		task[len] = '\0';
		if (send(fd, task, len, MSG_NOSIGNAL) != (ssize_t)len)
			_exit(0);
		bare_wait(epoll);
		if ((n = recv(fd, result, sizeof(result) - 1, 0)) <= 0)
			_exit(0);
		result[n] = '\0';
		bare_finish(&settling, epoll, task, result);
	}
}

void
bare_chain_start(const char *url)
{
	int fds[2];
	int i;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		err(71, "socketpair");
	for (i = 0; i < 2; i++) {
		switch (fork()) {
		case -1:
			err(71, "fork");
		case 0:
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(fds[1 - i]);
			if (i == 0)
				bare_worker(url, fds[0]);
			bare_executor(fds[1]);
		}
	}
	close(fds[0]);
	close(fds[1]);
}

void
bare_client_open(struct bare_client *c, const char *url, long number)
{
	char channel[64];
	const char *text;
	size_t len;

	bare_open(&c->commands, url);
	bare_open(&c->replies, url);
	bare_id(c->reply_to, number);
	snprintf(channel, sizeof(channel), "bare:reply:%s", c->reply_to);
	bare_add(&c->replies, "SUBSCRIBE", channel, NULL);
	bare_send(&c->replies);
	bare_reply(&c->replies, &text, &len);
}

int64_t
bare_call(struct bare_client *c, long n)
{
	char id[BARE_ID_SIZE], key[64];
	char record[BARE_TEXT_SIZE], task[BARE_TEXT_SIZE];
	const char *text;
	size_t len;

	bare_id(id, n);
	snprintf(key, sizeof(key), "bare:task:%s", id);
	bare_record(record, sizeof(record), id);
	bare_task(task, sizeof(task), id, c->reply_to);
	bare_add(&c->commands, "MSET", key, record, NULL);
	bare_add(&c->commands, "LPUSH", QUEUE, task, NULL);
	bare_send(&c->commands);
	bare_reply(&c->commands, &text, &len);
	bare_reply(&c->commands, &text, &len);
	bare_reply(&c->replies, &text, &len);
	if (text == NULL || (text = strstr(text, "\"result\":")) == NULL)
		errx(1, "not a record");
	return strtoll(text + strlen("\"result\":"), NULL, 10);
}
