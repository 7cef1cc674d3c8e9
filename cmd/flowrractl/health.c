/* SPDX-License-Identifier: MIT */
/* The verbs health and doctor. Health asks whether it works, for scripts and
 * probes; doctor asks what is wrong and how to put it right, for people. Both
 * exit with 69 (unavailable) if something is, doctor if it is an error. */
#include "manager/health.h"

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "flowrra/client.h"
#include "gateway.h"
#include "manager/doctor.h"
#include "table.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

#define US_PER_S 1e6
/* Between two looks with --wait: 500 ms. A look costs each server a few cheap
 * questions; a start script does not notice half a second. */
#define PAUSE_MS 500L

struct health_options {
	bool wait;
	double timeout_s;
};

/* -1: no limit. 0 is one: look once. */
static void
health_init(void *options)
{
	((struct health_options *)options)->timeout_s = -1;
}

/* The member is a boolean for programs, and a word for people. */
static void
cell_health(const json_t *value, struct buf *out)
{
	buf_adds(out, json_is_true(value) ? "healthy" : "unhealthy");
}

static const struct column health_columns[] = {
    {"COMPONENT", "component", NULL, false},
    {"STATE", "healthy", cell_health, COLUMN_STATE | COLUMN_WHOLE},
    {"MESSAGE", "message", NULL, false},
};

/* Through the gateway it is the server that looks; one that is away is an error. */
static json_t *
look_once(struct ctl *ctl, struct err *err)
{
	json_t *components, *answer;

	if (ctl->gateway == NULL) {
		if ((components = health_check(ctl->client)) == NULL)
			err_nomem(err);
		return components;
	}
	answer = gateway_get(ctl->gateway, "/api/v1/health", err);
	components = json_incref(json_object_get(answer, "components"));
	if (answer != NULL && components == NULL)
		err_set(err, ERR_INTERNAL,
			"the answer of flowrra-web has no components");
	json_decref(answer);
	return components;
}

/* Looks once, or with --wait until all is well or the time is over. Returns the
 * last look, good or bad, for it to be printed; NULL with *err. The clock
 * is the monotonic one: a wait must not depend on somebody setting the time. */
static json_t *
look(struct ctl *ctl, const struct health_options *o, struct err *err)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};
	const int64_t begin_us = clock_mono_us();
	json_t *components;

	while (
	    (components = look_once(ctl, err)) != NULL && o->wait &&
	    !health_is_good(components) &&
	    (o->timeout_s < 0 ||
	     (double)(clock_mono_us() - begin_us) / US_PER_S < o->timeout_s)) {
		json_decref(components);
		nanosleep(&pause, NULL);
	}
	return components;
}

static int
run_health(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct health_options *o = options;
	struct err err = ERR_INIT;
	json_t *components;
	int status, good;

	if (o->timeout_s >= 0 && !o->wait) {
		complain(ctl, "--timeout needs --wait");
		return err_exit_status(ERR_USAGE);
	}
	if ((status = ctl_open_all(ctl)) != 0)
		return status;
	if ((components = look(ctl, o, &err)) == NULL)
		return complain_of_err(ctl, &err);
	good = health_is_good(components);
	status = print_list(ctl, health_columns, 3, components);
	if (good || status != 0)
		return status;
	/* With --wait the status says that the time is over, as with every
	 * other wait; without it, that something is out of reach. */
	return o->wait ? FLOWRRA_TIMEOUT : FLOWRRA_UNAVAILABLE;
}

static const struct option_spec health_options[] = {
    {.name = "wait",
     .help = "wait until everything is healthy",
     .value = {VALUE_FLAG, offsetof(struct health_options, wait), 0, 0}},
    {.name = "timeout",
     .arg = "DURATION",
     .help = "wait at most this long",
     .value = {VALUE_SECONDS, offsetof(struct health_options, timeout_s), 0,
	       316224000}},
};

const struct verb verb_health = {
    .name = "health",
    .looks = true,
    .summary = "Check broker, backend, workers and schedulers",
    .usage = "[--wait [--timeout DURATION]]",
    .options = health_options,
    .n_options = sizeof(health_options) / sizeof(health_options[0]),
    .options_size = sizeof(struct health_options),
    .init = health_init,
    .gateway = true,
    .run = run_health,
};

/* --- doctor ------------------------------------------------------------ */

/* A line for what is wrong, and an indented one for what to do: findings are
 * sentences, a table would cut them off. print_cell() masks control characters,
 * since names of workers and queues are in them. */
static void
print_findings(const json_t *findings)
{
	static const struct column what[] = {{"", "what", NULL, false}};
	static const struct column remedy[] = {{"", "remedy", NULL, false}};
	json_t *one;
	size_t i;

	json_array_foreach (findings, i, one) {
		printf("%s: ",
		       json_string_value(json_object_get(one, "level")));
		print_masked(json_string_value(json_object_get(one, "about")),
			     0);
		fputs(": ", stdout);
		print_cell(&what[0], one);
		printf("\n  ");
		print_cell(&remedy[0], one);
		putchar('\n');
	}
}

static int
run_doctor(struct ctl *ctl, int argc, char **argv, void *options)
{
	json_t *findings;
	int status;

	if ((status = ctl_open_all(ctl)) != 0)
		return status;
	if ((findings = doctor_examine(ctl->client)) == NULL) {
		complain(ctl, "out of memory");
		return err_exit_status(ERR_SYSTEM);
	}
	/* Warnings alone do not make it fail: a monitor that runs it must not
	 * wake anybody for a paused queue. */
	status = doctor_found_error(findings) ? FLOWRRA_UNAVAILABLE : 0;
	if (ctl->globals.json) {
		print_json_line(findings);
		return status;
	}
	print_findings(findings);
	if (json_array_size(findings) == 0)
		complain(ctl, "no problem found");
	json_decref(findings);
	return status;
}

const struct verb verb_doctor = {
    .name = "doctor",
    .looks = true,
    .summary = "Find problems and print how to fix them",
    .usage = "",
    .run = run_doctor,
};
