/* SPDX-License-Identifier: MIT */
/* What the verbs about schedules have in common. */
#ifndef FLOWRRACTL_SCHEDULE_H
#define FLOWRRACTL_SCHEDULE_H

#include <stdint.h>

#include <jansson.h>

struct cron_fault;
struct ctl;
struct err;
struct schedule;
struct schedules;

/* Opens the configured database. NULL, after a complaint, with the exit
 * status; else close it with schedules_close(). */
struct schedules *open_schedules(struct ctl *ctl, int *ret_status);

/* Complains, and returns the exit status. With a fault, shows the place in the
 * expression. */
int complain_of_err(struct ctl *ctl, const struct err *err);
int complain_of_rule(struct ctl *ctl, const char *text,
		     const struct cron_fault *fault, const struct err *err);

/* "2026-11-23T09:00:00Z", with a fraction if there is one. */
#define MOMENT_SIZE 32
void moment_text(int64_t us, char text[MOMENT_SIZE]);
/* The same as JSON; null for 0. */
json_t *moment_json(int64_t us);

/* Prints JSON as one line, and takes it. */
void print_json_line(json_t *json);

#endif
