/* SPDX-License-Identifier: MIT */
/*
 * --check of the daemons: opens nothing, and works while another instance runs.
 * flowrractl check and a unit's reload come here, too.
 */
#include "util/daemon_check.h"

#include <stdio.h>

#include "util/conf.h"
#include "util/daemon.h"
#include "util/daemon_args.h"
#include "util/err.h"
#include "util/findings.h"
#include "util/log.h"

static void
check_warn_strange(const char *variable, const char *closest, void *arg)
{
	findings_warn(arg, "ignoring the unknown variable %s; did you mean %s?",
		      variable, closest);
}

/* One that would not be that of this machine's services, as seen from here: a unit
 * may have what this process has not. Where the two are one, it is told once. */
static void
check_warn_stores(const struct conf *conf, struct findings *found)
{
	struct err err;

	if (conf_check_store(conf, CONF_STORE_BROKER, &err) != 0 ||
	    conf_check_store(conf, CONF_STORE_BACKEND, &err) != 0)
		findings_warn(found, "%s", err.msg);
}

/* What a start or a reload needs of this machine. A configuration with faults is
 * looked at all the same, for what else is missing. */
static void
daemon_examine(const struct daemon_program *program, const struct conf *conf,
	       struct findings *found)
{
	struct err err = ERR_INIT;

	if (program->examine != NULL)
		program->examine(conf, found);
	else if (program->check != NULL && program->check(conf, &err) != 0)
		findings_add(found, &err);
}

int
daemon_check(const struct daemon_program *program,
	     const struct daemon_args *args)
{
	struct findings found = {.list = NULL};
	struct conf *conf = conf_examine(args->config, args->settings, &found);
	size_t n;

	if (conf != NULL) {
		log_set_level(conf->worker.log_level);
		log_set_format(conf->worker.log_format);
		conf_tell_strange(check_warn_strange, &found);
		check_warn_stores(conf, &found);
		daemon_examine(program, conf, &found);
	}
	conf_free(conf);
	findings_show(&found, program->name, args->style);
	n = found.n_errors + found.failed;
	findings_done(&found);
	if (n > 0)
		return err_exit_status(ERR_CONFIG);
	if (args->style == FINDINGS_LOG || args->style == FINDINGS_TEXT)
		fprintf(stdout, "%s: the configuration is good\n",
			program->name);
	return 0;
}
