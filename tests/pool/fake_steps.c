/* SPDX-License-Identifier: MIT */
/* What the fake executor says and does, one step at a time. */
#include "pool/fake_steps.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/err.h"

struct ipc_channel fake_step_channel;

/* What it answers to PING. */
static struct ipc_pong pong;
static uint32_t blocker;

/* --- what it says ------------------------------------------------------ */

void
fake_step_say(enum ipc_type type, uint32_t number, const void *fixed,
	      const char *text)
{
	const struct slice rest = slice_of(text);
	struct err err;

	ipc_put(&fake_step_channel.out, type, number, fixed, &rest,
		rest.len > 0);
	while (ipc_channel_flush(&fake_step_channel, &err) == 0)
		;
}

static void
say_bytes(const void *bytes, size_t len)
{
	if (write(IPC_FD, bytes, len) != (ssize_t)len)
		_exit(99);
}

static void
say_done(struct fake_job *job, enum ipc_outcome outcome, bool limited,
	 const char *text)
{
	const int64_t now = clock_wall_us();
	const struct ipc_done done = {.started_us = now - job->ran_us,
				      .finished_us = now,
				      .ran_us = job->ran_us,
				      .outcome = outcome,
				      .limited = limited};

	fake_step_say(IPC_DONE, job->number, &done, text);
	job->number = 0;
}

static void
say_started(uint32_t number)
{
	const struct ipc_started started = {clock_wall_us()};

	fake_step_say(IPC_STARTED, number, &started, "");
}

static void
say_last_words(uint32_t number, const char *value)
{
	struct ipc_last_words words = {.task = number};
	char *end;

	words.signal = (int32_t)strtol(value, &end, 10);
	words.status = (int32_t)strtol(end + 1, &end, 10);
	if (*end == ':')
		words.task = (uint32_t)strtoul(end + 1, &end, 10);
	if (*end == ':')
		words.thread = (uint32_t)strtoul(end + 1, NULL, 10);
	if (write(IPC_CRASH_FD, &words, sizeof(words)) != sizeof(words))
		_exit(98);
}

void
fake_step_pong(void)
{
	fake_step_say(IPC_PONG, blocker, &pong, "");
}

/* --- steps ------------------------------------------------------------- */

static void
step_started(struct fake_job *job, const char *value)
{
	say_started(job->number);
}

static void
step_other(struct fake_job *job, const char *value)
{
	say_started((uint32_t)strtoul(value, NULL, 10));
}

static void
step_done(struct fake_job *job, const char *value)
{
	say_done(job, IPC_SUCCESS, false, value);
}

static void
step_failed(struct fake_job *job, const char *value)
{
	say_done(job, IPC_FAILED, false, value);
}

static void
step_final(struct fake_job *job, const char *value)
{
	say_done(job, IPC_FAILED_FINAL, false, value);
}

static void
step_lost(struct fake_job *job, const char *value)
{
	say_done(job, IPC_LOST, false, value);
}

static void
step_behind(struct fake_job *job, const char *value)
{
	pong.missed = (uint32_t)atoi(value);
	blocker = job->number;
}

static void
step_nameless(struct fake_job *job, const char *value)
{
	pong.missed = (uint32_t)atoi(value);
	blocker = 0;
}

static void
step_limited(struct fake_job *job, const char *value)
{
	say_done(job, IPC_FAILED, true, value);
}

static void
step_lied(struct fake_job *job, const char *value)
{
	const struct ipc_done done = {.started_us = INT64_MIN,
				      .finished_us = INT64_MAX,
				      .ran_us = INT64_MAX,
				      .outcome = value[0] == 'f' ? IPC_FAILED
								 : IPC_SUCCESS};

	fake_step_say(IPC_DONE, job->number, &done, value);
	job->number = 0;
}

static void
step_progress(struct fake_job *job, const char *value)
{
	fake_step_say(IPC_PROGRESS, job->number, NULL, value);
}

static void
step_log(struct fake_job *job, const char *value)
{
	char *text;
	const struct ipc_log log = {(uint32_t)strtoul(value, &text, 10)};

	fake_step_say(IPC_LOG, job->number, &log, text + 1);
}

static void
step_submit(struct fake_job *job, const char *value)
{
	fake_step_say(IPC_SUBMIT, job->number, &(struct ipc_submit){7}, value);
}

static void
step_returned(struct fake_job *job, const char *value)
{
	fake_step_say(IPC_RETURNED, job->number, NULL, "");
	job->number = 0;
}

static void
step_print(struct fake_job *job, const char *value)
{
	dprintf(STDOUT_FILENO, "%s\n", value);
}

static void
step_unfinished(struct fake_job *job, const char *value)
{
	dprintf(STDOUT_FILENO, "%s", value);
}

static void
step_complain(struct fake_job *job, const char *value)
{
	dprintf(STDERR_FILENO, "%s\n", value);
}

static void
step_flood(struct fake_job *job, const char *value)
{
	const int n = atoi(value);
	int i;

	for (i = 0; i < n; i++)
		dprintf(STDOUT_FILENO, "line %d\n", i);
}

static void
step_long(struct fake_job *job, const char *value)
{
	int n = atoi(value);

	while (n-- > 0)
		dprintf(STDOUT_FILENO, "x");
	dprintf(STDOUT_FILENO, "\n");
}

static void
step_ran(struct fake_job *job, const char *value)
{
	job->ran_us = atoll(value);
}

static void
step_pad(struct fake_job *job, const char *value)
{
}

static void
step_needs(struct fake_job *job, const char *value)
{
	if (access(value, F_OK) != 0)
		_exit(3);
}

/* Only the beginning of a frame of `value` bytes. */
static void
step_cut(struct fake_job *job, const char *value)
{
	const struct ipc_header header = {
	    .size = (uint32_t)strtoul(value, NULL, 10),
	    .type = IPC_PROGRESS,
	    .task = job->number};

	say_bytes(&header, sizeof(header));
}

static void
step_type(struct fake_job *job, const char *value)
{
	const struct ipc_header header = {.size = sizeof(header),
					  .type = (uint32_t)atoi(value),
					  .task = job->number};

	say_bytes(&header, sizeof(header));
}

static void
step_bytes(struct fake_job *job, const char *value)
{
	say_bytes(value, strlen(value));
}

static void
step_exit(struct fake_job *job, const char *value)
{
	_exit(atoi(value));
}

static void
step_kill(struct fake_job *job, const char *value)
{
	signal(atoi(value), SIG_DFL);
	raise(atoi(value));
}

static void
step_words(struct fake_job *job, const char *value)
{
	say_last_words(job->number, value);
}

static void
step_queued(struct fake_job *job, const char *value)
{
	job->queued = true;
}

static void
step_stall(struct fake_job *job, const char *value)
{
	job->stall = true;
}

static void
step_deaf(struct fake_job *job, const char *value)
{
	job->deaf = true;
}

static void
step_fork(struct fake_job *job, const char *value)
{
	const pid_t pid = fork();

	if (pid == 0) {
		alarm(FAKE_LIFE_S);
		for (;;)
			pause();
	}
	dprintf(STDOUT_FILENO, "%d\n", (int)pid);
}

static void
step_close(struct fake_job *job, const char *value)
{
	close(IPC_FD);
	for (;;)
		pause();
}

static void
step_silent(struct fake_job *job, const char *value)
{
	for (;;)
		pause();
}

static void
step_hello(struct fake_job *job, const char *value)
{
	const struct ipc_hello hello = {.version = (uint32_t)atoi(value),
					.pid = (int32_t)getpid()};

	fake_step_say(IPC_HELLO, 0, &hello, "");
}

static void
step_ready(struct fake_job *job, const char *value)
{
	fake_step_say(IPC_READY, 0, NULL, value);
}

static const struct {
	const char *name;
	void (*take)(struct fake_job *job, const char *value);
} steps[] = {
    {"started", step_started},
    {"other", step_other},
    {"done", step_done},
    {"failed", step_failed},
    {"final", step_final},
    {"limited", step_limited},
    {"lied", step_lied},
    {"progress", step_progress},
    {"log", step_log},
    {"submit", step_submit},
    {"returned", step_returned},
    {"print", step_print},
    {"unfinished", step_unfinished},
    {"complain", step_complain},
    {"flood", step_flood},
    {"long", step_long},
    {"ran", step_ran},
    {"pad", step_pad},
    {"needs", step_needs},
    {"cut", step_cut},
    {"type", step_type},
    {"bytes", step_bytes},
    {"exit", step_exit},
    {"kill", step_kill},
    {"words", step_words},
    {"queued", step_queued},
    {"deaf", step_deaf},
    {"stall", step_stall},
    {"fork", step_fork},
    {"close", step_close},
    {"silent", step_silent},
    {"lost", step_lost},
    {"behind", step_behind},
    {"nameless", step_nameless},
    {"hello", step_hello},
    {"ready", step_ready},
};

void
fake_step_take(struct fake_job *job, const char *step)
{
	const size_t len = strcspn(step, "=");
	const char *value = step[len] == '=' ? step + len + 1 : "";
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strlen(steps[i].name) == len &&
		    memcmp(steps[i].name, step, len) == 0) {
			steps[i].take(job, value);
			return;
		}
	fprintf(stderr, "the fake executor does not know the step %s\n", step);
	_exit(97);
}
