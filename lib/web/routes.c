/* SPDX-License-Identifier: MIT */
/*
 * The tables of routes, and which route a path is. A hundred of them are compared
 * one after the other: that takes less than reading the head of a request.
 *
 * A literal part goes before a "{parameter}": /schedules/preview is not the
 * schedule "preview". A path that other methods have is told apart from one that
 * nobody has (405, 404).
 */
#include "web/routes.h"

#include <stdio.h>
#include <string.h>

/* One line a file: declared, and listed below. */
extern const struct web_route web_frame_routes[];
extern const struct web_route web_calendar_routes[];
extern const struct web_route web_dead_routes[];
extern const struct web_route web_health_routes[];
extern const struct web_route web_logs_routes[];
extern const struct web_route web_metrics_routes[];
extern const struct web_route web_overview_routes[];
extern const struct web_route web_queue_limits_routes[];
extern const struct web_route web_queues_routes[];
extern const struct web_route web_registry_routes[];
extern const struct web_route web_schedules_change_routes[];
extern const struct web_route web_schedules_routes[];
extern const struct web_route web_seed_routes[];
extern const struct web_route web_seed_schedules_routes[];
extern const struct web_route web_series_routes[];
extern const struct web_route web_submit_routes[];
extern const struct web_route web_tasks_routes[];
extern const struct web_route web_workers_routes[];
extern const struct web_route web_workflows_routes[];

/* clang-format off */
const struct web_route *const web_routes[] = {
    web_frame_routes,
    web_calendar_routes,
    web_dead_routes,
    web_health_routes,
    web_logs_routes,
    web_metrics_routes,
    web_overview_routes,
    web_queue_limits_routes,
    web_queues_routes,
    web_registry_routes,
    web_schedules_change_routes,
    web_schedules_routes,
    web_seed_routes,
    web_seed_schedules_routes,
    web_series_routes,
    web_submit_routes,
    web_tasks_routes,
    web_workers_routes,
    web_workflows_routes,
    NULL,
};
/* clang-format on */

/* The length of the first part of a path, up to a slash. */
static size_t
routes_part(const char *path)
{
	return strcspn(path, "/");
}

/* Whether a path is that of a route, and how good: a literal part counts more
 * than all that follow it. Negative: it is not. */
static int
routes_compare(const struct web_route *route, const char *path)
{
	const char *have = route->path;
	int score = 0;
	size_t n, m;

	for (;; have += n, path += m) {
		have += *have == '/';
		path += *path == '/';
		n = routes_part(have);
		m = routes_part(path);
		if (n == 0 || m == 0)
			break;
		if (have[0] == '{')
			score = 2 * score;
		else if (n == m && strncmp(have, path, n) == 0)
			score = 2 * score + 1;
		else
			return -1;
	}
	if (*have != '\0')
		return -1;
	/* One slash at the end is the seed's habit. */
	if (*path == '\0')
		return path[-1] != '/' || (route->flags & WEB_SEED) != 0 ||
			       route->path[1] == '\0'
			   ? score
			   : -1;
	return -1;
}

/* Cuts the path up, which has been compared. */
static void
routes_take(const struct web_route *route, char *path, struct web_match *ret)
{
	const char *have = route->path;
	char *next;
	size_t n;

	for (; *have != '\0' && *path != '\0'; path = next) {
		have += *have == '/';
		path += *path == '/';
		n = routes_part(have);
		next = path + routes_part(path);
		if (*next != '\0')
			*next++ = '\0';
		if (have[0] == '{' && ret->n < WEB_PATH_MAX) {
			snprintf(ret->values[ret->n].name,
				 sizeof(ret->values[0].name), "%.*s",
				 (int)n - 2, have + 1);
			ret->values[ret->n++].value = path;
		}
		have += n;
	}
}

void
routes_find(const struct web_route *const *tables, enum http_method method,
	    char *path, struct web_match *ret)
{
	const struct web_route *route;
	int score, best = -1;

	*ret = (struct web_match){.route = NULL};
	for (; *tables != NULL; tables++)
		for (route = *tables; route->path != NULL; route++) {
			if ((score = routes_compare(route, path)) < 0)
				continue;
			ret->methods |= 1u << route->method;
			if (route->method == method && score > best) {
				best = score;
				ret->route = route;
			}
		}
	if (ret->route != NULL)
		routes_take(ret->route, path, ret);
}

/* A role above the others, but for metrics and submitters, which are beside them. */
bool
routes_permit(const struct web_route *route, enum web_role role)
{
	if (role == WEB_SUBMITTER && route->role > WEB_SUBMITTER)
		return (route->flags & WEB_OWN) != 0;
	return route->role == WEB_OPEN || role >= route->role;
}
