/* SPDX-License-Identifier: MIT */
/*
 * Variables of the environment that look as if they were ours, and are not: most
 * likely somebody has mistyped one, which would go unnoticed. A file with such a
 * mistake is refused; the environment is shared with others, so it is only told.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/closest.h"
#include "util/conf.h"
#include "util/conf_key.h"

/* What no key stands behind: what a command finds, what a worker withholds from
 * it, fields of the journal, and flowrractl's pager. */
static const char *const others[] = {
    "FLOWRRA_TASK_ID",	   "FLOWRRA_TASK_NAME", "FLOWRRA_TASK_ATTEMPT",
    "FLOWRRA_TASK_SOCKET", "FLOWRRA_FLOW",	"FLOWRRA_WITHHELD",
    "FLOWRRA_PAGER"};

/* The best so far; its distance, and its name. */
struct nearest {
	const char *typed;
	size_t distance;
	char name[CONF_VARIABLE_SIZE];
};

static void
nearest_offer(struct nearest *n, const char *name)
{
	const size_t d = closest_distance(n->typed, name);

	if (d > n->distance ||
	    (d == n->distance && !closest_is_shuffled(n->typed, name)))
		return;
	n->distance = d;
	snprintf(n->name, sizeof(n->name), "%s", name);
}

/* True if it is one of ours; else n->name is the closest, or "". */
static bool
conf_variable_is_ours(struct nearest *n)
{
	char name[CONF_VARIABLE_SIZE];
	size_t i;

	/* One mistake in four letters of that which is not the prefix. */
	n->distance = (strlen(n->typed) - strlen(CONF_VARIABLE_PREFIX)) / 4 + 2;
	for (i = 0; i < conf_n_keys; i++) {
		conf_variable_name(&conf_keys[i], name);
		nearest_offer(n, name);
	}
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		nearest_offer(n, others[i]);
	return strcmp(n->name, n->typed) == 0;
}

void
conf_tell_strange(conf_strange_fn *tell, void *arg)
{
	char typed[2 * CONF_VARIABLE_SIZE];
	char **entry;

	for (entry = environ; *entry != NULL; entry++) {
		const size_t len = strcspn(*entry, "=");
		struct nearest n = {.typed = typed};

		if (!conf_variable_may_be_ours(*entry) || len >= sizeof(typed))
			continue;
		memcpy(typed, *entry, len);
		typed[len] = '\0';
		/* What is close to none may be of another program. */
		if (!conf_variable_is_ours(&n) && n.name[0] != '\0')
			tell(typed, n.name, arg);
	}
}
