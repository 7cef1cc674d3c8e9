/* SPDX-License-Identifier: MIT */
/* A world in a Redis Cluster. */
#include "e2e/cluster_scene.h"

#include <stdio.h>
#include <string.h>

const char *
cluster_key(const char *queue)
{
	static char key[100];

	snprintf(key, sizeof(key), "flowrra:queue:%s", queue);
	return key;
}

void
cluster_begin(struct cluster_scene *s,
	      const struct redis_cluster_options *options)
{
	static const char names[][8] = {"io", "cpu", "q2", "q3",
					"q4", "q5",  "q6"};
	struct world_options o = {
	    .modules = "demo noop",
	    .config = options != NULL && options->replicas
			  ? "[broker]\nreplicas = 1\n" CLUSTER_CONFIG
			  : "[broker]\n" CLUSTER_CONFIG};
	size_t i;
	int owner;

	s->c = redis_cluster_start(options);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		owner = redis_cluster_owner(s->c, 0, cluster_key(names[i]));
		memcpy(s->queues[owner], names[i], sizeof(names[i]));
	}
	for (i = 0; i < CLUSTER_NODES; i++)
		ck_assert_msg(s->queues[i][0] != '\0', "node %zu has none", i);
	o.url = redis_cluster_url(s->c);
	s->w = world_start(&o);
}

void
cluster_end(struct cluster_scene *s)
{
	world_stop(s->w);
	redis_cluster_stop(s->c);
}

void
cluster_adds_in(struct cluster_scene *s, const char *queue)
{
	ck_run(ctl(s->w, "submit add 2 3 --queue %s --wait --wait-timeout 15",
		   queue),
	       0, "5\n");
}

void
cluster_adds_again_in(struct cluster_scene *s, const char *queue)
{
	WAIT_UNTIL(ctl(s->w,
		       "submit add 2 3 --queue %s --wait --wait-timeout 5",
		       queue)
		       ->status == 0);
}
