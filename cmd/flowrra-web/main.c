/* SPDX-License-Identifier: MIT */
/*
 * flowrra-web: the pages, the API, live events and metrics. This file wires
 * configuration, signals and systemd (util/daemon.h) to lib/web, which does the
 * work. A request comes in by lib/http, on the loop; a thread asks lib/manager.
 */
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "beat/beat.h"
#include "util/daemon.h"
#include "util/err.h"
#include "util/log.h"
#include "web/server.h"

/* As many as [web] listen may name (LISTEN_MAX). */
#define FDS_MAX 16

struct site {
	struct daemon *daemon;
	struct web *web;
};

static const char usage[] =
    "Shows queues, tasks, workers and schedules in a browser, has an API for\n"
    "programs, and metrics. Where, and who may log in, is in [web] of the\n"
    "configuration; `flowrractl web` prints the URL.\n";

static const char notes[] =
    "Signals: TERM and INT stop it; HUP reads configuration, users and tokens\n"
    "again. See flowrra-web(8) and flowrra.conf(5).\n";

/* Sockets that systemd has opened (sd_listen_fds(3)): those of flowrra-web.socket.
 * They replace [web] listen, so that the unit alone decides. */
static size_t
take_sockets(int fds[FDS_MAX])
{
	const int n = sd_listen_fds(1);
	size_t i;

	for (i = 0; n > 0 && i < (size_t)n && i < FDS_MAX; i++)
		fds[i] = SD_LISTEN_FDS_START + (int)i;
	return i;
}

/* The stores need not be in reach: pages say that they are away. Ready means that
 * every socket is open and the credentials were read. */
static int
start(struct daemon *d, void *arg, struct err *err)
{
	struct site *s = arg;
	int fds[FDS_MAX];
	struct web_options options = {.base = daemon_base(d),
				      .config_file = daemon_config_file(d),
				      .settings = daemon_settings(d),
				      .fds = fds};

	s->daemon = d;
	options.n_fds = take_sockets(fds);
	if ((s->web = web_new(&options, err)) == NULL)
		return -1;
	log_notice("flowrra-web is ready");
	daemon_ready(d);
	return 0;
}

/* lib/web reads the configuration itself, with the files that it names. What is
 * wrong with it is told, and the old one stays in force. */
static int
reload(void *arg, const struct conf *next, struct err *err)
{
	const struct site *s = arg;

	return web_reload(s->web, err) == 0 ? 1 : -1;
}

/* Nothing need be finished: what threads do is awaited by finish(). */
static int64_t
stop(void *arg)
{
	const struct site *s = arg;

	web_stop(s->web);
	daemon_ended(s->daemon, NULL);
	return 0;
}

static void
status(const void *arg, char *text, size_t size)
{
	const struct site *s = arg;

	web_status_line(s->web, text, size);
}

static void
finish(void *arg)
{
	const struct site *s = arg;

	web_free(s->web);
}

/* The memory is private: it has keys and passwords. */
int
main(int argc, char **argv)
{
	static const struct daemon_program program = {.name = "flowrra-web",
						      .usage = usage,
						      .notes = notes,
						      .check = web_check,
						      .examine = web_examine,
						      .stores =
							  beat_store_names,
						      .start = start,
						      .reload = reload,
						      .stop = stop,
						      .status = status,
						      .finish = finish};
	struct site s = {.web = NULL};

	return daemon_run(&program, &s, argc, argv);
}
