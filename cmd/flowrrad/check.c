/* SPDX-License-Identifier: MIT */
/* flowrrad --check: all that is wrong with a configuration on this machine. The
 * one mechanism behind flowrractl check and systemctl reload, too. */
#include "check.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "files.h"
#include "identity.h"
#include "loadable.h"
#include "metrics/endpoint.h"
#include "modules.h"
#include "store/store.h"
#include "trace/exporter.h"
#include "util/conf.h"
#include "util/conf_task.h"
#include "util/err.h"
#include "util/findings.h"

/* It was read already, but others may still read it. */
static void
check_mode(const struct conf *conf, struct findings *findings)
{
	struct stat st;

	if (conf->file.path == NULL || !conf->file.secrets ||
	    stat(conf->file.path, &st) != 0 || (st.st_mode & S_IROTH) == 0)
		return;
	findings_warn(findings,
		      "%s: it holds a password, and every user of this machine "
		      "can read it (mode %03o); chmod 640 it",
		      conf->file.path, (unsigned int)(st.st_mode & 0777));
}

/* A configuration may be shared by workers of which others serve the queue. */
static void
check_queue(const struct conf_task *t, char *const *queues,
	    struct findings *findings)
{
	const char *queue = *t->queue != '\0' ? t->queue
			    : t->cpu_bound    ? "cpu"
					      : "io";

	for (; *queues != NULL; queues++)
		if (strcmp(*queues, queue) == 0)
			return;
	findings_warn(findings,
		      "%s: [task %s]: its queue is %s, which this worker does "
		      "not serve ([worker] queues)",
		      t->location, t->name, queue);
}

static void
warn_of_risk(const struct conf_task *t, bool serious, const char *text,
	     void *arg)
{
	findings_warn(arg, "%s: [task %s] %s", t->location, t->name, text);
}

static void
check_tasks(const struct conf *conf, struct findings *findings)
{
	char **queues = conf_list(conf->worker.queues);
	const struct conf_task *t;
	struct err err;
	size_t i;

	if (queues == NULL) {
		findings->failed = true;
		return;
	}
	for (i = 0; i < conf->n_tasks; i++) {
		t = conf->tasks[i];
		if (modules_check_user(t, &err) != 0)
			findings_add(findings, &err);
		if (commands_find(t, &err) != 0) {
			err_prefix(&err, "%s", t->location);
			findings_add(findings, &err);
		}
		check_queue(t, queues, findings);
		commands_warn(t, warn_of_risk, findings);
	}
	conf_list_free(queues);
}

static void
check_modules(const struct conf *conf, struct findings *findings)
{
	struct modules modules = {.paths = NULL};
	struct err err;

	if (modules_read_good(conf, &modules, &err) == 0)
		loadable_check(conf, &modules, findings);
	else
		findings_add(findings, &err);
	modules_done(&modules);
}

/* A worker whose metrics or traces go nowhere works all the same, so a mistake is
 * best told here. */
static void
check_observing(const struct conf *conf, struct findings *findings)
{
	struct err err;

	if (metrics_endpoint_check("[metrics] listen", conf->metrics.listen,
				   &err) != 0) {
		conf_prefix_place(conf, "metrics", "listen", &err);
		findings_add(findings, &err);
	}
	if (conf->trace.export[0] != '\0' &&
	    exporter_check(conf->trace.export, &err) != 0) {
		conf_prefix_place(conf, "trace", "export", &err);
		findings_add(findings, &err);
	}
}

void
check_examine(const struct conf *conf, struct findings *findings)
{
	struct err err;

	stores_examine(conf, findings);
	check_mode(conf, findings);
	check_observing(conf, findings);
	if (files_check(conf, &err) != 0)
		findings_add(findings, &err);
	if (identity_possible(conf, &err) != 0)
		findings_add(findings, &err);
	if (modules_check_origin(conf, &err) != 0)
		findings_add(findings, &err);
	check_tasks(conf, findings);
	check_modules(conf, findings);
}
