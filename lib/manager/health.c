/* SPDX-License-Identifier: MIT */
/* Whether the whole works, at a glance: for monitoring, which asks often. Each
 * component costs one short query; the doctor is the one who looks closely. */
#include "manager/health.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "manager/schedules_check.h"
#include "manager/workers.h"
#include "schedules/health.h"
#include "schedules/schedules.h"
#include "store/broker.h"
#include "store/results.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/conf.h"

#define US_PER_S 1e6
/* As much of a worker's name as a message has: the longest (util/name.h). */
#define WORKER_NAME_SHOWN 130

struct health {
	struct flowrra_client *client;
	json_t *components;
	struct err trouble; /* of the broker */
	bool shared;	    /* workers are on several machines */
};

/* A message is the server's words now and then, and may be anything. */
static void
add(struct health *h, const char *component, bool healthy, const char *message)
{
	json_array_append_new(h->components,
			      json_pack("{s:s,s:b,s:o}", "component", component,
					"healthy", healthy, "message",
					member_of_text(message)));
}

/* --- servers ----------------------------------------------------------- */

/* A broker that answers but takes nothing in is as good as none. */
static void
check_broker(struct health *h)
{
	const bool healthy = query_try(h->client, &h->trouble) == 0;

	add(h, "broker", healthy,
	    healthy ? broker_name(h->client->broker) : h->trouble.msg);
}

/* Reads the record of a task that does not exist: only the answer matters. If both
 * are one store, a failure of the broker is a failure of the backend, too. */
static void
check_backend(struct health *h)
{
	struct err err = h->trouble;
	json_t *answer = NULL;

	if (!h->client->one_store || err.code == ERR_NONE)
		answer = query_record(h->client, "-", &err);
	add(h, "backend", answer != NULL,
	    answer != NULL ? results_name(h->client->results) : err.msg);
	json_decref(answer);
}

int
health_ping(struct flowrra_client *c, struct err *err)
{
	json_t *answer;

	if (query_ping(c, err) != 0)
		return -1;
	/* One store need not be asked twice. */
	if (c->one_store)
		return 0;
	if ((answer = query_record(c, "-", err)) == NULL)
		return -1;
	json_decref(answer);
	return 0;
}

struct workers_seen {
	size_t alive, running, lacking;
	char lacks[WORKER_NAME_SHOWN]; /* the first that lacks a module */
};

/* The message says what to do next. */
static void
describe_workers(const struct workers_seen *seen, char *message, size_t size)
{
	if (seen->alive == 0)
		snprintf(message, size, "none is alive; start flowrrad");
	else if (seen->running == 0)
		snprintf(message, size,
			 "%zu alive, but none takes tasks (flowrractl worker "
			 "resume)",
			 seen->alive);
	else if (seen->lacking > 0)
		snprintf(message, size,
			 "%zu alive, %zu could not load all modules (%s%s); "
			 "flowrractl doctor names them",
			 seen->alive, seen->lacking, seen->lacks,
			 seen->lacking > 1 ? ", ..." : "");
	else
		snprintf(message, size, "%zu alive, %zu take tasks",
			 seen->alive, seen->running);
}

/* Healthy: at least one worker takes tasks, since those that are quiet or
 * stopping will not work off a queue; and no worker lacks a module, since the
 * tasks of that module wait for another worker, or for ever. */
static void
check_workers(struct health *h)
{
	struct err err = ERR_INIT;
	json_t *list = workers_list(h->client, &err), *worker;
	struct workers_seen seen = {0};
	char message[160 + WORKER_NAME_SHOWN] = "";
	const char *state;
	size_t i;

	if (list == NULL) {
		add(h, "workers", false, err.msg);
		return;
	}
	json_array_foreach (list, i, worker) {
		state = member_text(worker, "state");
		seen.alive += strcmp(state, "dead") != 0;
		seen.running += strcmp(state, "running") == 0;
		if (worker_refused(worker) != NULL && seen.lacking++ == 0)
			snprintf(seen.lacks, sizeof(seen.lacks), "%s",
				 member_text(worker, "worker"));
	}
	h->shared |= workers_have_several_hosts(list);
	json_decref(list);
	describe_workers(&seen, message, sizeof(message));
	/* Workers cannot store that they live, either: what is there is old. */
	if (h->trouble.code != ERR_NONE)
		add(h, "workers", false,
		    "unknown while the broker takes no changes");
	else
		add(h, "workers", seen.running > 0 && seen.lacking == 0,
		    message);
}

/* --- schedulers -------------------------------------------------------- */

/* What has been missed or skipped, and why; appended to a message. */
static void
add_reasons(const struct schedules_stats *s, char *message, size_t size)
{
	size_t i, len;

	for (i = 0; i < SCHEDULE_N_REASONS; i++) {
		if (s->skipped[i] == 0)
			continue;
		len = strlen(message);
		snprintf(message + len, size - len, "; %" PRId64 " %s",
			 s->skipped[i],
			 schedule_reason_text((enum schedule_reason)i));
	}
}

#define NO_SCHEDULER_NEEDED                                                    \
	"none is alive, and none is needed: no schedule is enabled"

/* The first whose clock is not the database's, or that was seen in the future;
 * or NULL. */
static const struct schedules_scheduler *
find_wrong_clock(const struct schedules_stats *s, int64_t now_us)
{
	const struct schedules_scheduler *one = s->schedulers;
	size_t i;

	for (i = 0; i < s->n_schedulers; i++, one++)
		if (schedules_check_ahead_us(one, now_us) != 0 ||
		    (one->clock_off_us != 0 &&
		     schedules_check_alive(one, now_us)))
			return one;
	return NULL;
}

static void
describe_clock(const struct schedules_stats *s,
	       const struct schedules_scheduler *one, int64_t now_us,
	       char *message, size_t size)
{
	const int64_t off_us = one->clock_off_us != 0
				   ? one->clock_off_us
				   : schedules_check_ahead_us(one, now_us);

	snprintf(message, size, "the clock of scheduler %.100s is %.1f s %s %s",
		 one->id, clock_length_s(off_us),
		 off_us < 0 ? "behind" : "ahead of", schedules_check_whose(s));
}

/* Whether the schedulers are well, and the message. Without an enabled schedule
 * none is needed. */
static bool
judge(const struct schedules_stats *s, int64_t now_us, char *message,
      size_t size)
{
	const struct schedules_scheduler *wrong = find_wrong_clock(s, now_us);
	size_t i, alive = 0;
	int64_t lag_us = 0;

	if (wrong != NULL) {
		describe_clock(s, wrong, now_us, message, size);
		return false;
	}
	for (i = 0; i < s->n_schedulers; i++) {
		if (!schedules_check_alive(&s->schedulers[i], now_us))
			continue;
		alive++;
		if (s->schedulers[i].lag_us > lag_us)
			lag_us = s->schedulers[i].lag_us;
	}
	if (alive == 0) {
		snprintf(message, size,
			 s->enabled > 0 ? "none is alive; start flowrra-beat"
					: NO_SCHEDULER_NEEDED);
		return s->enabled == 0;
	}
	snprintf(message, size, "%zu alive, lag %.3f s", alive,
		 (double)lag_us / US_PER_S);
	return lag_us <= HEALTH_LAG_US;
}

/* Healthy all the same: one scheduler on one machine may be all that is wanted. */
#define MISPLACED                                                              \
	", in a file of this machine, but the queues are shared: set "         \
	"[scheduler] database_url"

static bool
is_misplaced(const struct health *h, int64_t schedules)
{
	const struct conf *conf = h->client->conf;

	return schedules > 0 &&
	       schedules_in_file(conf->scheduler.database_url) &&
	       (h->shared || stores_queues_are_elsewhere(conf));
}

/* What keeps schedules from firing; those that were set aside are a person's
 * to look at, and do not make all of it ill. */
static bool
judge_schedules(const struct schedules_check *c,
		const struct schedules_stats *s, char *message, size_t size)
{
	char next[CLOCK_TEXT_SIZE];
	int n;

	if (c->off_us != 0)
		n = snprintf(message, size,
			     "this machine's clock is %.1f s %s the database's",
			     (double)(c->off_us < 0 ? -c->off_us : c->off_us) /
				 US_PER_S,
			     c->off_us < 0 ? "behind" : "ahead of");
	else if (c->overdue > 0)
		n = snprintf(message, size, "%zu%s overdue, %s for %.0f s%s%s",
			     c->overdue,
			     c->overdue == SCHEDULES_CHECK_MAX ? " or more"
							       : "",
			     c->overdue_id, (double)c->overdue_us / US_PER_S,
			     c->why[0] != '\0' ? ": " : "", c->why);
	else if (c->far > 0) {
		clock_format(c->far_us, next);
		n = snprintf(message, size,
			     "the next run of %s, %.19s, is further away than "
			     "its rule allows (flowrractl doctor)",
			     c->far_id, next);
	} else
		n = snprintf(message, size, "none is overdue");
	if (s->set_aside > 0 && n > 0 && (size_t)n < size)
		snprintf(message + n, size - (size_t)n,
			 "; %" PRId64 " set aside (flowrractl doctor)",
			 s->set_aside);
	return c->off_us == 0 && c->overdue == 0 && c->far == 0;
}

static void
check_schedules(struct health *h, struct schedules *db,
		const struct schedules_stats *stats)
{
	struct err err = ERR_INIT;
	struct schedules_check c;
	/* The longest ID, and why. */
	char message[500];
	bool healthy;

	if (schedules_check(db, stats, &c, &err) != 0) {
		add(h, "schedules", false, err.msg);
		return;
	}
	healthy = judge_schedules(&c, stats, message, sizeof(message));
	add(h, "schedules", healthy, message);
}

/* Opens the database for this check: it is another server than the broker, and
 * clients know it only here. */
static void
check_schedulers(struct health *h)
{
	const struct schedules_options options = {
	    .url = h->client->conf->scheduler.database_url, .reads = true};
	const int64_t now_us = clock_wall_us();
	struct schedules_stats *stats = NULL;
	struct err err = ERR_INIT;
	struct schedules *db = NULL;
	/* Counts and, in the worst case, all reasons. */
	char message[400];
	bool healthy;

	if (conf_check_client(h->client->conf, CONF_STORE_SCHEDULES, &err) == 0)
		db = schedules_open(&options, &err);
	if (db == NULL ||
	    schedules_stats(db, NULL, now_us, &stats, &err) != 0) {
		if (err.code == ERR_NOT_FOUND) {
			add(h, "scheduler_database", true, "0 schedules");
			add(h, "schedulers", true, NO_SCHEDULER_NEEDED);
			add(h, "schedules", true, "none is overdue");
			schedules_close(db);
			return;
		}
		add(h, "scheduler_database", false, err.msg);
		add(h, "schedulers", false,
		    "unknown while their database is unreachable");
		add(h, "schedules", false,
		    "unknown while their database is unreachable");
	} else {
		snprintf(message, sizeof(message), "%" PRId64 " schedules%s",
			 stats->schedules,
			 is_misplaced(h, stats->schedules) ? MISPLACED : "");
		add(h, "scheduler_database", true, message);
		healthy = judge(stats, schedules_check_now(stats, now_us),
				message, sizeof(message));
		add_reasons(stats, message, sizeof(message));
		add(h, "schedulers", healthy, message);
		check_schedules(h, db, stats);
		schedules_stats_free(stats);
	}
	schedules_close(db);
}

/* --- tasks ------------------------------------------------------------- */

/* What is registered stays so when its module is gone: that is not unhealthy, but
 * submissions of it would wait. */
static void
health_describe_tasks(struct health *h, const json_t *workers)
{
	json_t *served = workers_tasks(workers);
	size_t registered = 0, unserved = 0;
	char message[160] = "workers know all that they met";
	const size_t len = strlen(message);

	if (served != NULL &&
	    query_registered(h->client, served, &registered, &unserved, NULL) ==
		0 &&
	    unserved > 0)
		snprintf(message + len, sizeof(message) - len,
			 "; %zu of %zu registered tasks are served by no "
			 "living worker",
			 unserved, registered);
	json_decref(served);
	add(h, "tasks", true, message);
}

/* Whether workers meet tasks that none of them can run. */
static void
check_tasks(struct health *h)
{
	struct err err = ERR_INIT;
	json_t *workers = NULL, *queue,
	       *list = queues_and_workers(h->client, &workers, &err);
	struct buf text = BUF_INIT;
	size_t i;

	json_array_foreach (list, i, queue)
		if (queues_unknown(h->client, queue, &text))
			break;
	if (list == NULL)
		add(h, "tasks", false, err.msg);
	else if (text.len > 0)
		add(h, "tasks", false, text.data);
	else
		health_describe_tasks(h, workers);
	buf_done(&text);
	json_decref(workers);
	json_decref(list);
}

/* --- all --------------------------------------------------------------- */

json_t *
health_check(struct flowrra_client *c)
{
	struct health h = {
	    .client = c, .components = json_array(), .trouble = ERR_INIT};

	if (h.components == NULL)
		return NULL;
	check_broker(&h);
	check_backend(&h);
	check_workers(&h);
	check_schedulers(&h);
	check_tasks(&h);
	return h.components;
}

/* One component that is not healthy is enough. */
bool
health_is_good(const json_t *components)
{
	json_t *one;
	size_t i;

	json_array_foreach (components, i, one)
		if (!json_is_true(json_object_get(one, "healthy")))
			return false;
	return true;
}
