/* SPDX-License-Identifier: MIT */
/* Readers of the hub: what comes to one is kept as text, so that a test can look
 * for a part of it. */
#include "web/reader.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/conf.h"

struct readers readers;

int
reader_on_event(const char *name, uint64_t id, struct slice json, void *arg)
{
	struct reader *r = arg;

	if (r->full)
		return -1;
	buf_addf(&r->log, "%s: %.*s\n", name, (int)json.len, json.p);
	r->n++;
	return 0;
}

bool
reader_has(const struct reader *r, const char *text)
{
	return r->log.data != NULL && strstr(r->log.data, text) != NULL;
}

void
readers_linger(int64_t ms)
{
	const struct timeval moment = {.tv_usec = (suseconds_t)ms * 1000};

	event_base_loopexit(readers.base, &moment);
	event_base_dispatch(readers.base);
}

void
reader_await(struct reader *r, const char *text)
{
	const int64_t deadline = clock_mono_us() + 15000000;

	while (!reader_has(r, text)) {
		ck_assert_msg(clock_mono_us() < deadline, "no %s in %.2000s",
			      text, r->log.data);
		readers_linger(10);
	}
}

void
readers_begin(enum desk_store store, const char *hide)
{
	readers_begin_every(store, hide, READERS_TURN_US);
}

void
readers_begin_every(enum desk_store store, const char *hide, int64_t every_us)
{
	static char broker[256], schedules[256], masks[256];
	static const char *settings[] = {broker, schedules, masks, NULL};
	const char *const more[] = {masks, NULL};
	struct hub_options options = {.every_us = every_us};
	struct err err;

	snprintf(masks, sizeof(masks), "web.hide=%s", hide);
	readers.desk = desk_open_with(store, more);
	snprintf(broker, sizeof(broker), "broker.url=%s",
		 readers.desk->conf->broker.url);
	snprintf(schedules, sizeof(schedules), "scheduler.database_url=%s",
		 readers.desk->conf->scheduler.database_url);
	/* The store must be there. */
	free(desk_submit(readers.desk, "first", "[]", "io"));
	readers.base = event_base_new();
	options.base = readers.base;
	options.shared = &readers.desk->shared;
	options.config_file = "/dev/null";
	options.settings = settings;
	readers.hub = hub_new(&options, &err);
	ck_assert_msg(readers.hub != NULL, "%s", err.msg);
}

void
readers_end(void)
{
	hub_free(readers.hub);
	event_base_free(readers.base);
	desk_close(readers.desk);
}

void
reader_look(struct reader *r, bool masked, const char *a, const char *b)
{
	const struct hub_reader reader = {
	    .on_event = reader_on_event, .arg = r, .masked = masked};
	char *topics[] = {(char *)a, (char *)b, NULL};
	struct err err;

	r->subscriber = hub_subscribe(readers.hub, &reader, topics, &err);
	ck_assert_msg(r->subscriber != NULL, "%s", err.msg);
}

void
reader_leave(struct reader *r)
{
	hub_leave(r->subscriber);
	buf_done(&r->log);
}
