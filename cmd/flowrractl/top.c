/* SPDX-License-Identifier: MIT */
/* The verb top: a live view of queues, workers and running tasks. One snapshot
 * (manager/stats.h) an interval; between two of them lie the rates. Where there
 * is not a terminal it prints one frame and ends. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "columns.h"
#include "manager/stats.h"
#include "screen.h"
#include "table.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

#define US_PER_S 1e6
/* More running tasks than a tall terminal has lines need not be asked for. */
#define RUNNING_MAX 100
#define WIDE 200 /* where there is no terminal */

/* What the terminal sends for a letter with the control key. */
#define CTRL(letter) ((letter)&31)

struct top_options {
	double interval_s;
};

static void
top_init(void *options)
{
	((struct top_options *)options)->interval_s = 1;
}

/* What is shown, and what rates are computed from. `before` is NULL until there
 * are two; both stay as they are while the servers are away, and `err` is shown
 * beside them. */
struct view {
	json_t *now, *before;
	int64_t now_us, before_us;
	struct err err; /* why there is nothing newer */
	size_t width;
};

/* 0 for what is not there: jansson takes NULL all the way. */
static long long
figure(const json_t *snapshot, const char *name)
{
	return json_integer_value(
	    json_object_get(json_object_get(snapshot, "stats"), name));
}

/* Per second, by the monotonic clock. It is 0 with the first frame, and
 * negative after somebody has emptied the backend, for one frame. */
static double
rate(const struct view *v, const char *name)
{
	const double s = (double)(v->now_us - v->before_us) / US_PER_S;

	if (v->before == NULL || s <= 0)
		return 0;
	return (double)(figure(v->now, name) - figure(v->before, name)) / s;
}

/* What totals there are, in four lines, so that they stand where they stood
 * when tables below grow. */
static void
draw_head(const struct view *v, struct buf *out)
{
	buf_adds(out, "flowrra  ");
	cell_time(json_object_get(v->now, "at"), out);
	if (v->err.code != ERR_NONE)
		buf_addf(out, "  %s", v->err.msg);
	buf_addf(out,
		 "\ntasks    %lld waiting, %lld delayed, %lld in flight, %lld "
		 "dead\nended    %lld succeeded (%.1f/s), %lld failed "
		 "(%.1f/s)\nworkers  %lld, %lld slots\n",
		 figure(v->now, "waiting"), figure(v->now, "delayed"),
		 figure(v->now, "in_flight"), figure(v->now, "dead"),
		 figure(v->now, "succeeded"), rate(v, "succeeded"),
		 figure(v->now, "failed"), rate(v, "failed"),
		 figure(v->now, "workers"), figure(v->now, "slots"));
}

/* A table without rows is left out: its heading would say nothing. */
static void
draw_part(const struct view *v, const char *name, const struct column *columns,
	  size_t n, struct buf *out)
{
	const json_t *rows = json_object_get(v->now, name);
	struct err err = {.msg = ""};
	char *text;

	if (json_array_size(rows) == 0)
		return;
	text = draw_rows(columns, n, rows, v->width, &err);
	buf_addf(out, "\n%s\n", text != NULL ? text : err.msg);
	free(text);
}

/* The caller frees it. */
static char *
draw(const struct view *v)
{
	struct buf out = BUF_INIT;

	draw_head(v, &out);
	draw_part(v, "queues", queue_columns, N_QUEUE_COLUMNS, &out);
	draw_part(v, "workers", worker_columns, N_WORKER_COLUMNS, &out);
	draw_part(v, "running", running_columns, N_RUNNING_COLUMNS, &out);
	if (out.failed) {
		buf_done(&out);
		return NULL;
	}
	return buf_take(&out);
}

/* Takes a new snapshot. Without one, what was shown stays, with the reason; -1
 * if there was nothing yet. The reason comes from a server, and is drawn on a
 * terminal: it is masked. */
static int
look(struct ctl *ctl, struct view *v)
{
	json_t *snapshot;

	v->err.code = ERR_NONE;
	snapshot = stats_snapshot(ctl->client, RUNNING_MAX, &v->err);
	mask_controls(v->err.msg);
	if (snapshot == NULL)
		return v->now != NULL ? 0 : -1;
	json_decref(v->before);
	v->before = v->now;
	v->before_us = v->now_us;
	v->now = snapshot;
	v->now_us = clock_mono_us();
	return 0;
}

static void
view_done(struct view *v)
{
	json_decref(v->now);
	json_decref(v->before);
}

/* -2: the terminal is gone (screen_key()). */
static bool
wants_to_end(int key)
{
	return key == 'q' || key == 'Q' || key == CTRL('c') || key == -2;
}

/* Draws, waits for a key or the end of the interval, looks again. Any other key
 * looks at once. */
static void
live(struct ctl *ctl, struct view *v, int interval_ms)
{
	size_t rows;
	char *text;

	do {
		screen_size(&v->width, &rows);
		if ((text = draw(v)) != NULL)
			screen_draw(text);
		free(text);
		if (wants_to_end(screen_key(interval_ms)))
			break;
	} while (look(ctl, v) == 0);
	screen_close();
}

/* The first snapshot comes before the screen is taken over: if there is none,
 * the complaint stands where the command was typed. */
static int
run_top(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct top_options *o = options;
	struct view v = {.width = WIDE};
	int status;
	char *text;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	if (look(ctl, &v) != 0)
		return complain_of_err(ctl, &v.err);
	if (ctl->globals.json) {
		print_json_line(json_incref(v.now));
	} else if (screen_open() == 0) {
		live(ctl, &v, (int)(o->interval_s * 1000));
	} else if ((text = draw(&v)) != NULL) {
		fputs(text, stdout);
		free(text);
	}
	view_done(&v);
	return 0;
}

static const struct option_spec top_options[] = {
    {.name = "interval",
     .arg = "DURATION",
     .help = "time between updates; 1 by default",
     .value = {VALUE_SECONDS, offsetof(struct top_options, interval_s), 0.1,
	       3600}},
};

const struct verb verb_top = {
    .name = "top",
    .summary = "Show queues, workers and running tasks, live",
    .usage = "[--interval DURATION]",
    .options = top_options,
    .n_options = sizeof(top_options) / sizeof(top_options[0]),
    .options_size = sizeof(struct top_options),
    .init = top_init,
    .run = run_top,
};
