/* SPDX-License-Identifier: MIT */
/* The longest thing that a store did. */
#include "longest.h"

#include <err.h>
#include <fcntl.h>
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "redis_server.h"

/* Of a script the hash is followed by the number of keys, and the first key. */
static void
command_name(const redisReply *argv, struct longest *ret)
{
	const char *last = argv->elements > 3 ? argv->element[3]->str : "";
	const char *name = argv->elements > 0 ? argv->element[0]->str : "";
	const char *first = argv->elements > 1 ? argv->element[1]->str : "";

	snprintf(ret->what, sizeof(ret->what), "%s %.8s %.40s", name, first,
		 last);
}

struct longest
longest_command(struct redis_server *server)
{
	struct longest longest = {.ms = 0};
	const redisReply *one;
	redisReply *log;
	double ms;
	size_t i;

	if (server == NULL)
		return longest;
	log = redis_server_command(server, "SLOWLOG GET -1");
	for (i = 0; i < log->elements; i++) {
		one = log->element[i];
		ms = (double)one->element[2]->integer / 1e3;
		if (ms <= longest.ms)
			continue;
		longest.ms = ms;
		command_name(one->element[3], &longest);
	}
	freeReplyObject(log);
	redis_server_run(server, "SLOWLOG RESET");
	return longest;
}

struct longest_steps *
longest_steps_begin(const char *dir)
{
	const char *build = getenv("BUILD_DIR");
	struct longest_steps *steps;
	char path[512], library[512];
	int fd;

	snprintf(path, sizeof(path), "%s/steps", dir);
	snprintf(library, sizeof(library), "%s/tests/bench/steps.so",
		 build != NULL ? build : "build/release");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*steps)) != 0)
		err(71, "making %s", path);
	steps = mmap(NULL, sizeof(*steps), PROT_READ | PROT_WRITE, MAP_SHARED,
		     fd, 0);
	if (steps == MAP_FAILED)
		err(71, "mapping %s", path);
	close(fd);
	setenv("BENCH_STEPS", path, 1);
	setenv("LD_PRELOAD", library, 1);
	return steps;
}

void
longest_steps_end(void)
{
	unsetenv("LD_PRELOAD");
	unsetenv("BENCH_STEPS");
}

struct longest
longest_statement(struct longest_steps *steps)
{
	struct longest longest;

	longest.ms = (double)atomic_exchange(&steps->longest_ns, 0) / 1e6;
	snprintf(longest.what, sizeof(longest.what), "%s", steps->sql);
	return longest;
}
