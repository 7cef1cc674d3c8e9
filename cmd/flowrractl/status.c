/* SPDX-License-Identifier: MIT */
/* The verb status, which is what flowrractl alone does: how it stands, in some
 * ten lines, and what to type next. */
#include <stdio.h>
#include <string.h>

#include "flowrra/client.h"
#include "manager/health.h"
#include "manager/stats.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

/* Queues that are shown by name: those that hold tasks, or are paused. */
#define QUEUES_SHOWN 3

static long long
number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static long long
stat(const json_t *snapshot, const char *name)
{
	return number(json_object_get(snapshot, "stats"), name);
}

/* Names come from others: print_cell() masks them. */
static void
print_name(const json_t *object, const char *member)
{
	const struct column column = {"", member, NULL, false};

	print_cell(&column, object);
}

static bool
is_worth_a_line(const json_t *queue)
{
	return json_is_true(json_object_get(queue, "paused")) ||
	       number(queue, "waiting") > 0 || number(queue, "in_flight") > 0;
}

static void
print_queues(const json_t *queues)
{
	size_t i, shown = 0, left = 0;
	json_t *queue;

	json_array_foreach (queues, i, queue) {
		if (!is_worth_a_line(queue) && json_array_size(queues) > 1)
			continue;
		if (shown == QUEUES_SHOWN) {
			left++;
			continue;
		}
		printf("%s", shown++ == 0 ? "queues    " : "; ");
		print_name(queue, "queue");
		printf(" %lld waiting%s", number(queue, "waiting"),
		       json_is_true(json_object_get(queue, "paused"))
			   ? " (paused)"
			   : "");
	}
	if (shown == 0 && json_array_size(queues) > 0)
		printf("queues    %zu, all empty", json_array_size(queues));
	else if (left > 0)
		printf("; and %zu more", left);
	if (json_array_size(queues) > 0)
		putchar('\n');
}

static void
print_figures(const json_t *now)
{
	printf("workers   %lld alive, %lld slots\n", stat(now, "workers"),
	       stat(now, "slots"));
	printf("tasks     %lld running, %lld waiting, %lld delayed, %lld "
	       "dead\n",
	       stat(now, "in_flight"), stat(now, "waiting"),
	       stat(now, "delayed"), stat(now, "dead"));
	printf("ended     %lld succeeded, %lld failed\n",
	       stat(now, "succeeded"), stat(now, "failed"));
}

/* Only what is unhealthy: the rest is in the figures. */
static void
print_health(const json_t *components)
{
	json_t *one;
	size_t i;

	json_array_foreach (components, i, one) {
		if (json_is_true(json_object_get(one, "healthy")))
			continue;
		printf("problem   ");
		print_name(one, "component");
		printf(": ");
		print_name(one, "message");
		putchar('\n');
	}
	if (!health_is_good(components))
		printf("\nMore about problems: flowrractl doctor\n");
}

/* The members of the snapshot and the components of health, for programs. */
static int
print_status_json(json_t *now, json_t *components)
{
	json_object_set(now, "components", components);
	print_json_line(json_incref(now));
	return 0;
}

static void
print_status(const json_t *now, const json_t *components)
{
	const json_t *broker = json_array_get(components, 0);

	printf("Flowrra %s at ", flowrra_version());
	/* Of the broker, the first component, if it is well: where it is. */
	if (json_is_true(json_object_get(broker, "healthy")))
		print_name(broker, "message");
	putchar('\n');
	print_figures(now);
	print_queues(json_object_get(now, "queues"));
	print_health(components);
	printf("\nCommands: flowrractl --help; tasks: flowrractl tasks; "
	       "live: flowrractl top\n");
}

/* A store that does not answer is a complaint, as of any other verb. */
static int
run_status(struct ctl *ctl, int argc, char **argv, void *options)
{
	json_t *now, *components;
	struct err err = ERR_INIT;
	int status;

	if ((status = ctl_open_all(ctl)) != 0)
		return status;
	if ((now = stats_snapshot(ctl->client, 0, &err)) == NULL)
		return complain_of_err(ctl, &err);
	if ((components = health_check(ctl->client)) == NULL) {
		json_decref(now);
		complain(ctl, "out of memory");
		return err_exit_status(ERR_SYSTEM);
	}
	if (ctl->globals.json)
		print_status_json(now, components);
	else
		print_status(now, components);
	json_decref(components);
	json_decref(now);
	return 0;
}

const struct verb verb_status = {
    .name = "status",
    .looks = true,
    .summary = "Print an overview; flowrractl alone does the same",
    .usage = "",
    .run = run_status,
};
