/* SPDX-License-Identifier: MIT */
/* The doctor: schedules, and the schedulers that fire them. It reads the
 * schedulers' database itself: they have no other place where they report. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "manager/doctor_private.h"
#include "manager/health.h"
#include "manager/member.h"
#include "manager/schedules_check.h"
#include "manager/workers.h"
#include "schedules/health.h"
#include "schedules/schedules.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/conf.h"

#define ABOUT "schedules"
#define US_PER_S 1e6

#define NTP                                                                    \
	"Synchronize the clocks of both machines with NTP (chrony or "         \
	"systemd-timesyncd)."
/* Schedules that are named one by one. */
#define NAMED_MAX 5

/* It is seen by the database's clock; where that has none, by its own: then one
 * that is ahead fires early. */
static void
examine_scheduler_clock(struct doctor *d, const struct schedules_stats *s,
			const struct schedules_scheduler *one, int64_t now_us)
{
	const int64_t ahead_us = schedules_check_ahead_us(one, now_us);

	if (ahead_us != 0)
		doctor_find(d, DOCTOR_ERROR, "clock", NTP,
			    "the clock of scheduler %s is %.0f s ahead of %s: "
			    "it fires that much earlier",
			    one->id, clock_length_s(ahead_us),
			    schedules_check_whose(s));
	if (one->clock_off_us != 0 && schedules_check_alive(one, now_us))
		doctor_find(d, DOCTOR_ERROR, "clock", NTP,
			    "the clock of scheduler %s is %.1f s %s the "
			    "database's: it claims nothing",
			    one->id, clock_length_s(one->clock_off_us),
			    one->clock_off_us < 0 ? "behind" : "ahead of");
}

/* What it says of itself. */
static void
examine_scheduler_state(struct doctor *d, const struct schedules_scheduler *one)
{
	if (strcmp(one->state, SCHEDULES_STATE_DISABLED) == 0)
		doctor_find(d, DOCTOR_WARNING, ABOUT,
			    "Set [scheduler] enabled = yes and reload it, or "
			    "stop it.",
			    "scheduler %s is disabled: it enqueues nothing",
			    one->id);
	else if (strcmp(one->state, SCHEDULES_STATE_BROKER) == 0)
		doctor_find(d, DOCTOR_WARNING, ABOUT,
			    "Check the log of flowrra-beat on its machine.",
			    "scheduler %s does not reach the broker", one->id);
	if (one->lacks[0] != '\0')
		doctor_find(d, DOCTOR_WARNING, ABOUT,
			    "Install or update the package tzdata on its "
			    "machine.",
			    "scheduler %s has no data of these time zones: %s",
			    one->id, one->lacks);
}

/* One that is silent may have been stopped, have crashed or lost the database:
 * that cannot be told from here. */
static void
examine_schedulers(struct doctor *d, const struct schedules_stats *s,
		   int64_t now_us)
{
	size_t i, alive = 0;

	for (i = 0; i < s->n_schedulers; i++) {
		examine_scheduler_clock(d, s, &s->schedulers[i], now_us);
		if (s->schedulers[i].seen_us > now_us &&
		    !schedules_check_alive(&s->schedulers[i], now_us))
			continue;
		if (!schedules_check_alive(&s->schedulers[i], now_us)) {
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
		examine_scheduler_state(d, &s->schedulers[i]);
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
			    "no scheduler is alive for %" PRId64
			    " enabled schedule%s",
			    s->enabled, doctor_s(s->enabled));
}

/* Others see only what they made themselves, in a file of their own machine, and
 * their schedulers fire only that. */
static void
examine_place(struct doctor *d, const struct schedules_stats *s)
{
	const struct conf *conf = d->client->conf;

	if (s->schedules > 0 &&
	    schedules_in_file(conf->scheduler.database_url) &&
	    (stores_queues_are_elsewhere(conf) ||
	     workers_have_several_hosts(d->workers)))
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

/* --- schedules --------------------------------------------------------- */

/* The first of them, with the reason; the others are counted. */
static void
examine_aside(struct doctor *d, struct schedules *db,
	      const struct schedules_stats *s)
{
	const struct schedules_filter filter = {.only_aside = true,
						.limit = NAMED_MAX};
	char remedy[2 * SCHEDULE_ID_MAX + 128];
	struct schedules_list *list;
	size_t i, n;

	if (s->set_aside == 0 || schedules_list(db, &filter, &list, NULL) != 0)
		return;
	n = list->n;
	for (i = 0; i < n; i++) {
		snprintf(remedy, sizeof(remedy),
			 "Correct it with flowrractl schedule edit %s, then "
			 "flowrractl schedule enable %s.",
			 list->items[i].id, list->items[i].id);
		doctor_find(d, DOCTOR_WARNING, ABOUT, remedy,
			    "schedule %s cannot fire and was set aside: %s",
			    list->items[i].id, list->items[i].fault);
	}
	schedules_list_free(list);
	if (s->set_aside > (int64_t)n)
		doctor_find(d, DOCTOR_WARNING, ABOUT,
			    "List them with flowrractl schedule list.",
			    "%" PRId64 " more schedules were set aside",
			    s->set_aside - (int64_t)n);
}

static void
examine_overdue(struct doctor *d, const struct schedules_check *c)
{
	if (c->overdue == 0)
		return;
	doctor_find(d, DOCTOR_ERROR, ABOUT,
		    c->why[0] != '\0'
			? "Put that right; their misfire policies say what "
			  "becomes of the fires."
			: "Check the log of flowrra-beat, and whether the "
			  "database is slow.",
		    "%zu schedules%s are overdue, %s for %.0f s%s%s",
		    c->overdue,
		    c->overdue == SCHEDULES_CHECK_MAX ? " or more" : "",
		    c->overdue_id, clock_length_s(c->overdue_us),
		    c->why[0] != '\0' ? ": " : "", c->why);
}

static void
examine_far(struct doctor *d, const struct schedules_check *c)
{
	char far[CLOCK_TEXT_SIZE], near[CLOCK_TEXT_SIZE];

	if (c->far == 0)
		return;
	clock_format(c->far_us, far);
	clock_format(c->near_us, near);
	doctor_find(d, DOCTOR_ERROR, ABOUT,
		    "Restart flowrra-beat, which computes them again; a clock "
		    "was wrong.",
		    "the next runs of %zu schedule%s are further away than "
		    "their rules allow: %s fires at %s, not at %s",
		    c->far, doctor_s((long long)c->far), c->far_id, far, near);
}

/* Ours, and a clock that was ahead for long or is behind now. */
static void
examine_clocks(struct doctor *d, const struct schedules_check *c,
	       const struct schedules_stats *s)
{
	char until[CLOCK_TEXT_SIZE];

	if (c->off_us != 0)
		doctor_find(d, DOCTOR_ERROR, "clock", NTP,
			    "this machine's clock is %.1f s %s that of the "
			    "schedules' database",
			    clock_length_s(c->off_us),
			    c->off_us < 0 ? "behind" : "ahead of");
	if (s->pruned_us <= c->now_us)
		return;
	clock_format(s->pruned_us, until);
	doctor_find(d, DOCTOR_ERROR, "clock",
		    "Set the clock right. If it is, schedules go on after an "
		    "hour.",
		    "the clock is behind now, or was ahead: the fires of "
		    "schedules are known up to %s",
		    until);
}

static void
examine_schedules(struct doctor *d, struct schedules *db,
		  const struct schedules_stats *s, const char *remedy)
{
	struct err err = ERR_INIT;
	struct schedules_check c;

	if (schedules_check(db, s, &c, &err) != 0) {
		doctor_find(d, DOCTOR_ERROR, ABOUT, remedy, "%s", err.msg);
		return;
	}
	examine_clocks(d, &c, s);
	examine_schedulers(d, s, c.now_us);
	examine_overdue(d, &c);
	examine_far(d, &c);
	examine_aside(d, db, s);
	examine_figures(d, s, c.now_us);
}

/* The handle only reads: an examination makes no database file. */
void
doctor_schedules(struct doctor *d)
{
	const struct schedules_options options = {
	    .url = d->client->conf->scheduler.database_url, .reads = true};
	const char *remedy = doctor_remedy(
	    options.url, "Start it, or correct [scheduler] database_url.",
	    "Put that right, or name another database in [scheduler] "
	    "database_url.");
	const int64_t now_us = clock_wall_us();
	struct schedules_stats *stats = NULL;
	struct err err = ERR_INIT;
	struct schedules *db = NULL;

	if (conf_check_client(d->client->conf, CONF_STORE_SCHEDULES, &err) == 0)
		db = schedules_open(&options, &err);
	if (db == NULL ||
	    schedules_stats(db, NULL, now_us, &stats, &err) != 0) {
		/* Where nobody has ever made a schedule, nothing is wrong. */
		if (err.code != ERR_NOT_FOUND)
			doctor_find(d, DOCTOR_ERROR, ABOUT, remedy, "%s",
				    err.msg);
	} else {
		examine_schedules(d, db, stats, remedy);
		examine_place(d, stats);
		schedules_stats_free(stats);
	}
	schedules_close(db);
}
