/* SPDX-License-Identifier: MIT */
/*
 * Measures what it costs that many people look: a worker drains tasks while
 * nobody watches flowrra-web, while VIEWERS streams have the topics of the first
 * pages, and while each has a task of its own. In turns, another of them first in
 * each round, each from a fresh store, so that whatever else goes on in the machine
 * meets them alike. BENCH_ROUNDS and BENCH_TASKS are as for `run`.
 *
 * Ends with 1 if a drain was slower than 97 % of that without viewers.
 *
 * Usage: viewers_bench [redis|sqlite] [VIEWERS]
 */
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "options.h"
#include "page.h"
#include "program.h"
#include "system.h"
#include "usage.h"
#include "util/clock.h"
#include "web_site.h"

#define STALL_MS 60000
#define ROUNDS_MAX 100
#define VIEWERS_MAX 10000
#define PART_MIN 0.97
/* Of what the hub takes; the others share one. */
#define TASKS_WATCHED 200
#define TOPICS "/api/v1/events?topics=overview,queues,running"

enum look { NOBODY, PAGES, TASKS, LOOKS };
static const char *const look_names[LOOKS] = {"no viewers", "topics",
					      "task:<id>"};

/* X(key, decimals, what it is) */
#define FIGURES(X)                                                             \
	X(drain, 0, "tasks a second")                                          \
	X(cpu, 3, "CPU s of worker and server for 10,000 tasks")               \
	X(web_cpu, 2, "CPU s of flowrra-web a second")                         \
	X(web_pss, 1, "MiB of flowrra-web (PSS), at the end")                  \
	X(received, 1, "kB a viewer has received")
enum figure {
#define X(key, decimals, text) FIGURE_##key,
	FIGURES(X)
#undef X
	    FIGURE_COUNT
};

static double figures[LOOKS][FIGURE_COUNT][ROUNDS_MAX];

/* --- viewers ----------------------------------------------------------- */

static struct {
	int fds[VIEWERS_MAX], epoll;
	size_t n;
	pthread_t thread;
	atomic_bool stop;
	atomic_uint_fast64_t bytes;
	/* Each has an event in its first answer. */
	atomic_uint_fast64_t seen;
	bool has_seen[VIEWERS_MAX];
} viewers;

static void
viewer_read(size_t i)
{
	char text[65536];
	const ssize_t n =
	    recv(viewers.fds[i], text, sizeof(text) - 1, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		errx(1, "stream %zu has ended", i);
	text[n] = '\0';
	viewers.bytes += (uint64_t)n;
	if (!viewers.has_seen[i] && strstr(text, "\ndata: ") != NULL) {
		viewers.has_seen[i] = true;
		viewers.seen++;
	}
}

static void *
viewers_thread(void *arg)
{
	struct epoll_event events[64];
	int n, i;

	while (!viewers.stop) {
		n = epoll_wait(viewers.epoll, events, 64, 100);
		for (i = 0; i < n; i++)
			viewer_read(events[i].data.u64);
	}
	return NULL;
}

/* The paths of those who watch a task: of all that were submitted, some. */
static char **
task_paths(void)
{
	char **paths = calloc(TASKS_WATCHED, sizeof(*paths)), id[256];
	const long every = opt.tasks / TASKS_WATCHED;
	FILE *f = files_open(files.ids, "re");
	long i;

	for (i = 0; fscanf(f, "%200s", id) == 1; i++)
		if (i % every == 0 && i / every < TASKS_WATCHED &&
		    asprintf(&paths[i / every], "/api/v1/events?topics=task:%s",
			     id) < 0)
			errx(71, "out of memory");
	fclose(f);
	return paths;
}

static void
viewers_begin(const struct web_site *site, enum look look, size_t n)
{
	const struct timespec nap = {.tv_nsec = 10000000};
	char **paths = look == TASKS ? task_paths() : NULL;
	const int64_t end_ms = clock_mono_ms() + STALL_MS;
	struct epoll_event event = {.events = EPOLLIN};
	size_t i;

	memset(&viewers, 0, sizeof(viewers));
	viewers.n = n;
	viewers.epoll = epoll_create1(EPOLL_CLOEXEC);
	pthread_create(&viewers.thread, NULL, viewers_thread, NULL);
	for (i = 0; i < n; i++) {
		viewers.fds[i] = web_site_connect(site);
		web_site_send(site, viewers.fds[i],
			      look == TASKS ? paths[i % TASKS_WATCHED]
					    : TOPICS);
		event.data.u64 = i;
		epoll_ctl(viewers.epoll, EPOLL_CTL_ADD, viewers.fds[i], &event);
	}
	while (viewers.seen < n) {
		if (clock_mono_ms() > end_ms)
			errx(1, "only %ju of %zu viewers see anything",
			     (uintmax_t)viewers.seen, n);
		nanosleep(&nap, NULL);
	}
	for (i = 0; look == TASKS && i < TASKS_WATCHED; i++)
		free(paths[i]);
	free(paths);
}

static void
viewers_end(void)
{
	size_t i;

	if (viewers.n == 0)
		return;
	viewers.stop = true;
	pthread_join(viewers.thread, NULL);
	for (i = 0; i < viewers.n; i++)
		close(viewers.fds[i]);
	close(viewers.epoll);
	viewers.n = 0;
}

/* --- a drain ----------------------------------------------------------- */

static void
wait_for(atomic_uint_fast64_t *counter, uint64_t n)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	int64_t moved_ms = clock_mono_ms();
	uint64_t last = 0, now;

	while ((now = atomic_load(counter)) < n) {
		if (now != last)
			moved_ms = clock_mono_ms();
		if (clock_mono_ms() - moved_ms > STALL_MS)
			errx(1, "only %ju of %ju tasks ran; see %s",
			     (uintmax_t)now, (uintmax_t)n, files.dir);
		last = now;
		nanosleep(&nap, NULL);
	}
}

static double
cpu_s(const struct worker *w, const struct system *system)
{
	return usage_cpu_of(w->pid).cpu_s + usage_cpu_of(system->server).cpu_s;
}

static void
drain(const struct system *system, const struct web_site *site,
      double *ret[FIGURE_COUNT])
{
	struct worker worker;
	double web_ms, cpu, s;

	memset((void *)files.page, 0, sizeof(*files.page));
	atomic_store(&files.page->expected, (uint64_t)opt.tasks);
	worker_start(&worker, files.dir);
	wait_for(&files.page->started, 1);
	web_ms = web_site_cpu_ms(site->pid);
	cpu = cpu_s(&worker, system);
	wait_for(&files.page->ended, (uint64_t)opt.tasks);
	web_ms = web_site_cpu_ms(site->pid) - web_ms;
	*ret[FIGURE_web_pss] = usage_of(site->pid).pss_mib;
	s = (double)(atomic_load(&files.page->last_ns) -
		     atomic_load(&files.page->first_ns)) /
	    1e9;
	*ret[FIGURE_drain] = (double)opt.tasks / s;
	*ret[FIGURE_web_cpu] = web_ms / 1e3 / s;
	worker_wait(&worker);
	*ret[FIGURE_cpu] =
	    (cpu_s(&worker, system) - cpu) / (double)opt.tasks * 1e4;
	worker_stop(&worker);
}

/* Its worker has been there, so that the name is known; none is when they are
 * submitted. */
static void
submit_all(void)
{
	const char *const argv[] = {"bin/flowrractl", "--config", files.conf,
				    "submit",	      "--stdin",  NULL};
	struct worker worker;

	worker_start(&worker, files.dir);
	worker_wait(&worker);
	worker_stop(&worker);
	program_run(argv, files.tasks, files.ids);
}

static void
round_run(const struct system_type *type, enum look look, size_t n, long round)
{
	char streams[64], connections[64], per_peer[64], conf[4096];
	const char *const settings[] = {streams, connections, per_peer, conf,
					NULL};
	double *ret[FIGURE_COUNT];
	struct system system = {.state = NULL};
	struct web_site site;
	int f;

	for (f = 0; f < FIGURE_COUNT; f++)
		ret[f] = &figures[look][f][round];
	type->start(&system, files.dir);
	files_write_conf(system.url);
	snprintf(streams, sizeof(streams), "web.max_streams=%zu", n + 10);
	snprintf(connections, sizeof(connections), "web.max_connections=%zu",
		 n + 20);
	snprintf(per_peer, sizeof(per_peer), "web.max_per_peer=%zu", n + 20);
	snprintf(conf, sizeof(conf), "broker.url=%s", system.url);
	submit_all();
	web_site_start(&site, files.dir, settings);
	if (look != NOBODY)
		viewers_begin(&site, look, n);
	drain(&system, &site, ret);
	*ret[FIGURE_received] =
	    look != NOBODY ? (double)viewers.bytes / 1e3 / (double)n : 0;
	viewers_end();
	web_site_stop(&site);
	type->stop(&system);
}

/* --- the report -------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(const double *values, long n)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, (size_t)n * sizeof(*sorted));
	qsort(sorted, (size_t)n, sizeof(*sorted), compare);
	return n % 2 == 1 ? sorted[n / 2]
			  : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* Returns the least part of the drain without viewers. */
static double
report(long rounds)
{
	double part, least = 1;
	int look;

	for (look = 0; look < LOOKS; look++) {
		printf("%s:\n", look_names[look]);
#define X(key, decimals, text)                                                 \
	printf("  %12.*f  %s\n", decimals,                                     \
	       median(figures[look][FIGURE_##key], rounds), text);
		FIGURES(X)
#undef X
		part = median(figures[look][FIGURE_drain], rounds) /
		       median(figures[NOBODY][FIGURE_drain], rounds);
		printf("  %12.3f  of the drain without viewers\n", part);
		least = part < least ? part : least;
	}
	return least;
}

int
main(int argc, char **argv)
{
	const struct system_type *type =
	    system_find(argc > 1 ? argv[1] : "redis");
	const long n = argc > 2 ? strtol(argv[2], NULL, 10) : 500;
	double least;
	long round;
	int look;

	if (type == NULL || n < 1 || n > VIEWERS_MAX)
		errx(64, "usage: viewers_bench [redis|sqlite] [VIEWERS]");
	options_read();
	if (opt.rounds > ROUNDS_MAX || opt.tasks < TASKS_WATCHED)
		errx(64, "up to %d rounds, and at least %d tasks", ROUNDS_MAX,
		     TASKS_WATCHED);
	files_make();
	for (round = 0; round < opt.rounds; round++)
		for (look = 0; look < LOOKS; look++)
			round_run(type, (enum look)((look + round) % LOOKS),
				  (size_t)n, round);
	printf("%s, %ld viewers, %ld tasks, medians of %ld:\n", type->name, n,
	       opt.tasks, opt.rounds);
	least = report(opt.rounds);
	files_remove();
	return least < PART_MIN;
}
