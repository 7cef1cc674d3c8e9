/* SPDX-License-Identifier: MIT */
/*
 * What flowrractl says of each mistake on its command line, in one file to be read
 * as a whole: messages.expected has the commands, behind "$ ", and below each one
 * what it prints and its exit status. With MESSAGES_WRITE=FILE in the environment,
 * what is printed now is written there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "client/fixture.h"
#include "redis_server.h"
#include "suite.h"

#define EXPECTED "tests/manager/messages.expected"

/* Adds what a command prints and its status, as the file has it. */
static void
add_output(char *all, size_t size, const char *command)
{
	const char *build = getenv("BUILD_DIR");
	size_t len = strlen(all);
	char *line;
	FILE *pipe;
	int status;

	len += (size_t)snprintf(all + len, size - len, "$ %s\n", command);
	ck_assert_int_gt(asprintf(&line,
				  "PATH=%s/bin:$PATH; exec 2>&1 </dev/null; "
				  "set -o pipefail; %s",
				  build != NULL ? build : "build/release",
				  command),
			 0);
	setenv("LINE", line, 1);
	ck_assert_ptr_nonnull(pipe = popen("exec bash -c \"$LINE\"", "re"));
	len += fread(all + len, 1, size - len - 1, pipe);
	all[len] = '\0';
	status = pclose(pipe);
	snprintf(all + len, size - len, "%d\n\n", WEXITSTATUS(status));
	free(line);
}

static char *
read_file(const char *path)
{
	char *text = calloc(1, 1 << 20);
	FILE *file = fopen(path, "re");

	ck_assert_msg(file != NULL, "run the tests where %s is", path);
	ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, file), 0);
	fclose(file);
	return text;
}

/* Runs all commands of the file again. */
static char *
print_all(const char *expected)
{
	char *copy = strdup(expected), *all = calloc(1, 1 << 20), *line, *rest;

	for (rest = copy; (line = strsep(&rest, "\n")) != NULL;)
		if (strncmp(line, "$ ", 2) == 0)
			add_output(all, 1 << 20, line + 2);
		else if (line[0] == '#')
			snprintf(all + strlen(all), 256, "%s\n", line);
	free(copy);
	return all;
}

static struct redis_server *
begin(void)
{
	struct redis_server *server = redis_server_start(NULL);

	fixture_register(server, "add", "{\"queue\":\"io\"}");
	setenv("FLOWRRA_BROKER_URL", redis_server_unix_url(server), 1);
	setenv("STATE_DIRECTORY", redis_server_dir(server), 1);
	setenv("TZ", "UTC", 1);
	setenv("HOME", redis_server_dir(server), 1);
	return server;
}

START_TEST(each_mistake_has_its_message)
{
	char *expected = read_file(EXPECTED), *printed, *a, *b, *x, *y;
	const char *write = getenv("MESSAGES_WRITE");
	struct redis_server *server = begin();
	FILE *file;

	printed = print_all(expected);
	if (write != NULL) {
		ck_assert_ptr_nonnull(file = fopen(write, "we"));
		fputs(printed, file);
		fclose(file);
	}
	/* Line by line: the first difference is shown. */
	for (x = expected, y = printed; x != NULL || y != NULL;) {
		a = x != NULL ? strsep(&x, "\n") : (char *)"";
		b = y != NULL ? strsep(&y, "\n") : (char *)"";
		ck_assert_str_eq(b, a);
	}
	redis_server_stop(server);
	free(expected);
	free(printed);
}
END_TEST

/* --- none is left out ---------------------------------------------------- */

/* Whether the beginning of a literal, up to its first conversion, is in the file:
 * "unknown option --%s" is where "unknown option --" is. */
static void
check_literal(const char *p, const char *source, const char *expected)
{
	char text[200];
	size_t n = 0;

	for (; *p != '"' && *p != '%' && n < sizeof(text) - 1; p++)
		if (*p != '\\')
			text[n++] = *p;
	text[n] = '\0';
	if (n >= 4)
		ck_assert_msg(strstr(expected, text) != NULL,
			      "%s: \"%s\" is not in " EXPECTED, source, text);
}

static void
check_source(const char *path, const char *expected)
{
	static const char code[] = "ERR_USAGE,",
			  status[] = "err_exit_status(ERR_USAGE)";
	char *text = read_file(path), *p, *call;

	for (p = text; (p = strstr(p, code)) != NULL; p += sizeof(code) - 1) {
		call = p + sizeof(code) - 1;
		call += strspn(call, " \t\n");
		if (*call == '"')
			check_literal(call + 1, path, expected);
	}
	for (p = text; (p = strstr(p, status)) != NULL; p++) {
		*p = '\0';
		call = strrchr(text, '\n');
		while (call > text &&
		       strncmp(call, "complain(ctl, \"", 15) != 0)
			call--;
		*p = 'e';
		/* In the same block, some lines above. */
		if (call > text && p - call < 200)
			check_literal(call + 15, path, expected);
	}
	free(text);
}

START_TEST(no_mistake_of_the_sources_is_left_out)
{
	char *expected = read_file(EXPECTED);
	char line[256];
	FILE *files;
	int n = 0;

	ck_assert_ptr_nonnull(files = popen("ls cmd/flowrractl/*.c", "re"));
	for (; fgets(line, sizeof(line), files) != NULL; n++) {
		line[strcspn(line, "\n")] = '\0';
		/* Needs a task that runs it. */
		if (strstr(line, "submit_task.c") == NULL)
			check_source(line, expected);
	}
	pclose(files);
	ck_assert_int_gt(n, 20);
	free(expected);
}
END_TEST

SUITE("messages")
{
	TEST(each_mistake_has_its_message);
	TEST(no_mistake_of_the_sources_is_left_out);
}
