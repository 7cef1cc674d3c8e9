/* SPDX-License-Identifier: MIT */
/* A machine whose disk is full, or whose clock is wrong. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <flowrra/client.h>

#include "redis_server.h"
#include "soak/clocks.h"
#include "soak/rows.h"

/* --- a disk that is full ------------------------------------------------- */

/* Mounts are then for this run only. */
static bool
may_mount(struct scene *s)
{
	if (unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		return true;
	scene_skip(s, "a small disk has to be mounted, and that takes root");
	return false;
}

static void
fill_disk(struct scene *s)
{
	static const char zeros[65536];
	const char *path = world_text(s->world, "%s/filler", scene_disk(s));
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	size_t size = sizeof(zeros);

	ck_assert_int_ge(fd, 0);
	while (size > 0)
		if (write(fd, zeros, size) <= 0)
			size /= 2;
	close(fd);
	s->tally->faults++;
}

static void
empty_disk(struct scene *s)
{
	ck_assert_int_eq(
	    unlink(world_text(s->world, "%s/filler", scene_disk(s))), 0);
}

static void
end_with_disk(struct scene *s)
{
	verdict(s);
	worker_stop(s->workers[0]);
	umount2(scene_disk(s), MNT_DETACH);
	scene_close(s);
}

static void
spool_is_full(struct scene *s)
{
	unsigned int i;
	int64_t begin;

	if (!may_mount(s))
		return;
	scene_start(s, &(struct scene_options){
			   .disk_kib = 512,
			   .separate_backend = true,
			   .config = "[backend]\nsocket_timeout = 500ms\n"});
	for (i = 0; i < times(s, 2, 20); i++) {
		/* Without a backend nothing is submitted, so there must be
		 * something in the queue already. */
		load_start(s, &(struct load){.batch = 20, .max_ms = 200});
		scene_sleep_between(s, 200, 600);
		fill_disk(s);
		redis_server_pause(world_backend(s->world));
		WAIT_UNTIL(
		    worker_logged(s->workers[0], "No space left on device"));
		scene_sleep_between(s, 500, 1500);
		if (rng_between(&s->rng, 0, 1) == 0)
			empty_disk(s);
		load_stop(s);
		redis_server_continue(world_backend(s->world));
		begin = now_ms();
		scene_await_start(s, begin);
		SCENE_WAIT_WITHIN(s, PATIENCE_MS, scene_left(s) == 0);
		unlink(world_text(s->world, "%s/filler", scene_disk(s)));
	}
	end_with_disk(s);
}

const struct row row_spool_full = {.name = "spool-full",
				   .fault = "full disk under the spool",
				   .brokers = ON_REDIS,
				   .runs = {1, 5},
				   .limit_ms = 5000,
				   .run = spool_is_full};

static void
disk_is_full(struct scene *s)
{
	struct run *refused;
	unsigned int i;
	int64_t begin;

	if (!may_mount(s))
		return;
	scene_start(s, &(struct scene_options){.disk_kib = 20 * 1024});
	for (i = 0; i < times(s, 3, 20); i++) {
		load_start(s, NULL);
		scene_sleep_between(s, 100, 500);
		fill_disk(s);
		/* The log of the database may have room left. */
		WAIT_UNTIL(load_refused(s) > 0);
		refused = run(s->world,
			      "exec flowrractl --config worker-0.conf submit "
			      "ledger '\"%s\"' 1 --queue io --force",
			      ledger_path(s->ledger));
		/* There may be room again for so little. */
		ck_assert_msg(
		    refused->status == 0 ||
			((refused->status == 69 || refused->status == 75) &&
			 strstr(refused->err, "disk is full")),
		    "submission to a full disk: status %d, %s", refused->status,
		    refused->err);
		scene_sleep_between(s, 0, 1000);
		empty_disk(s);
		begin = now_ms();
		scene_await_start(s, begin);
		load_stop(s);
	}
	end_with_disk(s);
}

const struct row row_disk_full = {.name = "disk-full",
				  .fault = "full disk under the database",
				  .brokers = {false, true},
				  .runs = {1, 5},
				  .limit_ms = 5000,
				  .run = disk_is_full};

/* --- a clock that is wrong ----------------------------------------------- */

/*
 * What is for later is due by the clock of the store. Where the clock is set, it
 * may begin early or late, but none is lost and none runs twice. In the end the
 * clock is ahead of all steps, so that whatever is due by any of them is due.
 */
static void
clocks_are_stepped(struct scene *s)
{
	volatile int64_t *worker, *executor;
	char clocks[32];
	unsigned int i;

	clocks_preload(clocks);
	worker = clocks_of(s, clocks, "flowrrad");
	executor = clocks_of(s, clocks, "flowrra-executor");
	scene_start(s, &(struct scene_options){.workers = 2});
	s->clock_was_set = true;
	load_start(s, &(struct load){.delays = true, .retries = true});
	for (i = 0; i < times(s, 12, 100); i++) {
		scene_sleep_between(s, 50, 400);
		clocks_step(s,
			    rng_between(&s->rng, 0, 3) > 0 ? worker : executor);
	}
	*worker = CLOCKS_END_US;
	scene_end(s);
	clocks_clean_up(clocks);
}

const struct row row_clock = {.name = "clock",
			      .fault = "clock of the workers stepped by 1 h",
			      .brokers = ON_BOTH,
			      .runs = {1, 5},
			      .run = clocks_are_stepped};

static void
redis_clock_is_stepped(struct scene *s)
{
	volatile int64_t *redis;
	char clocks[32];
	unsigned int i;

	clocks_preload(clocks);
	redis = clocks_of(s, clocks, basename(redis_server_program()));
	scene_start(s, &(struct scene_options){.workers = 2});
	s->clock_was_set = true;
	load_start(s, &(struct load){.max_ms = 300,
				     .gap_ms = 150,
				     .delays = true,
				     .retries = true});
	for (i = 0; i < times(s, 8, 100); i++) {
		scene_sleep_between(s, 250, 1000);
		clocks_step(s, redis);
	}
	*redis = CLOCKS_END_US;
	scene_end(s);
	clocks_clean_up(clocks);
}

const struct row row_redis_clock = {.name = "redis-clock",
				    .fault = "clock of Redis stepped by 1 h",
				    .brokers = ON_REDIS,
				    .runs = {1, 5},
				    .run = redis_clock_is_stepped};
