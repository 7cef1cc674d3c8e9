/* SPDX-License-Identifier: MIT */
/* What is wrong, or soon will be, and what to do about it. */
#ifndef MANAGER_DOCTOR_H
#define MANAGER_DOCTOR_H

#include <stdbool.h>

#include <jansson.h>

struct flowrra_client;

/*
 * Examines everything: an array of
 *	{"level": "error" | "warning", "about": "broker" | "backend" | "clock" |
 *	 "workers" | "queues" | "tasks" | "files" | "schedules", "what": "…",
 *	 "remedy": "…"}
 * the errors first. NULL without memory.
 */
json_t *doctor_examine(struct flowrra_client *c);
/* Whether there is an error among the findings. */
bool doctor_found_error(const json_t *findings);

#endif
