/* SPDX-License-Identifier: MIT */
/* Three workers that differ. */
#include "soak/fleet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak/command.h"

const char *
fleet_modules(enum role role)
{
	static char texts[ROLES][4096];
	const char *build = getenv("BUILD_DIR");

	snprintf(texts[ROLE_DEMO], sizeof(texts[0]), "modules = demo\n");
	snprintf(texts[ROLE_LEDGER], sizeof(texts[0]),
		 "modules = %s/tests/modules/ledger.so\n", build);
	snprintf(texts[ROLE_COMMANDS], sizeof(texts[0]),
		 "[task ledger_command]\n"
		 "command = %s/tests/soak/campaign " COMMAND_OPTION
		 " {0} {1}\n",
		 build);
	return texts[role];
}

void
fleet_start(struct scene *s, const struct fleet_options *given)
{
	static const struct fleet_options none;
	const struct fleet_options *o = given != NULL ? given : &none;
	static char texts[SCENE_WORKERS][4096];
	const char *modules[SCENE_WORKERS];
	size_t i;

	for (i = 0; i < SCENE_WORKERS; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%s%s",
			 o->worker != NULL ? o->worker : "",
			 fleet_modules(i < ROLES ? (enum role)i : ROLE_LEDGER));
		modules[i] = texts[i];
	}
	s->none_pays = true;
	scene_start(s, &(struct scene_options){.workers = o->standby ? 4 : 3,
					       .config = o->config,
					       .commands = o->commands,
					       .modules = modules});
	/* They are deployed, and start executors for what comes first. */
	s->descriptors = 0;
	load_start(s, &(struct load){.fleet = true, .gap_ms = 80});
}

void
fleet_end(struct scene *s)
{
	verdict(s);
	ck_assert_msg(s->may_die || scene_count_dead(s) == 0,
		      "%lld tasks are in the dead list", scene_count_dead(s));
	if (!s->may_die)
		ck_assert_int_eq(
		    run(s->world, "exec flowrractl -c worker-1.conf health")
			->status,
		    0);
	verdict_note_records(s);
	scene_close(s);
}

size_t
fleet_count_logged(struct worker *k, const char *text)
{
	const char *p = worker_log(k);
	size_t n = 0;

	for (; (p = strstr(p, text)) != NULL; p += strlen(text))
		n++;
	return n;
}

void
fleet_await_logged(struct scene *s, struct worker *k, const char *text,
		   size_t before)
{
	const int64_t deadline = now_ms() + PATIENCE_MS;
	unsigned int turn = 0;

	while (fleet_count_logged(k, text) <= before) {
		scene_look(s);
		ck_assert_msg(wait_a_moment(deadline, &turn),
			      "the worker does not log \"%s\"", text);
	}
}

/* In the embedded store a process that is stopped within a write holds up all
 * others until it goes on: that is SQLite's lock, and doctor names who has it. */
static bool
fleet_is_held_up(struct scene *s)
{
	return s->broker != SOAK_REDIS &&
	       run(s->world, "exec flowrractl -c worker-0.conf -o "
			     "broker.socket_timeout=1 queue resume io")
		       ->status != 0;
}

void
fleet_freeze(struct scene *s, struct worker *k, struct frozen *ret)
{
	ret->worker = k;
	for (;;) {
		ret->since_us = now_ms() * 1000;
		ret->n = scene_freeze(k, ret->executors);
		if (!fleet_is_held_up(s))
			break;
		worker_signal(k, SIGCONT);
		scene_sleep_between(s, 100, 300);
	}
	s->tally->faults++;
}

void
fleet_blame_frozen(struct scene *s, const struct frozen *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		ledger_fault_since(s->ledger, f->executors[i], CAUSE_FROZEN,
				   f->since_us);
}
