/* SPDX-License-Identifier: MIT */
/* A bad network: two threads for each connection, one each way. */
#include "soak/proxy.h"

#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct link {
	struct proxy *proxy;
	int fds[2];	 /* the worker's, the server's */
	int cut_at[2];	 /* bytes from there; 0: never */
	atomic_int ways; /* that still pass */
};

struct way {
	struct link *link;
	int from;  /* index of fds */
	bool deaf; /* a part is missing: no more may follow */
};

static void
nap(int ms)
{
	const struct timespec t = {.tv_sec = ms / 1000,
				   .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&t, NULL);
}

static int
write_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n)
		if ((n = send(fd, p, len, MSG_NOSIGNAL)) <= 0)
			return -1;
	return 0;
}

/* Passes a chunk on, or what there is of it before the cut. */
static int
pass(struct way *w, const char *p, int n, int *passed)
{
	struct link *l = w->link;
	struct proxy *x = l->proxy;
	const int cut = l->cut_at[w->from];

	while (x->mode == PROXY_HOLE)
		nap(5);
	if (x->delay_ms > 0)
		nap(x->delay_ms);
	w->deaf = w->deaf || (x->mode == PROXY_SWALLOW && w->from == 1);
	if (w->deaf)
		return 0;
	if (cut > 0 && *passed + n >= cut) {
		write_all(l->fds[!w->from], p, (size_t)(cut - *passed));
		x->cuts++;
		return -1;
	}
	*passed += n;
	return write_all(l->fds[!w->from], p, (size_t)n);
}

static void *
run_way(void *arg)
{
	struct way *w = arg;
	struct link *l = w->link;
	char chunk[16384];
	int passed = 0;
	ssize_t n;

	while ((n = read(l->fds[w->from], chunk, sizeof(chunk))) > 0 &&
	       pass(w, chunk, (int)n, &passed) == 0)
		;
	shutdown(l->fds[0], SHUT_RDWR);
	shutdown(l->fds[1], SHUT_RDWR);
	if (--l->ways == 0) {
		close(l->fds[0]);
		close(l->fds[1]);
		free(l);
	}
	free(w);
	return NULL;
}

static void
start_way(struct link *l, int from)
{
	struct way *w = malloc(sizeof(*w));
	pthread_attr_t attr;
	pthread_t thread;

	if (w == NULL)
		abort();
	*w = (struct way){.link = l, .from = from};
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, run_way, w) != 0)
		abort();
	pthread_attr_destroy(&attr);
}

static int
open_socket(const char *path, struct sockaddr_un *sun)
{
	*sun = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(sun->sun_path))
		abort();
	strcpy(sun->sun_path, path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void
link_up(struct proxy *x, int fd)
{
	struct link *l = calloc(1, sizeof(*l));
	struct sockaddr_un sun;

	if (l == NULL)
		abort();
	l->proxy = x;
	l->fds[0] = fd;
	l->fds[1] = open_socket(x->target, &sun);
	l->ways = 2;
	if (connect(l->fds[1], (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		close(l->fds[0]);
		close(l->fds[1]);
		free(l);
		return;
	}
	/* Replies matter more. */
	l->cut_at[x->links++ % 4 != 0] = x->cut_at;
	start_way(l, 0);
	start_way(l, 1);
}

static void *
accept_all(void *arg)
{
	struct proxy *x = arg;
	int fd;

	for (;;)
		if ((fd = accept4(x->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
			link_up(x, fd);
	return NULL;
}

struct proxy *
proxy_start(const char *path, const char *target)
{
	struct proxy *x = calloc(1, sizeof(*x));
	struct sockaddr_un sun;
	pthread_t thread;

	ck_assert_ptr_nonnull(x);
	x->target = target;
	x->fd = open_socket(path, &sun);
	ck_assert_int_eq(bind(x->fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_int_eq(listen(x->fd, 64), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, accept_all, x), 0);
	return x;
}
