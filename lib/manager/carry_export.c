/* SPDX-License-Identifier: MIT */
/*
 * Exporting tasks and records.
 *
 * Stores show the newest first, and what runs first has to come first. So the
 * lines of a list go into a file without a name, and from there out again from its
 * end: a queue may be larger than memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/load.h"
#include "codec/task_json.h"
#include "core/task.h"
#include "manager/carry.h"
#include "manager/flows.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "manager/task_info.h"
#include "util/conf.h"
#include "util/err.h"

static const struct {
	const char *name, *kind;
	int bit;
	enum broker_location place; /* of a queue */
} carry_places[] = {
    {"waiting", "waiting", CARRY_WAITING, BROKER_WAITING},
    {"delayed", "delayed", CARRY_DELAYED, BROKER_DELAYED},
    {"dead", "dead", CARRY_DEAD, BROKER_DEAD},
    {"records", "record", CARRY_RECORDS, BROKER_WAITING},
};
#define N_PLACES (sizeof(carry_places) / sizeof(carry_places[0]))

int
carry_parse(const char *text, struct err *err)
{
	char **words = conf_list(text);
	int bits = 0;
	size_t i, n;

	if (words == NULL)
		return err_nomem(err);
	for (i = 0; words[i] != NULL && bits >= 0; i++) {
		for (n = 0; n < N_PLACES; n++)
			if (strcmp(words[i], carry_places[n].name) == 0)
				break;
		if (n < N_PLACES)
			bits |= carry_places[n].bit;
		else
			bits = err_set(err, ERR_DATA,
				       "unknown state \"%.64s\"; use waiting, "
				       "delayed, dead, records",
				       words[i]);
	}
	conf_list_free(words);
	return bits != 0 ? bits : err_set(err, ERR_DATA, "missing state");
}

/* Workflows that are looked at. */
#define FLOWS_MAX 100000

/* One list. */
struct export
{
	struct carry_export *what;
	size_t place; /* among the places */
	const char *queue;
	FILE *file;
};

/* --- lines ------------------------------------------------------------- */

/* Takes the object. */
static int
export_put(struct export *x, json_t *line, struct err *err)
{
	int r = line != NULL ? json_dumpf(line, x->file, JSON_COMPACT) : -1;

	json_decref(line);
	if (r != 0 || putc('\n', x->file) == EOF)
		return err_sys(err, ERR_SYSTEM,
			       "cannot write to a temporary file");
	return 0;
}

/* The name of the member is looked for first: most tasks do not have it. */
static bool
export_is_step(struct slice bytes)
{
	struct task *task;
	bool is_step;

	if (memmem(bytes.p, bytes.len, "\"flow\"", 6) == NULL ||
	    task_decode(bytes, &task, NULL) != 0)
		return false;
	is_step = task->flow.len > 0;
	task_free(task);
	return is_step;
}

static int
export_on_item(const struct broker_item *item, void *arg, struct err *err)
{
	struct export *x = arg;
	const enum broker_location place = carry_places[x->place].place;
	json_t *line;
	int r = 0;

	if (export_is_step(item->bytes)) {
		x->what->steps++;
		return 0;
	}
	line = json_pack("{s:s,s:s}", "kind", carry_places[x->place].kind,
			 "queue", x->queue);
	if (place == BROKER_DELAYED)
		r |= task_info_set_due(line, item);
	if (place == BROKER_DEAD) {
		r |= json_object_set_new(line, "died_at",
					 member_of_time(item->time_ms * 1000));
		r |= json_object_set_new(line, "info",
					 load_json(item->info, NULL));
	}
	if (r != 0 || task_info_set_bytes(line, item->bytes) != 0) {
		json_decref(line);
		return err_nomem(err);
	}
	return export_put(x, line, err);
}

static int
export_on_record(struct slice record, void *arg, struct err *err)
{
	struct export *x = arg;
	json_t *line = json_pack("{s:s}", "kind", "record");

	if (task_info_set_bytes(line, record) != 0) {
		json_decref(line);
		return err_nomem(err);
	}
	return export_put(x, line, err);
}

/* --- a list ------------------------------------------------------------ */

/* The lines, the last first. */
static int
export_turn_round(struct export *x, const char *text, size_t len)
{
	const char *line;
	size_t end = len;

	while (end > 0) {
		line = memrchr(text, '\n', end - 1);
		line = line != NULL ? line + 1 : text;
		x->what->lines++;
		if (x->what->on_line(
			(struct slice){line, (size_t)(text + end - line)},
			x->what->arg) != 0)
			return 1;
		end = (size_t)(line - text);
	}
	return 0;
}

static int
export_tell(struct export *x, struct err *err)
{
	long len = fflush(x->file) == 0 ? ftell(x->file) : -1;
	void *text;
	int r;

	if (len < 0)
		return err_sys(err, ERR_SYSTEM,
			       "cannot write to a temporary file");
	if (len == 0)
		return 0;
	text =
	    mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, fileno(x->file), 0);
	if (text == MAP_FAILED)
		return err_sys(err, ERR_SYSTEM, "cannot read a temporary file");
	r = export_turn_round(x, text, (size_t)len);
	munmap(text, (size_t)len);
	return r;
}

static int
export_read_queue(struct flowrra_client *c, struct export *x, struct err *err)
{
	struct query_cursor at = {.queue = x->queue,
				  .place = carry_places[x->place].place,
				  .n = BROKER_PAGE_MAX};
	int r;

	do
		r = query_next(c, &at, export_on_item, x, err);
	while (r == 0 && at.more);
	query_cursor_done(&at);
	return r;
}

/* Those that failed and those that succeeded are two lists. */
static int
export_read_records(struct flowrra_client *c, struct export *x, struct err *err)
{
	struct query_list_cursor at;
	int failed, r = 0;

	for (failed = 0; failed < 2 && r == 0; failed++) {
		at = (struct query_list_cursor){.failed = failed != 0,
						.n = RESULTS_PAGE_MAX};
		do
			r = query_list_next(c, &at, export_on_record, x, err);
		while (r == 0 && at.more);
		query_list_cursor_done(&at);
	}
	return r;
}

/* 1: the reader wants no more. */
static int
export_list(struct flowrra_client *c, struct carry_export *e, size_t place,
	    const char *queue, struct err *err)
{
	struct export x = {e, place, queue, tmpfile()};
	int r;

	if (x.file == NULL)
		return err_sys(err, ERR_SYSTEM, "cannot make a temporary file");
	r = queue != NULL ? export_read_queue(c, &x, err)
			  : export_read_records(c, &x, err);
	if (r == 0)
		r = export_tell(&x, err);
	fclose(x.file);
	return r;
}

/* A store that has no workflows has none that could stay behind. */
static int
export_count_flows(struct flowrra_client *c, struct carry_export *e,
		   struct err *err)
{
	json_t *flows = flows_list(c, FLOWS_MAX, NULL, err), *one;
	size_t i;

	if (flows == NULL && err->code == ERR_CONFIG)
		return 0;
	json_array_foreach (flows, i, one)
		e->flows += json_is_null(json_object_get(one, "ended_at"));
	json_decref(flows);
	return flows != NULL ? 0 : -1;
}

int
carry_export(struct flowrra_client *c, struct carry_export *e, struct err *err)
{
	json_t *queues = queues_list(c, e->queue, err), *queue;
	int r = queues != NULL ? 0 : -1;
	size_t i, n;

	e->lines = e->running = e->flows = e->steps = 0;
	json_array_foreach (queues, i, queue) {
		e->running +=
		    json_integer_value(json_object_get(queue, "in_flight"));
		for (n = 0; n < N_PLACES && r == 0; n++)
			if ((e->kinds & carry_places[n].bit) != 0 &&
			    carry_places[n].bit != CARRY_RECORDS)
				r = export_list(
				    c, e, n, member_text(queue, "queue"), err);
	}
	if (r == 0 && (e->kinds & CARRY_RECORDS) != 0)
		r = export_list(c, e, N_PLACES - 1, NULL, err);
	json_decref(queues);
	if (r == 0 && e->kinds != CARRY_RECORDS)
		r = export_count_flows(c, e, err);
	return r < 0 ? -1 : 0;
}
