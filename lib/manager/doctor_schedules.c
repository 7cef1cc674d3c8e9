/* SPDX-License-Identifier: MIT */
/* The doctor: schedules, and the schedulers that fire them. It reads the
 * schedulers' database itself: they have no other place where they report. */
#include <inttypes.h>
#include <string.h>

#include "client/client.h"
#include "manager/doctor_private.h"
#include "manager/health.h"
#include "manager/member.h"
#include "schedules/schedules.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/conf.h"

#define ABOUT "schedules"
#define US_PER_S 1e6

/* It says when it was there, by its own clock: one that is ahead fires early, and
 * seems to be alive for so long after its end. */
static void
examine_scheduler_clock(struct doctor *d, const struct schedules_scheduler *one,
			int64_t now_us)
{
	const int64_t ahead_us = one->seen_us - now_us;

	if (ahead_us > HEALTH_LAG_US)
		doctor_find(d, DOCTOR_WARNING, "clock",
			    "Synchronize the clocks of both machines with NTP "
			    "(chrony or systemd-timesyncd).",
			    "the clock of scheduler %s is %.0f s ahead of this "
			    "machine's: it fires that much earlier",
			    one->id, (double)ahead_us / US_PER_S);
}

/* One that is silent may have been stopped, have crashed or lost the database:
 * that cannot be told from here. */
static void
examine_schedulers(struct doctor *d, const struct schedules_stats *s,
		   int64_t now_us)
{
	size_t i, alive = 0;

	for (i = 0; i < s->n_schedulers; i++) {
		if (now_us - s->schedulers[i].seen_us >
		    HEALTH_SCHEDULER_LIFE_US) {
			doctor_find(
			    d, DOCTOR_WARNING, ABOUT,
			    "Start it again if you still need it.",
			    "scheduler %s was last seen %.0f s ago",
			    s->schedulers[i].id,
			    (double)(now_us - s->schedulers[i].seen_us) /
				US_PER_S);
			continue;
		}
		alive++;
		examine_scheduler_clock(d, &s->schedulers[i], now_us);
		if (s->schedulers[i].lag_us > HEALTH_LAG_US)
			doctor_find(
			    d, DOCTOR_WARNING, ABOUT,
			    "Check whether the database or the broker is slow.",
			    "scheduler %s is %.1f s late", s->schedulers[i].id,
			    (double)s->schedulers[i].lag_us / US_PER_S);
	}
	if (alive == 0 && s->enabled > 0)
		doctor_find(d, DOCTOR_ERROR, ABOUT,
			    "Start flowrra-beat, for example with systemctl "
			    "start flowrra-beat.",
			    "%" PRId64
			    " schedules are enabled, but no scheduler is alive",
			    s->enabled);
}

static bool
several_hosts(const json_t *workers)
{
	const char *first = NULL, *host;
	const json_t *worker;
	size_t i;

	json_array_foreach (workers, i, worker) {
		host = member_text(worker, "host");
		if (first != NULL && strcmp(first, host) != 0)
			return true;
		first = host;
	}
	return false;
}

/* Others see only what they made themselves, in a file of their own machine, and
 * their schedulers fire only that. */
static void
examine_place(struct doctor *d, const struct schedules_stats *s)
{
	const struct conf *conf = d->client->conf;

	if (s->schedules > 0 &&
	    schedules_in_file(conf->scheduler.database_url) &&
	    (stores_queues_are_elsewhere(conf) || several_hosts(d->workers)))
		doctor_find(d, DOCTOR_WARNING, ABOUT,
			    "Set [scheduler] database_url to a PostgreSQL or "
			    "MySQL database that all machines use.",
			    "%" PRId64 " schedules are in a file of this "
			    "machine, but the queues are shared with others",
			    s->schedules);
}

/* Schedules that cannot fire, and fires that no broker has taken. */
static void
examine_figures(struct doctor *d, const struct schedules_stats *s,
		int64_t now_us)
{
	if (s->set_aside > 0)
		doctor_find(d, DOCTOR_WARNING, ABOUT,
			    "List them with flowrractl schedule list; schedule "
			    "show says why.",
			    "%" PRId64 " schedules cannot fire and were set "
			    "aside",
			    s->set_aside);
	/* A fire is in the database before it is sent, so a few are there at
	 * any time: only their age tells. */
	if (s->unsent > 0 &&
	    now_us - s->oldest_unsent_us > HEALTH_SCHEDULER_LIFE_US)
		doctor_find(d, DOCTOR_ERROR, ABOUT,
			    "Check the log of flowrra-beat: the broker may be "
			    "unreachable.",
			    "%" PRId64 " fires have not been sent, the oldest "
			    "for %.0f s",
			    s->unsent,
			    (double)(now_us - s->oldest_unsent_us) / US_PER_S);
}

/* The handle only reads: an examination makes no database file. */
void
doctor_schedules(struct doctor *d)
{
	const struct schedules_options options = {
	    .url = d->client->conf->scheduler.database_url, .reads = true};
	const int64_t now_us = clock_wall_us();
	struct schedules_stats *stats = NULL;
	struct err err = ERR_INIT;
	struct schedules *db = NULL;

	if (conf_check_store(d->client->conf, CONF_STORE_SCHEDULES, &err) == 0)
		db = schedules_open(&options, &err);
	if (db == NULL ||
	    schedules_stats(db, NULL, now_us, &stats, &err) != 0) {
		/* Where nobody has ever made a schedule, nothing is wrong. */
		if (err.code != ERR_NOT_FOUND)
			doctor_find(
			    d, DOCTOR_ERROR, ABOUT,
			    doctor_remedy(
				options.url,
				"Start it, or correct [scheduler] "
				"database_url.",
				"Put that right, or name another database in "
				"[scheduler] database_url."),
			    "%s", err.msg);
	} else {
		examine_schedulers(d, stats, now_us);
		examine_figures(d, stats, now_us);
		examine_place(d, stats);
		schedules_stats_free(stats);
	}
	schedules_close(db);
}
