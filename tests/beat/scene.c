/* SPDX-License-Identifier: MIT */
/* Schedulers, a database in a file, a store in memory, and clocks to be set. */
#include "beat/scene.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/conf.h"

/* --- clocks ------------------------------------------------------------ */

static int64_t beat_scene_mono_ahead_us, beat_scene_wall_ahead_us;

static int64_t
beat_scene_read(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * SECOND_US + ts.tv_nsec / 1000;
}

static int64_t
beat_scene_mono_us(void)
{
	return beat_scene_read(CLOCK_MONOTONIC) + beat_scene_mono_ahead_us;
}

static int64_t
beat_scene_wall_us(void)
{
	return beat_scene_read(CLOCK_REALTIME) + beat_scene_wall_ahead_us;
}

/* The kernel's timers follow its own clocks. When ours are others, this timer
 * takes their place: news of the broker that is no news makes a turn. */
static void
on_scene_tick(evutil_socket_t fd, short what, void *arg)
{
	struct scene *s = arg;
	unsigned int i;

	for (i = 0; i < s->n_beats; i++)
		if (s->beats[i].up && !s->beats[i].stopped)
			s->beats[i].broker.on_state(true, false, NULL,
						    s->beats[i].broker.arg);
}

void
beat_scene_pass(struct scene *s, int64_t us)
{
	beat_scene_mono_ahead_us += us;
	beat_scene_step(s, us);
}

void
beat_scene_step(struct scene *s, int64_t us)
{
	const struct timeval every = {.tv_usec = 2000};
	unsigned int i;

	beat_scene_wall_ahead_us += us;
	event_add(s->tick, &every);
	for (i = 0; i < s->n_beats; i++)
		if (!s->beats[i].stopped)
			beat_reload(s->beats[i].beat, s->conf);
}

/* --- opening and closing ----------------------------------------------- */

struct scene *
beat_scene_new(const char *setting)
{
	return beat_scene_new_in(WORLD_SQLITE, setting);
}

struct scene *
beat_scene_new_in(int kind, const char *setting)
{
	static const struct clock_source clocks = {
	    .mono_us = beat_scene_mono_us, .wall_us = beat_scene_wall_us};
	struct scene *s = calloc(1, sizeof(*s));
	const char *settings[2] = {setting};
	struct err err;

	ck_assert_ptr_nonnull(s);
	clock_replace(&clocks);
	s->now_us = clock_wall_us() / SECOND_US * SECOND_US;
	s->base = event_base_new();
	s->tick = event_new(s->base, -1, EV_PERSIST, on_scene_tick, s);
	ck_assert_ptr_nonnull(s->tick);
	fake_store_init(&s->store, s->base);
	world_open(&s->world, kind);
	OK(&s->world, schedules_connect(s->world.schedules, &s->world.err));
	/* With a password it may not be a setting of a command line. */
	ck_assert_int_eq(
	    setenv("FLOWRRA_SCHEDULER_DATABASE_URL", s->world.url, 1), 0);
	ck_assert_msg(conf_load("/dev/null", settings, &s->conf, &err) == 0,
		      "%s", err.msg);
	return s;
}

void
beat_scene_free(struct scene *s)
{
	unsigned int i;

	for (i = 0; i < s->n_beats; i++)
		beat_free(s->beats[i].beat);
	fake_store_done(&s->store);
	event_free(s->tick);
	world_close(&s->world);
	conf_free(s->conf);
	event_base_free(s->base);
	clock_replace(NULL);
	free(s);
}

static void
on_ready(void *arg)
{
	((struct beat_scene_beat *)arg)->ready = true;
}

static void
on_stopped(const struct err *why, void *arg)
{
	struct beat_scene_beat *b = arg;

	ck_assert(!b->stopped);
	b->stopped = true;
	b->failed = why != NULL;
	if (why != NULL)
		b->failure = *why;
}

struct beat_scene_beat *
beat_scene_start(struct scene *s)
{
	static const char *const ids[SCENE_BEATS] = {"one", "two"};
	struct beat_scene_beat *b = &s->beats[s->n_beats];
	struct err err;

	ck_assert_uint_lt(s->n_beats, SCENE_BEATS);
	b->scene = s;
	b->beat =
	    beat_new(&(struct beat_options){.base = s->base,
					    .conf = s->conf,
					    .id = ids[s->n_beats],
					    .on_ready = on_ready,
					    .on_stopped = on_stopped,
					    .arg = b,
					    .open_broker = fake_broker_open,
					    .open_results = fake_results_open},
		     &err);
	ck_assert_msg(b->beat != NULL, "%s", err.msg);
	b->broker = s->store.broker;
	b->results = s->store.results;
	s->n_beats++;
	return b;
}

void
beat_scene_reach(struct beat_scene_beat *b, bool up)
{
	struct fake_store *store = &b->scene->store;

	b->up = up;
	store->broker = b->broker;
	store->results = b->results;
	fake_store_reach(store, up);
	if (up)
		FAKE_WAIT(store, b->ready);
}

struct beat_scene_beat *
beat_scene_run(struct scene *s)
{
	struct beat_scene_beat *b = beat_scene_start(s);

	beat_scene_reach(b, true);
	return b;
}

void
beat_scene_kill(struct beat_scene_beat *b)
{
	beat_free(b->beat);
	b->beat = NULL;
	b->stopped = true;
}

/* --- schedules and their fires ----------------------------------------- */

struct schedule
beat_scene_schedule(const char *id, int64_t start_us)
{
	return (struct schedule){.id = id,
				 .task = "add",
				 .type = SCHEDULE_INTERVAL,
				 .rule = "60s",
				 .enabled = true,
				 .settings = TASK_SETTINGS_UNSET,
				 .misfire = SCHEDULE_LATEST,
				 .grace_us = SCHEDULE_UNSET,
				 .start_us = start_us,
				 .next_run_us = start_us,
				 .due_us = start_us};
}

void
beat_scene_store(struct scene *s, const struct schedule *schedule)
{
	struct schedule one = *schedule;
	char args[64], ret_id[SCHEDULE_ID_MAX + 1];
	bool existing;

	/* Two that do the same would be one. */
	snprintf(args, sizeof(args), "[\"%s\"]", one.id);
	one.args = args;
	OK(&s->world,
	   schedules_create(s->world.schedules, &one, clock_wall_us(), ret_id,
			    &existing, &s->world.err));
	ck_assert(!existing);
}

unsigned int
beat_scene_sent(struct scene *s, const char *id, int64_t fire_us)
{
	char entry[SCHEDULE_TASK_ID_SIZE + 2];
	unsigned int n = 0;
	const char *p;

	schedule_fire_id(id, SCHEDULE_TASK, fire_us, entry);
	strcat(entry, "@");
	buf_addc(&s->store.submitted, '\0');
	s->store.submitted.len--;
	for (p = s->store.submitted.data; (p = strstr(p, entry)) != NULL; p++)
		n++;
	return n;
}

void
beat_scene_fired(struct scene *s, const char *id, int64_t fire_us)
{
	FAKE_WAIT(&s->store, beat_scene_sent(s, id, fire_us) > 0);
	FAKE_WAIT(&s->store,
		  beat_scene_number(s,
				    "SELECT count(*) FROM flowrra_fires WHERE"
				    " schedule_id = '%s' AND fire_us = %lld AND"
				    " marked_us IS NOT NULL",
				    id, (long long)fire_us) == 1);
}

void
beat_scene_decided(struct scene *s)
{
	const int64_t now_us = clock_wall_us();
	static unsigned int n;
	struct schedule canary;
	char id[32];

	snprintf(id, sizeof(id), "canary%u", n++);
	canary = beat_scene_schedule(id, now_us);
	beat_scene_store(s, &canary);
	beat_scene_fired(s, id, now_us);
}

int64_t
beat_scene_number(struct scene *s, const char *fmt, ...)
{
	char *sql, *rows;
	int64_t number;
	va_list ap;

	va_start(ap, fmt);
	ck_assert_int_gt(vasprintf(&sql, fmt, ap), 0);
	va_end(ap);
	rows = world_ask(&s->world, sql);
	number = strtoll(rows, NULL, 10);
	free(rows);
	free(sql);
	return number;
}

int
beat_scene_log(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
	return fd;
}

unsigned int
beat_scene_logged(int fd, const char *what)
{
	static char text[65536];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	unsigned int lines = 0;
	const char *p;

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	for (p = text; (p = strstr(p, what)) != NULL; p++)
		lines++;
	return lines;
}
