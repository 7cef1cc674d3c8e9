/* SPDX-License-Identifier: MIT */
/*
 * The command line of the daemons. All have the same options, so that a unit, a
 * script or a person need not know which of them it starts.
 */
#include "util/daemon_args.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "util/conf.h"
#include "util/daemon.h"
#include "util/err.h"

/* What each daemon says of these before and after is its own. */
static const char daemon_options[] =
    "\n"
    "  -c, --config FILE         read this configuration file\n"
    "  -o SECTION.KEY=VALUE      set a key, before all other sources\n"
    "      --log-format FORMAT   text or json, as [worker] log_format\n"
    "      --check[=STYLE]       check the configuration, and end; the style "
    "is log\n"
    "                            (the default), text, quiet or json\n"
    "      --dump-config         print the configuration in force, and end\n"
    "  -h, --help                print this help, and end\n"
    "  -V, --version             print the version, and end\n";

static const char daemon_personal_options[] =
    "      --user                run the commands of flowrractl run: this "
    "user's own\n"
    "                            store, in $XDG_STATE_HOME/flowrra\n"
    "      --idle-exit DURATION  end after so long without work, as [worker]\n"
    "                            idle_exit\n";

static void
daemon_print_usage(const struct daemon_program *program)
{
	fprintf(stdout, "usage: %s [-c FILE] [-o SECTION.KEY=VALUE]...\n\n",
		program->name);
	fputs(program->usage, stdout);
	fputs(daemon_options, stdout);
	if (program->personal)
		fputs(daemon_personal_options, stdout);
	if (program->print_option != NULL)
		fprintf(stdout, "      --%-20s%s\n", program->print_option,
			program->print_help);
	fputs("\n", stdout);
	fputs(program->notes, stdout);
}

/* Returns as daemon_take_option() does. */
static int
daemon_add_setting(const struct daemon_program *program, const char *setting,
		   struct daemon_args *a)
{
	if (a->n_settings == DAEMON_SETTINGS_MAX) {
		fprintf(stderr, "%s: too many -o\n", program->name);
		return err_exit_status(ERR_USAGE);
	}
	a->settings[a->n_settings++] = setting;
	return -1;
}

/* Those that become a setting like those of -o, and are kept in order with them,
 * so that the last one counts. Returns as daemon_take_option() does. */
static int
daemon_add_text(const struct daemon_program *program, const char *key,
		char text[DAEMON_TEXT_SIZE], struct daemon_args *a)
{
	snprintf(text, DAEMON_TEXT_SIZE, "%s=%s", key, optarg);
	return daemon_add_setting(program, text, a);
}

/* Returns as daemon_take_option() does. */
static int
daemon_take_style(const struct daemon_program *program, struct daemon_args *a)
{
	static const char *const styles[] = {[FINDINGS_LOG] = "log",
					     [FINDINGS_TEXT] = "text",
					     [FINDINGS_QUIET] = "quiet",
					     [FINDINGS_JSON] = "json"};
	size_t i;

	a->check = true;
	for (i = 0; i < sizeof(styles) / sizeof(styles[0]); i++)
		if (strcmp(optarg != NULL ? optarg : "log", styles[i]) == 0) {
			a->style = (enum findings_style)i;
			return -1;
		}
	fprintf(stderr, "%s: --check=%s: use log, text, quiet or json\n",
		program->name, optarg);
	return err_exit_status(ERR_USAGE);
}

/* Returns -1 to go on, or the exit status. */
static int
daemon_take_option(const struct daemon_program *program, int c,
		   struct daemon_args *a)
{
	switch (c) {
	case 'c':
		a->config = optarg;
		return -1;
	case 'o':
		return daemon_add_setting(program, optarg, a);
	case 'F':
		return daemon_add_text(program, "worker.log_format",
				       a->log_format, a);
	case 'U':
		return daemon_add_setting(program, CONF_PERSONAL, a);
	case 'I':
		return daemon_add_text(program, "worker.idle_exit",
				       a->idle_exit, a);
	case 'D':
		a->dump = true;
		return -1;
	case 'P':
		a->print = true;
		return -1;
	case 'K':
		return daemon_take_style(program, a);
	case 'h':
		daemon_print_usage(program);
		return 0;
	case 'V':
		fprintf(stdout, "%s " FLOWRRA_VERSION "\n", program->name);
		return 0;
	default:
		fprintf(stderr, "Try %s --help.\n", program->name);
		return err_exit_status(ERR_USAGE);
	}
}

int
daemon_args_parse(const struct daemon_program *program, int argc, char **argv,
		  struct daemon_args *ret)
{
	struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"check", optional_argument, NULL, 'K'},
	    {"dump-config", no_argument, NULL, 'D'},
	    {"help", no_argument, NULL, 'h'},
	    {"log-format", required_argument, NULL, 'F'},
	    {"version", no_argument, NULL, 'V'},
	    {program->print_option, no_argument, NULL, 'P'},
	    {NULL, 0, NULL, 0},
	    {NULL, 0, NULL, 0},
	    {NULL, 0, NULL, 0}};
	struct option *more = options;
	int c, status = -1;

	while (more->name != NULL)
		more++;
	if (program->personal) {
		more[0] = (struct option){"user", no_argument, NULL, 'U'};
		more[1] =
		    (struct option){"idle-exit", required_argument, NULL, 'I'};
	}
	while (status < 0 &&
	       (c = getopt_long(argc, argv, "c:o:hV", options, NULL)) != -1)
		status = daemon_take_option(program, c, ret);
	if (status < 0 && optind < argc) {
		fprintf(stderr, "%s: unexpected argument \"%s\"\n",
			program->name, argv[optind]);
		status = err_exit_status(ERR_USAGE);
	}
	return status;
}
