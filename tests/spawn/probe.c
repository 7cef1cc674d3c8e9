/* SPDX-License-Identifier: MIT */
#include "spawn/probe.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "util/err.h"

struct event_base *probe_base;
struct spawner *probe_spawner;

void
probe_setup(void)
{
	struct err err = ERR_INIT;
	char path[4096];
	const char *build = getenv("BUILD_DIR");

	ck_assert_msg(build != NULL, "BUILD_DIR is not set");
	snprintf(path, sizeof(path), "%s/libexec/flowrra/flowrra-spawner",
		 build);
	probe_base = event_base_new();
	probe_spawner = spawner_new(probe_base, path, &err);
	ck_assert_ptr_nonnull(probe_spawner);
}

void
probe_teardown(void)
{
	spawner_free(probe_spawner);
	event_base_free(probe_base);
}

void
probe_on_output(void *arg, int fd, const char *p, size_t len)
{
	struct probe *b = arg;

	buf_add(&b->out[fd - 1], p, len);
	if (b->awaited != NULL && fd == 1 &&
	    strstr(b->out[0].data, b->awaited) != NULL) {
		b->awaited = NULL;
		spawn_signal(b->program, b->sig);
	}
}

void
probe_on_end(void *arg, const struct spawn_end *end)
{
	struct probe *b = arg;

	ck_assert(!b->over);
	b->over = true;
	b->end = *end;
	if (end->why != NULL)
		snprintf(b->why, sizeof(b->why), "%s", end->why);
}

void
probe_begin(struct probe *b, const struct spawn_orders *orders,
	    const char *input)
{
	struct err err = ERR_INIT;
	const struct spawn_options o = {.orders = *orders,
					.input = slice_of(input),
					.on_output = probe_on_output,
					.on_end = probe_on_end,
					.arg = b};

	b->program = spawn_start(probe_spawner, &o, &err);
	ck_assert_msg(b->program != NULL, "%s", err.msg);
}

static void
probe_on_deadline(evutil_socket_t fd, short what, void *arg)
{
	ck_abort_msg("waited in vain");
}

void
probe_wait(struct probe *b)
{
	const struct timeval tv = {.tv_sec = PROBE_DEADLINE_S};
	struct event *deadline =
	    evtimer_new(probe_base, probe_on_deadline, NULL);

	evtimer_add(deadline, &tv);
	while (!b->over)
		event_base_loop(probe_base, EVLOOP_ONCE);
	event_free(deadline);
}

void
probe_done(struct probe *b)
{
	buf_done(&b->out[0]);
	buf_done(&b->out[1]);
}

void
probe_script(struct probe *b, const char *text, const char *arg)
{
	const char *argv[] = {"sh", "-c", text, "sh", arg, NULL};
	const char *envp[] = {"PATH=/usr/bin:/bin", "A=b", NULL};

	*b = (struct probe){.sig = SIGTERM};
	probe_begin(b, &(struct spawn_orders){.argv = argv, .envp = envp},
		    "input");
}

void
probe_run(struct probe *b, const char *text, const char *arg)
{
	probe_script(b, text, arg);
	probe_wait(b);
	ck_assert_msg(b->end.ran, "%s", b->why);
}
