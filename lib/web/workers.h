/* SPDX-License-Identifier: MIT */
/* Workers as the pages show them. */
#ifndef WEB_WORKERS_H
#define WEB_WORKERS_H

#include <jansson.h>

/* Adds to each element of workers_list(): "heartbeat_age" (s; null: it does not
 * say), and "executors", as it describes them. 0, or -1 without memory. */
int workers_add_figures(json_t *workers);
/* {"running", "quiet", "stopping", "dead", "slots", "busy"} of all. */
json_t *workers_count(const json_t *workers);

#endif
