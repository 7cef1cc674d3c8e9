/* SPDX-License-Identifier: MIT */
/* The dashboard of a Redis Cluster: it has what is on all nodes, and goes on when one
 * of them fails. */
#include <stdlib.h>
#include <string.h>

#include "e2e/cluster_scene.h"
#include "e2e/web_scene.h"

/* Submits by the API, and returns the task's id. */
static char *
post_to(struct site *site, const char *queue, const char *task)
{
	ck_assert_int_eq(site_ask_in(site, "/api/v1/tasks",
				     SITE_JSON "-d '{\"name\":\"%s\","
					       "\"queue\":\"%s\"}'",
				     task, queue),
			 201);
	return site_cut(site, "\"task_id\":\"");
}

static bool
shows(struct site *site, const char *path, const char *text)
{
	return site_ask_in(site, path, "-g") == 200 &&
	       strstr(site->body, text) != NULL;
}

START_TEST(what_is_on_all_nodes_is_shown_and_changed)
{
	struct cluster_scene s = {.w = NULL};
	struct site *site;
	const char *path, *id;
	size_t i;

	cluster_begin(&s, NULL);
	site = site_start(s.w, "");
	for (i = 0; i < CLUSTER_NODES; i++) {
		id = post_to(site, s.queues[i], "noop");
		WAIT_UNTIL(shows(site, world_text(s.w, "/api/v1/tasks/%s", id),
				 "\"status\":\"success\""));
		ck_assert(shows(site, "/api/v1/tasks?state=success", id));
		ck_assert(shows(site, "/api/v1/queues",
				world_text(s.w, "\"%s\"", s.queues[i])));
		path = world_text(s.w, "/api/v1/queues/%s", s.queues[i]);
		ck_assert_int_eq(site_ask_in(site,
					     world_text(s.w, "%s/pause", path),
					     SITE_JSON "-d '{}'"),
				 200);
		id = post_to(site, s.queues[i], "noop");
		ck_assert(shows(site, path, "\"paused\":true"));
		ck_assert(shows(site,
				world_text(s.w,
					   "/api/v1/tasks?state=pending&"
					   "queue=%s",
					   s.queues[i]),
				id));
		ck_assert_int_eq(site_ask_in(site,
					     world_text(s.w, "%s/resume", path),
					     SITE_JSON "-d '{}'"),
				 200);
		ctl_ok(s.w, "wait %s --timeout 20", id);
	}
	ck_assert(shows(site, "/api/v1/workers", "\"test:1\""));
	site_stop(site);
	cluster_end(&s);
}
END_TEST

/* A stream goes on, too, whatever it listened to. */
START_TEST(it_goes_on_when_a_node_fails)
{
	const struct redis_cluster_options o = {.replicas = true};
	struct cluster_scene s = {.w = NULL};
	struct site *site;
	char *id = NULL;
	size_t i;

	cluster_begin(&s, &o);
	site = site_start(s.w, "");
	run_start(s.w,
		  "exec curl -sN -H 'Authorization: Bearer %s' "
		  "'http://127.0.0.1:%d/api/v1/events?topics=queues,feed' "
		  ">events",
		  site->token, site->port);
	WAIT_UNTIL(strstr(world_read(s.w, "events"), "event: queues") != NULL);
	redis_server_kill(redis_cluster_server(s.c, (size_t)_i));
	redis_cluster_settle(s.c);
	redis_server_restart(redis_cluster_server(s.c, (size_t)_i));
	redis_cluster_settle(s.c);
	for (i = 0; i < CLUSTER_NODES; i++) {
		cluster_adds_again_in(&s, s.queues[i]);
		WAIT_UNTIL(shows(
		    site, world_text(s.w, "/api/v1/queues/%s", s.queues[i]),
		    "\"paused\":false"));
	}
	/* Workers hear of a listener some time after it has begun. */
	do {
		id = submit(s.w, "noop --queue %s", s.queues[_i]);
		ctl_ok(s.w, "wait %s --timeout 20", id);
	} while (strstr(world_read(s.w, "events"), id) == NULL);
	site_stop(site);
	cluster_end(&s);
}
END_TEST

SUITE("web_cluster")
{
	SUITE_TIMEOUT(120);
	TEST(what_is_on_all_nodes_is_shown_and_changed);
	TEST_LOOP(it_goes_on_when_a_node_fails, 0, CLUSTER_NODES);
}
