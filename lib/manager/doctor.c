/* SPDX-License-Identifier: MIT */
/*
 * The doctor: what an operator should look at. This file has the servers, their
 * clocks and the workers; doctor_*.c have the rest.
 *
 * Each examination adds findings, and none stops the others: a server that is
 * out of reach is a finding itself, and what needs its answers is left out.
 */
#include "manager/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "manager/doctor_private.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "manager/workers.h"
#include "redis/url.h"
#include "store/broker.h"
#include "store/results.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"

/* Due times and expiry are compared between machines, in seconds; a second is
 * what NTP holds easily. */
#define OFFSET_MAX_US 1000000

void
doctor_find(struct doctor *d, enum doctor_level level, const char *about,
	    const char *remedy, const char *fmt, ...)
{
	/* An error's whole message, and some words around it. */
	char what[ERR_MSG_MAX + 64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	json_array_append_new(
	    level == DOCTOR_ERROR ? d->errors : d->warnings,
	    json_pack("{s:s,s:s,s:o,s:o}", "level",
		      level == DOCTOR_ERROR ? "error" : "warning", "about",
		      about, "what", member_of_text(what), "remedy",
		      member_of_text(remedy)));
}

/* --- servers ----------------------------------------------------------- */

/* The broker's clock decides when delayed tasks are due, ours stamps what we
 * submit. */
static void
examine_clock(struct doctor *d, int64_t theirs_us, int64_t asked_us,
	      int64_t answered_us)
{
	/* It was read at some moment between. */
	const int64_t off_us = theirs_us < asked_us ? theirs_us - asked_us
			       : theirs_us > answered_us
				   ? theirs_us - answered_us
				   : 0;

	if (theirs_us != 0 &&
	    (off_us > OFFSET_MAX_US || off_us < -OFFSET_MAX_US))
		doctor_find(d, DOCTOR_WARNING, "clock",
			    "Synchronize the clocks of both machines with NTP "
			    "(chrony or systemd-timesyncd).",
			    "the broker's clock is %.1f s %s this machine's",
			    clock_length_s(off_us),
			    off_us < 0 ? "behind" : "ahead of");
}

/* What on_report() takes along. */
struct broker_examination {
	struct doctor *doctor;
	int64_t clock_us;
};

/* On the loop, while examine_broker() waits: nothing else uses the doctor. */
static void
on_report(const struct broker_report *report, void *arg)
{
	struct broker_examination *e = arg;
	const struct broker_finding *f;

	e->clock_us = report->clock_us;
	e->doctor->foreign = report->foreign;
	for (f = report->findings; f < report->findings + report->n; f++)
		doctor_find(e->doctor, f->error ? DOCTOR_ERROR : DOCTOR_WARNING,
			    "broker", f->remedy, "%s", f->what);
}

const char *
doctor_remedy(const char *url, const char *of_server, const char *of_file)
{
	return url == NULL || url[0] == '\0' ||
		       strncmp(url, "sqlite:", strlen("sqlite:")) == 0
		   ? of_file
		   : of_server;
}

/* False if the broker does not answer, or takes no changes: then nothing can be
 * said of queues and workers. */
static bool
examine_broker(struct doctor *d)
{
	const char *remedy = doctor_remedy(
	    d->client->conf->broker.url,
	    "Start it, or correct [broker] url; flowrractl --dump-config shows "
	    "the effective configuration.",
	    "Put that right, or name another store in [broker] url.");
	const int64_t asked_us = clock_wall_us();
	struct broker_examination e = {.doctor = d};
	struct err err = ERR_INIT;

	if (query_examine(d->client, on_report, &e, &err) != 0) {
		doctor_find(d, DOCTOR_ERROR, "broker", remedy, "%s", err.msg);
		return false;
	}
	d->broker_us = e.clock_us;
	d->broker_read_us = clock_wall_us();
	examine_clock(d, e.clock_us, asked_us, d->broker_read_us);
	/* Heartbeats cannot be stored, either: what is there is old. */
	if (query_try(d->client, &err) == 0)
		return true;
	doctor_find(d, DOCTOR_ERROR, "broker", remedy, "%s", err.msg);
	return false;
}

/* On the loop, as on_report(). */
static void
on_backend_finding(const char *what, const char *remedy, void *arg)
{
	doctor_find(arg, DOCTOR_ERROR, "backend", remedy, "%s", what);
}

/* Any read will do; there is no task with the ID "-". */
static void
examine_backend(struct doctor *d)
{
	const size_t before = json_array_size(d->errors);
	struct err err = ERR_INIT;
	json_t *answer = NULL;

	if (query_examine_backend(d->client, on_backend_finding, d, &err) == 0)
		answer = query_record(d->client, "-", &err);
	/* What the user may not do says more than a read that is refused. */
	if (answer == NULL &&
	    (err.code != ERR_REFUSED || json_array_size(d->errors) == before))
		doctor_find(d, DOCTOR_ERROR, "backend",
			    doctor_remedy(d->client->conf->backend.url,
					  "Start it, or correct [backend] url.",
					  "Put that right, or name another "
					  "store in [backend] url."),
			    "%s", err.msg);
	json_decref(answer);
}

/* Of a URL of redis-py's, which has a word for it (redis/url.h). */
static void
examine_tls(struct doctor *d, const char *about, const char *text)
{
	struct redis_url url;

	if (redis_url_parse(text, &url, NULL) != 0)
		return;
	if (url.tls && url.verify == REDIS_VERIFY_NOTHING)
		doctor_find(d, DOCTOR_WARNING, about,
			    "Replace ssl_cert_reqs=none in its URL by "
			    "ssl_ca_certs= and the file of the CA's "
			    "certificate.",
			    "the server's certificate is not verified: anybody "
			    "on the way to it can read and change tasks");
	redis_url_done(&url);
}

/* --- workers ----------------------------------------------------------- */

/* What a living worker could not load: tasks of those names wait. And what it
 * could not take over when it was told to. */
static void
examine_modules(struct doctor *d, const json_t *worker, const char *name)
{
	const char *kept =
	    member_text(json_object_get(worker, "reloads"), "error");
	const char *text;
	json_t *one;
	size_t i;

	json_array_foreach (worker_refused(worker), i, one) {
		text = json_string_value(one);
		doctor_find(d, DOCTOR_ERROR, "workers",
			    "Correct it, or remove it from the configuration; "
			    "then run flowrractl worker reload.",
			    "worker %s could not load a module or command: %s",
			    name,
			    text != NULL ? text : "it does not say which");
	}
	if (kept != NULL && strcmp(member_text(worker, "state"), "dead") != 0)
		doctor_find(d, DOCTOR_WARNING, "workers",
			    "Correct it and run flowrractl worker reload.",
			    "worker %s could not reload and keeps its old "
			    "configuration: %s",
			    name, kept);
}

/* Executors that it does not hear from. */
static void
examine_stuck(struct doctor *d, const json_t *worker, const char *name)
{
	const json_t *executor;
	const char *kind, *task;
	size_t i;

	json_array_foreach (json_object_get(worker, "stuck"), i, executor) {
		kind = member_text(executor, "kind");
		task = member_text(executor, "task");
		doctor_find(
		    d, DOCTOR_WARNING, "workers",
		    "Its handlers block the event loop, or the process was "
		    "stopped; it is killed and replaced after [executor] "
		    "stuck_grace.",
		    "%s executor %lld of worker %s does not answer, since "
		    "%lld s%s%s",
		    kind != NULL ? kind : "an",
		    (long long)json_integer_value(
			json_object_get(executor, "pid")),
		    name,
		    (long long)json_integer_value(
			json_object_get(executor, "seconds")),
		    task != NULL ? "; it runs task " : "",
		    task != NULL ? task : "");
	}
}

static void
examine_frozen(struct doctor *d, const char *name, const char *pid,
	       long long held)
{
	char remedy[200];

	snprintf(remedy, sizeof(remedy),
		 "Continue it (kill -CONT %s) if it was stopped, or end it "
		 "(kill -KILL %s): some seconds later another worker takes its "
		 "tasks over.",
		 pid, pid);
	doctor_find(d, DOCTOR_ERROR, "workers", remedy,
		    "worker %s says nothing any more, but its process %s still "
		    "exists: it keeps %lld task%s in flight, which no other "
		    "worker takes over",
		    name, pid, held, doctor_s(held));
}

/* What becomes of the tasks of a worker that says nothing depends on whether its
 * process is gone: as long as it is not, it has them (lib/store/sqlite). */
static void
examine_dead(struct doctor *d, const json_t *worker, const char *name,
	     size_t n_alive)
{
	const long long held =
	    json_integer_value(json_object_get(worker, "in_flight"));
	const long long pid =
	    json_integer_value(json_object_get(worker, "pid"));
	char number[32] = "PID";

	/* Without a number: 0 would be this very process, and all beside it. */
	if (pid > 0)
		snprintf(number, sizeof(number), "%lld", pid);
	if (json_is_true(json_object_get(worker, "frozen"))) {
		examine_frozen(d, name, number, held);
	} else if (held > 0) {
		doctor_find(d, n_alive > 0 ? DOCTOR_WARNING : DOCTOR_ERROR,
			    "workers",
			    n_alive > 0 ? "Wait half a minute; another worker "
					  "takes them over."
					: "Start it again, or start another "
					  "worker for its queues.",
			    "worker %s is dead and has %lld task%s in flight",
			    name, held, doctor_s(held));
	}
}

/* It has said when it spoke, by its own clock, at most a life ago. It stamps records
 * by that, and drops tasks that have expired: what one worker runs, another one
 * would not. */
static void
examine_worker_clock(struct doctor *d, const json_t *worker, const char *name)
{
	const int64_t at_us = member_time_us(worker, "heartbeat_at");
	const int64_t latest_us =
	    d->broker_us + clock_wall_us() - d->broker_read_us;
	const int64_t earliest_us =
	    d->broker_us - BROKER_HEARTBEAT_TTL_S * INT64_C(1000000);
	const int64_t off_us = at_us > latest_us     ? at_us - latest_us
			       : at_us < earliest_us ? at_us - earliest_us
						     : 0;

	if (at_us != 0 && d->broker_us != 0 &&
	    (off_us > OFFSET_MAX_US || off_us < -OFFSET_MAX_US))
		doctor_find(d, DOCTOR_WARNING, "clock",
			    "Synchronize the clock of its machine with NTP "
			    "(chrony or systemd-timesyncd): tasks that expire "
			    "are judged by it.",
			    "the clock of worker %s is about %.0f s %s the "
			    "broker's",
			    name, clock_length_s(off_us),
			    off_us < 0 ? "behind" : "ahead of");
}

/* A dead worker without tasks is not a fault: it was stopped for good, and leaves
 * the list by itself. */
static void
examine_worker(struct doctor *d, const json_t *worker, size_t n_alive)
{
	const char *name = member_text(worker, "worker");
	const char *state = member_text(worker, "state");
	const char *version = member_text(worker, "version");

	if (strcmp(state, "dead") == 0) {
		examine_dead(d, worker, name, n_alive);
	} else if (version != NULL && strcmp(version, FLOWRRA_VERSION) != 0) {
		/* Versions may differ for the time of an upgrade, which
		 * then should end. */
		doctor_find(d, DOCTOR_WARNING, "workers",
			    "Install the same version on all machines.",
			    "worker %s has version %s, this program %s", name,
			    version, FLOWRRA_VERSION);
	}
	if (strcmp(state, "dead") != 0) {
		examine_stuck(d, worker, name);
		examine_worker_clock(d, worker, name);
	}
	examine_modules(d, worker, name);
	/* Somebody has told it to, and may have forgotten. */
	if (strcmp(state, "quiet") == 0)
		doctor_find(
		    d, DOCTOR_WARNING, "workers",
		    "Run flowrractl worker resume to make it take tasks again.",
		    "worker %s is quiet: it takes no tasks", name);
}

/* How bad a dead worker is depends on whether another can take over. */
static void
examine_workers(struct doctor *d)
{
	json_t *worker;
	size_t i, alive = 0;

	json_array_foreach (d->workers, i, worker)
		alive += strcmp(member_text(worker, "state"), "dead") != 0;
	if (alive == 0)
		doctor_find(d, DOCTOR_ERROR, "workers",
			    "Start flowrrad, for example with systemctl start "
			    "flowrrad.",
			    "no worker is alive");
	json_array_foreach (d->workers, i, worker)
		examine_worker(d, worker, alive);
}

/* --- all --------------------------------------------------------------- */

static void
examine_all(struct doctor *d)
{
	struct err err = ERR_INIT;

	if (examine_broker(d)) {
		d->queues = queues_and_workers(d->client, &d->workers, &err);
		if (d->workers == NULL)
			doctor_find(d, DOCTOR_ERROR, "broker", "Try again.",
				    "%s", err.msg);
	}
	/* Where both are one store, the broker has answered for it. */
	if (!d->client->one_store)
		examine_backend(d);
	if (d->workers != NULL) {
		examine_workers(d);
		doctor_queues(d);
		doctor_tasks(d);
	}
	examine_tls(d, "broker", d->client->conf->broker.url);
	examine_tls(d, "backend", d->client->conf->backend.url);
	doctor_files(d);
	doctor_schedules(d);
}

json_t *
doctor_examine(struct flowrra_client *c)
{
	struct doctor d = {
	    .client = c, .errors = json_array(), .warnings = json_array()};

	examine_all(&d);
	/* Errors first, each kind in the order of the examinations. */
	json_array_extend(d.errors, d.warnings);
	json_decref(d.warnings);
	json_decref(d.queues);
	json_decref(d.workers);
	return d.errors;
}

bool
doctor_found_error(const json_t *findings)
{
	/* Errors come first. */
	const char *level = member_text(json_array_get(findings, 0), "level");

	return level != NULL && strcmp(level, "error") == 0;
}
