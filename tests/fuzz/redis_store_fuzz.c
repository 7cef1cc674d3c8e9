/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the Redis stores, against a server that answers anything. Each
 * question is answered once, or not before its store is closed; what is told is
 * as the headers promise.
 *
 * The first bytes choose what is asked, the others are the server's answers
 * (redis_store/peer.c).
 */
#include <event2/event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/redis_store/peer.h"
#include "fuzz/redis_store/told.h"
#include "util/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLAIMS_MAX 64
/* Turns of the loop without a command: then nothing comes any more but by
 * timers, which are not waited for. */
#define IDLE_TURNS 4

static char dir[] = "/tmp/redis-store-fuzz-XXXXXX", path[64], url[80];

/* All that lives as long as one input. */
static struct scene {
	struct event_base *base;
	struct peer_input in;
	struct peer *peer;
	struct broker *broker;
	struct results *results;
	struct broker_settle settles[CLAIMS_MAX];
	struct results_put puts[CLAIMS_MAX];
	size_t n_settles, n_puts;
	struct broker_submit tasks[4];
	struct broker_requeue requeues[3];
	struct slice ids[2], records[2];
	struct err errs[2];
} sc;

static void
leave(void)
{
	unlink(path);
	rmdir(dir);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	log_set_level(LOG_LEVEL_error);
	/* The peer writes to who may have gone. */
	signal(SIGPIPE, SIG_IGN);
	must(mkdtemp(dir) != NULL);
	atexit(leave);
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(url, sizeof(url), "unix://%s", path);
	return 0;
}

/* --- a worker ------------------------------------------------------------ */

static void
on_settled(struct broker_settle *settle)
{
	sc.n_settles--;
}

static void
on_put(struct results_put *put)
{
	sc.n_puts--;
}

static void
on_claim(struct broker_claim *claim, void *arg)
{
	static size_t slot;
	struct broker_settle *settle;

	told_look(claim->bytes);
	/* Those of before may be under way still: then it is kept. */
	if (sc.n_settles > 0 || claim->whole > 0)
		return;
	settle = &sc.settles[slot++ % CLAIMS_MAX];
	*settle = (struct broker_settle){
	    .disposition = peer_next(&sc.in) % 5,
	    .claim = claim,
	    .retry_bytes = SLICE("{\"id\":\"t1\",\"name\":\"add\"}"),
	    .delay_ms = peer_next(&sc.in) % 2 * 1000,
	    .lane = SLICE("add"),
	    .id = SLICE("t1"),
	    .info = SLICE("{\"reason\":\"failed\"}"),
	    .on_done = on_settled};
	sc.n_settles++;
	broker_settle(sc.broker, settle);
}

static void
on_lost(struct broker_claim *claim, void *arg)
{
	size_t i;

	/* One that is being settled is not told of. */
	for (i = 0; sc.n_settles > 0 && i < CLAIMS_MAX; i++)
		must(sc.settles[i].claim != claim);
	broker_drop(sc.broker, claim);
}

static void
on_kept(struct broker_claim *claim, void *arg)
{
}

static void
on_idle(void *arg)
{
}

static void
on_control(struct slice message, void *arg)
{
	told_look(message);
}

static void
work(void)
{
	const struct slice names[] = {SLICE("add"), SLICE("sub")};
	const struct slice words[] = {SLICE("{}"), SLICE("{}")};

	broker_register(sc.broker, names, words, 2);
	broker_want(sc.broker, 0, 3);
	broker_want(sc.broker, 1, 1);
	broker_heartbeat(sc.broker, SLICE("{\"queues\":[\"io\",\"cpu\"]}"));
}

static void
open_broker(bool worker)
{
	static const char *const queues[] = {"io", "cpu"};
	struct broker_options options = {.base = sc.base,
					 .url = url,
					 .queue_key = "flowrra:queue",
					 .timeout_ms = 1000,
					 .max_connections = 10,
					 .with_results = true,
					 .max_task = 1 << 20,
					 .on_claim = on_claim,
					 .on_lost = on_lost,
					 .on_kept = on_kept,
					 .on_idle = on_idle,
					 .on_control = on_control,
					 .on_state = told_on_state};

	if (worker) {
		options.worker = "host:a";
		options.token = "token";
		options.predecessor = "before";
		options.queues = queues;
		options.n_queues = 2;
	} else {
		options.max_queue_size = peer_next(&sc.in) % 2 * 100;
	}
	must((sc.broker = broker_open(&options, NULL)) != NULL);
}

/* --- questions ----------------------------------------------------------- */

static void
ask_changes(unsigned int which)
{
	const struct slice io = SLICE("io"), id = SLICE("t1");
	const struct slice cursor = {told.cursor, told.cursor_len};
	size_t i;

	if (which & 1)
		broker_pause(sc.broker, io, true, told_on_value, told_ask());
	if (which & 2)
		broker_purge(sc.broker, io, 10, told_on_page, told_ask());
	if (which & 4)
		broker_remove(sc.broker, io, id, cursor, told_on_page,
			      told_ask());
	if (which & 8)
		broker_hasten(sc.broker, io, id, cursor, told_on_page,
			      told_ask());
	for (i = 0; i < 3; i++)
		sc.requeues[i] = (struct broker_requeue){
		    .key = id, .retry_bytes = SLICE("{}"), .priority = (int)i};
	if (which & 16)
		broker_requeue(sc.broker, io, sc.requeues, 3, told_on_requeued,
			       told_ask());
}

static void
submit(unsigned int which)
{
	const size_t n = 1 + which % 4;
	size_t i;

	for (i = 0; i < n; i++)
		sc.tasks[i] = (struct broker_submit){
		    .queue = i == 3 ? "cpu" : "io",
		    .id = i == 0 ? SLICE("t1") : SLICE("t2"),
		    .bytes = SLICE("{\"id\":\"t1\",\"name\":\"add\"}"),
		    .record = SLICE("{\"task_id\":\"t1\"}"),
		    .priority = which & 4 ? (int32_t)i : 0,
		    .delay_ms = which & 8 ? 5 : 0,
		    .exclusive = (which & 16) != 0,
		    .unique = which & 32 ? SLICE("key") : SLICE(""),
		    .unique_s = 10};
	broker_submit(sc.broker, sc.tasks, n, told_on_submitted, told_ask());
}

static void
ask_views(unsigned int which)
{
	struct broker_view view = {.queue = SLICE("io"), .n = 10};
	int place;

	for (place = 0; place < 4; place++) {
		view.place = (enum broker_location)place;
		view.cursor = which & 16
				  ? (struct slice){told.cursor, told.cursor_len}
				  : SLICE("");
		view.until_ms = which & 32 ? peer_number(&sc.in) : 0;
		view.skip = which & 64 ? 7 : 0;
		if (which >> place & 1)
			broker_view(sc.broker, &view, told_on_page, told_ask());
	}
}

static void
ask_state(unsigned int which)
{
	const struct broker_served served = {SLICE("io"), SLICE("add")};
	int place;

	if (which & 1)
		broker_queues(sc.broker, SLICE(""), told_on_queues, told_ask());
	if (which & 2)
		broker_workers(sc.broker, told_on_workers, told_ask());
	if (which & 4)
		broker_examine(sc.broker, told_on_report, told_ask());
	if (which & 8)
		broker_queues(sc.broker, SLICE("io"), told_on_queues,
			      told_ask());
	if (which & 16)
		broker_registered(sc.broker, SLICE("add"), told_on_value,
				  told_ask());
	if (which & 32)
		broker_registered_names(sc.broker, told_on_names, told_ask());
	if (which & 64)
		broker_registry(sc.broker, told_on_entries, told_ask());
	if (which & 128)
		broker_served(sc.broker, &served, told_on_value, told_ask());
	for (place = 0; (which & 3) == 3 && place < 4; place++)
		broker_find(sc.broker, (enum broker_location)place,
			    told_on_found, told_ask());
}

static void
put(unsigned int which)
{
	static const struct slice record =
	    SLICE("{\"task_id\":\"t1\",\"status\":\"failed\",\"error\":\"x\"}");
	struct results_put *p = &sc.puts[0];

	for (; p < &sc.puts[which % 5]; p++) {
		*p = (struct results_put){.id = SLICE("t1"),
					  .record = record,
					  .final = (which & 16) == 0,
					  .failed = true,
					  .lossy = (which & 48) == 48,
					  .reply_to = SLICE("me"),
					  .ttl_s = 10,
					  .on_done = on_put};
		sc.n_puts++;
		results_put(sc.results, p);
	}
}

static void
ask_results(unsigned int which)
{
	static const struct measure measure = {SLICE("io"), SLICE("add"), 1, 1};
	const struct slice cursor = SLICE("7:t1");

	if (which & 1)
		results_get(sc.results, SLICE("t1"), told_on_value, told_ask());
	if (which & 2)
		results_list(sc.results, true, SLICE(""), 5, told_on_list,
			     told_ask());
	if (which & 4)
		results_list(sc.results, false, cursor, 500, told_on_list,
			     told_ask());
	if (which & 8)
		results_counts(sc.results, told_on_counts, told_ask());
	if (which & 16)
		results_measures(sc.results, MEASURE_HOUR, 1800000000,
				 told_on_measures, told_ask());
	if (which & 32)
		results_measure(sc.results, 1800000000, &measure, 1,
				told_on_measured, told_ask());
	if (which & 64)
		results_examine(sc.results, told_on_findings, told_ask());
	if (which & 128)
		results_reopen(sc.results, SLICE("t1"), SLICE("{}"),
			       told_on_value, told_ask());
	sc.ids[0] = sc.ids[1] = SLICE("t1");
	sc.records[0] = sc.records[1] = SLICE("{}");
	if ((which & 9) == 9)
		results_create(sc.results, sc.ids, sc.records, sc.errs, 2,
			       told_on_created, told_ask());
	if ((which & 3) == 3)
		results_event(sc.results, RESULTS_WHOLE, SLICE("{}"));
}

/* --- one input ----------------------------------------------------------- */

static void
turn(void)
{
	size_t commands, idle = 0;

	while (idle < IDLE_TURNS) {
		commands = peer_commands(sc.peer);
		event_base_loop(sc.base, EVLOOP_NONBLOCK);
		idle = peer_commands(sc.peer) == commands ? idle + 1 : 0;
	}
}

/* A cursor of the user's own. */
static void
take_cursor(void)
{
	for (told.cursor_len = 0; told.cursor_len < sizeof(told.cursor);
	     told.cursor_len++)
		if ((told.cursor[told.cursor_len] = (char)peer_next(&sc.in)) ==
		    '\0')
			break;
}

static void
ask_all(unsigned int role, const uint8_t which[5])
{
	if (role & 1)
		work();
	else
		submit(which[0]);
	ask_changes(which[1]);
	ask_views(which[2]);
	ask_state(which[3]);
	ask_results(which[4]);
}

/* Three times over one connection, so that what was learnt is used. */
static void
live(unsigned int role, const uint8_t which[5])
{
	const struct results_ear ear = {.detail = role & 128 ? RESULTS_BRIEF
							     : RESULTS_WHOLE,
					.on_event = told_on_event};
	struct results_watch *watches[3] = {NULL};
	int round;

	if (role & 2)
		watches[0] = results_watch(sc.results, SLICE("t1"),
					   told_on_watched, NULL, NULL);
	if (role & 4)
		watches[1] = results_follow(sc.results, SLICE("t1"),
					    told_on_watched, NULL, NULL);
	if (role & 8)
		results_listen(sc.results, &ear, NULL);
	for (round = 0; round < 3; round++) {
		turn();
		if (role & 64)
			take_cursor();
		ask_all(role, which);
		if (sc.n_puts == 0)
			put(which[0]);
		if ((role & 16) && results_reply_to(sc.results) != NULL &&
		    watches[2] == NULL)
			watches[2] = results_await(sc.results, SLICE("t1"),
						   told_on_watched, NULL, NULL);
		turn();
		if (sc.in.len == 0)
			break;
		/* What has no answer yet may not be asked again: its memory is
		 * the question's. */
		if (!told_all())
			break;
		told.n = 0;
		memset(told.answers, 0, sizeof(told.answers));
	}
	for (round = 0; round < 3; round++)
		if (watches[round] != NULL)
			results_unwatch(watches[round]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct results_options options = {.url = url,
					  .timeout_ms = 1000,
					  .max_connections = 10,
					  .on_state = told_on_state};
	uint8_t role, which[5];
	size_t i;

	memset(&sc, 0, sizeof(sc));
	told_forget();
	sc.in = (struct peer_input){data, size};
	role = peer_next(&sc.in);
	for (i = 0; i < sizeof(which); i++)
		which[i] = peer_next(&sc.in);
	must((sc.base = event_base_new()) != NULL);
	sc.peer = peer_new(sc.base, path, &sc.in);
	open_broker(role & 1);
	options.base = sc.base;
	options.examine = (role & 32) != 0;
	must((sc.results = results_open(&options, NULL)) != NULL);
	live(role, which);
	results_close(sc.results);
	broker_close(sc.broker);
	peer_free(sc.peer);
	event_base_free(sc.base);
	return 0;
}
