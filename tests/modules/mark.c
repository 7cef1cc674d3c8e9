/* SPDX-License-Identifier: MIT */
/* A task that leaves a mark each time it is begun, for tests that count. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <flowrra/module.h>

/* mark FILE [SECONDS]: appends its id, and then takes so long. */
static int
mark(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
     json_t **result)
{
	const char *path = json_string_value(json_array_get(args, 0));
	double s = json_number_value(json_array_get(args, 1));
	struct timespec t = {(time_t)s, (long)((s - (double)(time_t)s) * 1e9)};
	char line[256];
	int fd, n;

	(void)kwargs, (void)result;
	fd = open(path ? path : "", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return flowrra_fail_final(task, "cannot open the file");
	/* One write a line: other threads mark, too. */
	n = snprintf(line, sizeof(line), "%s\n", flowrra_task_id(task));
	if (write(fd, line, (size_t)n) != n) {
		close(fd);
		return flowrra_fail_final(task, "cannot write");
	}
	close(fd);
	nanosleep(&t, NULL);
	return 0;
}

/* The same; but the first one of a file fails for good, and late. */
static int
mark_first_fails(struct flowrra_task *task, const json_t *args,
		 const json_t *kwargs, json_t **result)
{
	const char *path = json_string_value(json_array_get(args, 0));
	const bool first = path != NULL && access(path, F_OK) != 0;
	const int status = mark(task, args, kwargs, result);

	return status == 0 && first ? flowrra_fail_final(task, "the first")
				    : status;
}

static const struct flowrra_task_type tasks[] = {
    {.name = "mark_first_fails",
     .run = mark_first_fails,
     FLOWRRA_TASK_DEFAULTS},
    {.name = "mark", .run = mark, FLOWRRA_TASK_DEFAULTS},
    {.name = "mark_cpu", .run = mark, .cpu_bound = true, FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("mark", "1", tasks)
