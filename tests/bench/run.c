/* SPDX-License-Identifier: MIT */
/*
 * The benchmark. `make bench` builds and starts it; BENCH=--help lists its
 * options, all of which are environment variables. It measures each system
 * under test (system.h) once a round (round.h), in turns, so that whatever
 * else goes on in the machine meets them alike, and reports median, minimum
 * and maximum (table.h).
 */
#include <err.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "files.h"
#include "options.h"
#include "round.h"
#include "util/clock.h"

#define CONTENDERS_MAX 8

static size_t
choose_contenders(struct contender *contenders)
{
	char *names = strdup(opt.systems), *rest = names, *name;
	size_t n = 0;

	while ((name = strsep(&rest, " ,")) != NULL) {
		if (*name == '\0')
			continue;
		if (n == CONTENDERS_MAX)
			errx(64, "BENCH_SYSTEMS: too many");
		contenders[n].type = system_find(name);
		if (contenders[n++].type == NULL)
			errx(64, "BENCH_SYSTEMS: no system \"%s\"; see --help",
			     name);
	}
	if (n == 0)
		errx(64, "BENCH_SYSTEMS: name one; see --help");
	free(names);
	return n;
}

/* --- the report ---------------------------------------------------------- */

static json_t *
settings(double load)
{
	json_t *o = json_object();
	struct utsname host;

	uname(&host);
#define X(member, variable, preset, text)                                      \
	json_object_set_new(o, #member, json_integer(opt.member));
	NUMBERS(X)
#undef X
	json_object_set_new(o, "task", json_string(opt.task));
	json_object_set_new(o, "flowrra", json_string(FLOWRRA_VERSION));
	json_object_set_new(o, "kernel", json_string(host.release));
	json_object_set_new(o, "machine", json_string(host.machine));
	json_object_set_new(o, "cpus",
			    json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_set_new(o, "load_before", json_real(load));
	return o;
}

/* The medians of the first system stand at the top. */
static void
write_json(struct contender *contenders, size_t n, double load)
{
	json_t *all = table_medians(&contenders[0].table);
	json_t *systems = json_object(), *one;
	size_t i;

	for (i = 0; i < n; i++) {
		one = table_json(&contenders[i].table);
		json_object_set_new(one, "version",
				    json_string(contenders[i].version));
		json_object_set_new(systems, contenders[i].type->name, one);
	}
	json_object_set_new(all, "settings", settings(load));
	json_object_set_new(all, "systems", systems);
	if (json_dump_file(all, opt.json,
			   JSON_INDENT(2) | JSON_REAL_PRECISION(6)) != 0)
		err(71, "writing %s", opt.json);
	json_decref(all);
}

static void
report(struct contender *contenders, size_t n, double load)
{
	char title[128];
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(title, sizeof(title), "%s %s",
			 contenders[i].type->name, contenders[i].version);
		table_print(&contenders[i].table, title);
	}
	write_json(contenders, n, load);
	printf("\nwritten to %s\n", opt.json);
}

int
main(int argc, char **argv)
{
	static struct contender contenders[CONTENDERS_MAX];
	int64_t begin_us;
	double load = 0;
	size_t n, i;
	long round;

	if (argc > 1) {
		options_help();
		return strcmp(argv[1], "--help") == 0 ? 0 : 64;
	}
	options_read();
	n = choose_contenders(contenders);
	getloadavg(&load, 1);
	files_make();
	for (round = 1; round <= opt.rounds; round++) {
		for (i = 0; i < n; i++) {
			begin_us = clock_mono_us();
			round_run(&contenders[i]);
			printf("round %ld of %ld, %s: %.1f s\n", round,
			       opt.rounds, contenders[i].type->name,
			       (double)(clock_mono_us() - begin_us) / 1e6);
			fflush(stdout);
		}
	}
	report(contenders, n, load);
	files_remove();
	return 0;
}
