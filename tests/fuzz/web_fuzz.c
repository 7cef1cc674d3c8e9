/* SPDX-License-Identifier: MIT */
/*
 * Whatever is asked of a route, over an embedded database without a worker: the
 * answer has a status, is JSON where it says so, is not the server's fault, and
 * shows no path of the machine.
 *
 * The input is "METHOD TARGET\nBODY"; a target is a path, with its query.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "fuzz/web/ask.h"
#include "util/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/web-fuzz-XXXXXX";
static void
leave(void)
{
	char command[sizeof(dir) + 8];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	must(system(command) == 0);
}

/* A file is made by the first task only. */
static void
submit_one(void)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	char id[FLOWRRA_ID_SIZE];

	request.name = "add";
	request.id = "t1";
	request.queue = "io";
	request.args = "[1,{\"password\":\"x\"}]";
	request.force = true;
	must(flowrra_submit(web_ask_client(), &request, id, NULL) == 0);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char broker[64], schedules[64];
	const char *settings[] = {broker, schedules, "web.timeout=1", NULL};

	log_set_level(LOG_LEVEL_error);
	must(mkdtemp(dir) != NULL);
	atexit(leave);
	snprintf(broker, sizeof(broker), "broker.url=sqlite://%s/q.db", dir);
	snprintf(schedules, sizeof(schedules),
		 "scheduler.database_url=sqlite://%s/s.db", dir);
	must(web_ask_open(settings));
	submit_one();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	char *target, *body;

	if (text == NULL)
		return 0;
	/* Not looked for: who waits for a task that nobody runs, or knows the
	 * directory (the fuzzer does, from memory that is compared). */
	if ((target = strchr(text, ' ')) != NULL &&
	    (body = strchr(target, '\n')) != NULL &&
	    strstr(text, "wait") == NULL && strstr(text, dir) == NULL) {
		*target++ = '\0';
		*body++ = '\0';
		must(web_ask(text, target, slice_of(body),
			     size % 2 == 0 ? WEB_OPERATOR : WEB_VIEWER,
			     dir) != 500);
	}
	free(text);
	return 0;
}
