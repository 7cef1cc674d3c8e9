/* SPDX-License-Identifier: MIT */
/*
 * A client in the event loop of another program.
 *
 * The descriptor is an epoll instance of our own. What is in it is level
 * triggered, so that nothing is lost if it is looked at late, and what is done
 * by another thread in the meantime only wakes the program in vain.
 */
#include "client/foreign.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "client/client.h"
#include "util/buf.h"

struct foreign {
	struct event_base *base;
	int epoll_fd;
	int timer_fd;
	int wake_fd;
	/* Of the last update, and of the one that goes on. */
	struct buf before, now; /* of struct epoll_event */
	int64_t next_us; /* the first timeout, as gettimeofday() counts */
	pthread_mutex_t lock;
	TAILQ_HEAD(, foreign_news) news;
};

static bool
watch_own(struct foreign *f, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	return fd >= 0 && epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0;
}

struct foreign *
foreign_new(struct event_base *base, struct err *err)
{
	struct foreign *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		err_nomem(err);
		return NULL;
	}
	f->base = base;
	pthread_mutex_init(&f->lock, NULL);
	TAILQ_INIT(&f->news);
	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	f->timer_fd =
	    timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	f->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->epoll_fd >= 0 && watch_own(f, f->timer_fd) &&
	    watch_own(f, f->wake_fd))
		return f;
	err_sys(err, ERR_SYSTEM, "cannot make a descriptor to wait with");
	foreign_free(f);
	return NULL;
}

void
foreign_free(struct foreign *f)
{
	if (f == NULL)
		return;
	if (f->epoll_fd >= 0)
		close(f->epoll_fd);
	if (f->timer_fd >= 0)
		close(f->timer_fd);
	if (f->wake_fd >= 0)
		close(f->wake_fd);
	buf_done(&f->before);
	buf_done(&f->now);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

int
foreign_fd(const struct foreign *f)
{
	return f->epoll_fd;
}

static void
foreign_wake(struct foreign *f)
{
	static const uint64_t one = 1;

	/* A full counter wakes as well. */
	if (write(f->wake_fd, &one, sizeof(one)) < 0)
		return;
}

/* --- the mirror ---------------------------------------------------------- */

static struct epoll_event *
find_entry(const struct buf *list, int fd)
{
	struct epoll_event *e = (struct epoll_event *)(void *)list->data;
	size_t i, n = list->len / sizeof(*e);

	for (i = 0; i < n; i++)
		if (e[i].data.fd == fd)
			return &e[i];
	return NULL;
}

static void
note_timeout(struct foreign *f, const struct event *ev)
{
	struct timeval tv;
	int64_t us;

	if (event_pending(ev, EV_TIMEOUT, &tv) == 0)
		return;
	us = (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
	if (f->next_us == 0 || us < f->next_us)
		f->next_us = us;
}

/* Two events may share a descriptor: one that reads, one that writes. */
static int
on_foreign_event(const struct event_base *base, const struct event *ev,
		 void *arg)
{
	struct foreign *f = arg;
	const evutil_socket_t fd = event_get_fd(ev);
	const short wanted = event_get_events(ev);
	struct epoll_event e = {.data.fd = fd}, *same;

	note_timeout(f, ev);
	if ((wanted & EV_SIGNAL) != 0 || fd < 0)
		return 0;
	if ((wanted & EV_READ) != 0 && event_pending(ev, EV_READ, NULL) != 0)
		e.events |= EPOLLIN;
	if ((wanted & EV_WRITE) != 0 && event_pending(ev, EV_WRITE, NULL) != 0)
		e.events |= EPOLLOUT;
	if (e.events == 0)
		return 0;
	if ((same = find_entry(&f->now, fd)) != NULL)
		same->events |= e.events;
	else
		buf_add(&f->now, &e, sizeof(e));
	return 0;
}

/* A number may be that of another file than before, which is not in the set: so
 * each is set each time, and added if it is not there. */
static void
set_entries(struct foreign *f)
{
	struct epoll_event *e = (struct epoll_event *)(void *)f->now.data;
	size_t i, n = f->now.len / sizeof(*e);

	for (i = 0; i < n; i++)
		if (epoll_ctl(f->epoll_fd, EPOLL_CTL_MOD, e[i].data.fd,
			      &e[i]) != 0 &&
		    errno == ENOENT)
			epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, e[i].data.fd,
				  &e[i]);
	e = (struct epoll_event *)(void *)f->before.data;
	n = f->before.len / sizeof(*e);
	for (i = 0; i < n; i++)
		if (find_entry(&f->now, e[i].data.fd) == NULL)
			epoll_ctl(f->epoll_fd, EPOLL_CTL_DEL, e[i].data.fd,
				  NULL);
}

static void
set_timer(struct foreign *f)
{
	struct itimerspec in = {.it_value = {0, 0}};
	struct timeval now;
	int64_t us;

	if (f->next_us != 0) {
		gettimeofday(&now, NULL);
		us = f->next_us - ((int64_t)now.tv_sec * 1000000 + now.tv_usec);
		/* What is due already, is due at once; 0 would disarm it. A
		 * millisecond later libevent, which rounds, agrees. */
		us = us > 0 ? us + 1000 : 1;
		in.it_value.tv_sec = us / 1000000;
		in.it_value.tv_nsec = us % 1000000 * 1000;
	}
	timerfd_settime(f->timer_fd, 0, &in, NULL);
}

void
foreign_update(struct foreign *f)
{
	struct buf swap = f->before;

	f->before = f->now;
	f->now = swap;
	buf_reset(&f->now);
	f->next_us = 0;
	event_base_foreach_event(f->base, on_foreign_event, f);
	if (f->now.failed) {
		/* Without memory it is tried again, over and over. */
		foreign_wake(f);
		return;
	}
	set_entries(f);
	set_timer(f);
	if (event_base_get_num_events(f->base, EVENT_BASE_COUNT_ACTIVE) > 0)
		foreign_wake(f);
}

/* --- news ---------------------------------------------------------------- */

void
foreign_add(struct foreign *f, struct foreign_news *news)
{
	pthread_mutex_lock(&f->lock);
	if (!news->queued)
		TAILQ_INSERT_TAIL(&f->news, news, next);
	news->queued = true;
	pthread_mutex_unlock(&f->lock);
	foreign_wake(f);
}

void
foreign_remove(struct foreign *f, struct foreign_news *news)
{
	pthread_mutex_lock(&f->lock);
	if (news->queued)
		TAILQ_REMOVE(&f->news, news, next);
	news->queued = false;
	pthread_mutex_unlock(&f->lock);
}

/* One after the other, without the lock: what is told may take others away. */
void
foreign_tell(struct foreign *f)
{
	struct foreign_news *news;
	uint64_t count;

	/* First, so that what comes now is heard of. */
	if (read(f->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	do {
		pthread_mutex_lock(&f->lock);
		if ((news = TAILQ_FIRST(&f->news)) != NULL) {
			TAILQ_REMOVE(&f->news, news, next);
			news->queued = false;
		}
		pthread_mutex_unlock(&f->lock);
		if (news != NULL)
			news->tell(news);
	} while (news != NULL);
}
