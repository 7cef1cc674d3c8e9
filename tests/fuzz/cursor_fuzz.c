/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: cursors, which users pass back. What is read is what would have
 * been written; what is written fits. And a list of a database gets any cursor: it
 * answers with a page whose own cursor it takes, or says that there is none.
 *
 * The first two bytes choose what is asked; the rest is the cursor.
 */
#include <event2/event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/redis_store/told.h"
#include "store/cursor.h"
#include "util/err.h"
#include "util/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/dev/shm/cursor-fuzz-XXXXXX", url[64];
static struct event_base *base;
static struct broker *broker;
static struct results *results;
static struct slice found; /* the next cursor of a list of records */

static void
leave(void)
{
	char command[sizeof(dir) + 8];

	broker_close(broker);
	results_close(results);
	event_base_free(base);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	must(system(command) == 0);
}

/* Until all is answered. */
static void
await(void)
{
	while (!told_all())
		event_base_loop(base, EVLOOP_ONCE);
}

static void
on_put(struct results_put *put)
{
	++*(unsigned char *)put->arg;
}

/* Three tasks to list at each place but in flight, and three records. */
static void
fill(void)
{
	static struct broker_submit tasks[6];
	struct results_put puts[3];
	size_t i;

	for (i = 0; i < 6; i++)
		tasks[i] = (struct broker_submit){
		    .queue = "io",
		    .id = SLICE("t"),
		    .bytes = SLICE("{\"id\":\"t\",\"name\":\"add\"}"),
		    .priority = (int32_t)(i % 2),
		    .delay_ms = i < 3 ? 0 : 3600000};
	broker_submit(broker, tasks, 6, told_on_submitted, told_ask());
	for (i = 0; i < 3; i++) {
		puts[i] = (struct results_put){
		    .id = i == 0   ? SLICE("a")
			  : i == 1 ? SLICE("b")
				   : SLICE("c"),
		    .record =
			SLICE("{\"task_id\":\"a\",\"status\":\"success\"}"),
		    .final = true,
		    .on_done = on_put,
		    .arg = told_ask()};
		results_put(results, &puts[i]);
	}
	await();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct broker_options options = {.url = url,
					 .queue_key = "flowrra:queue",
					 .timeout_ms = 1000,
					 .max_connections = 4,
					 .on_state = told_on_state};
	struct results_options of_results = {.url = url,
					     .timeout_ms = 1000,
					     .max_connections = 4,
					     .on_state = told_on_state};

	log_set_level(LOG_LEVEL_error);
	must(mkdtemp(dir) != NULL);
	snprintf(url, sizeof(url), "sqlite://%s/q.db", dir);
	must((base = event_base_new()) != NULL);
	options.base = of_results.base = base;
	must((broker = broker_open(&options, NULL)) != NULL);
	must((results = results_open(&of_results, NULL)) != NULL);
	atexit(leave);
	fill();
	return 0;
}

/* --- the text ------------------------------------------------------------ */

/* What is read has one spelling. */
static void
check_reading(struct slice cursor, size_t n)
{
	char *text = malloc(CURSOR_SIZE);
	int64_t numbers[CURSOR_NUMBERS_MAX];
	struct err err = ERR_INIT;
	struct slice again;

	must(text != NULL);
	if (cursor_read(cursor, numbers, n, &err) == 0) {
		again = cursor_write(text, numbers, n);
		must(slice_eq(again, cursor));
	} else {
		must(err.code == ERR_DATA && err.msg[0] != '\0');
	}
	free(text);
}

static void
check_writing(struct slice bytes)
{
	char *text = malloc(CURSOR_SIZE);
	int64_t numbers[CURSOR_NUMBERS_MAX] = {0};
	struct slice cursor;

	must(text != NULL);
	memcpy(numbers, bytes.p,
	       bytes.len < sizeof(numbers) ? bytes.len : sizeof(numbers));
	cursor = cursor_write(text, numbers, CURSOR_NUMBERS_MAX);
	must(cursor.len < CURSOR_SIZE && strlen(text) == cursor.len);
	free(text);
}

/* --- lists --------------------------------------------------------------- */

static void
on_records(const struct slice *records, size_t n, struct slice next,
	   const struct err *err, void *arg)
{
	static char text[CURSOR_SIZE];

	told_on_list(records, n, next, err, arg);
	must(next.len < sizeof(text));
	memcpy(text, next.len > 0 ? next.p : "", next.len);
	found = (struct slice){text, next.len};
}

static void
list_records(struct slice cursor)
{
	struct slice next;

	told_forget();
	results_list(results, false, cursor, 1, on_records, told_ask());
	await();
	next = found;
	if (next.len == 0)
		return;
	results_list(results, false, next, 1, on_records, told_ask());
	await();
}

static void
list_tasks(struct slice cursor, enum broker_location place, int64_t until_ms)
{
	struct broker_view view = {.queue = SLICE("io"),
				   .place = place,
				   .cursor = cursor,
				   .n = 2,
				   .until_ms = until_ms};

	told_forget();
	broker_view(broker, &view, told_on_page, told_ask());
	await();
	view.cursor = (struct slice){told.cursor, told.cursor_len};
	if (view.cursor.len > 0)
		broker_view(broker, &view, told_on_page, told_ask());
	await();
	/* Nothing has this ID: the search goes on to its end. */
	broker_remove(broker, SLICE("io"), SLICE("none"), cursor, told_on_page,
		      told_ask());
	await();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice cursor;

	if (size < 2)
		return 0;
	cursor = (struct slice){(const char *)data + 2, size - 2};
	check_reading(cursor, 1);
	check_reading(cursor, 2);
	check_writing(cursor);
	if (data[0] % 5 == 4)
		list_records(cursor);
	else
		list_tasks(cursor, (enum broker_location)(data[0] % 5),
			   data[1] % 2 != 0 ? INT64_MAX - data[1] : 0);
	return 0;
}
