/* SPDX-License-Identifier: MIT */
/* The loader: which modules it refuses, and what it says of them. */
#include "module/loader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "module/describe.h"
#include "suite.h"
#include "util/err.h"

static char dir[64];
static char copy[96];

static char *
built(const char *name)
{
	static char path[4096];
	const char *build = getenv("BUILD_DIR");

	ck_assert_msg(build != NULL, "BUILD_DIR is not set");
	snprintf(path, sizeof(path), "%s/tests/modules/%s.so", build, name);
	return path;
}

/* A copy of a module in a directory of its own. */
static void
copy_module(const char *name)
{
	char command[5000];

	strcpy(dir, "/tmp/flowrra-loader-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(copy, sizeof(copy), "%s/m.so", dir);
	snprintf(command, sizeof(command), "cp '%s' '%s' && chmod 644 '%s'",
		 built(name), copy, copy);
	ck_assert_int_eq(system(command), 0);
}

static void
remove_copy(void)
{
	unlink(copy);
	rmdir(dir);
}

static void
check_refused(const char *path, const char *text)
{
	struct loader *l = loader_new();
	struct err err = ERR_INIT;

	ck_assert_int_eq(loader_load(l, path, &err), -1);
	ck_assert_msg(strstr(err.msg, text) != NULL, "%s", err.msg);
	ck_assert_msg(strstr(err.msg, path) != NULL, "%s", err.msg);
	ck_assert_uint_eq(loader_count(l), 0);
	ck_assert_ptr_null(loader_find(l, SLICE("plain")));
	loader_free(l);
}

START_TEST(a_modules_tasks_are_found_by_name)
{
	struct loader *l = loader_new();
	const struct loader_task *t;
	struct err err = ERR_INIT;

	ck_assert_ptr_null(loader_find(l, SLICE("plain")));
	ck_assert_msg(loader_load(l, built("plain"), &err) == 0, "%s", err.msg);
	t = loader_find(l, SLICE("plain_cpu"));
	ck_assert_ptr_nonnull(t);
	ck_assert_str_eq(t->type.name, "plain_cpu");
	ck_assert_str_eq(t->type.queue, "cpu");
	ck_assert_str_eq(t->module, "plain");
	ck_assert_str_eq(loader_find(l, SLICE("plain"))->type.queue, "io");
	ck_assert_ptr_null(loader_find(l, SLICE("plai")));
	ck_assert_ptr_null(loader_find(l, SLICE("")));
	loader_fini(l);
	loader_free(l);
}
END_TEST

START_TEST(a_refused_module_leaves_the_others_as_they_are)
{
	struct loader *l = loader_new();
	struct err err = ERR_INIT;
	size_t before;

	ck_assert_int_eq(loader_load(l, built("plain"), &err), 0);
	before = loader_count(l);
	ck_assert_int_eq(loader_load(l, built("twin"), &err), -1);
	ck_assert_ptr_nonnull(
	    strstr(err.msg, "\"plain\" exists already, in module \"plain\""));
	ck_assert_int_eq(loader_load(l, built("plain"), &err), -1);
	ck_assert_int_eq(loader_load(l, built("bad_init"), &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "no licence for the moon"));
	ck_assert_uint_eq(loader_count(l), before);
	ck_assert_ptr_null(loader_find(l, SLICE("twin.own")));
	ck_assert_ptr_null(loader_find(l, SLICE("bad_init.task")));
	ck_assert_str_eq(loader_find(l, SLICE("plain"))->module, "plain");
	loader_free(l);
}
END_TEST

START_TEST(a_file_that_others_may_write_to_is_refused)
{
	copy_module("plain");
	chmod(copy, 0664);
	check_refused(copy, "writable by its group");
	chmod(copy, 0646);
	check_refused(copy, "writable by every user");
	remove_copy();
}
END_TEST

START_TEST(a_file_in_a_directory_that_others_may_write_to_is_refused)
{
	copy_module("plain");
	chmod(dir, 0777);
	check_refused(copy, "writable by every user (run chmod go-w on it)");
	chmod(dir, 0757);
	check_refused(copy, "writable by every user (run chmod o-w on it)");
	chmod(dir, 0775);
	check_refused(copy, "writable by its group (run chmod go-w on it)");
	/* That of the system's temporary files is fine above the last one. */
	chmod(dir, 01777);
	check_refused(copy, "writable by every user");
	remove_copy();
}
END_TEST

START_TEST(a_file_of_another_user_is_refused)
{
	if (geteuid() != 0)
		return; /* cannot give a file away */
	copy_module("plain");
	ck_assert_int_eq(chown(copy, 12345, (gid_t)-1), 0);
	check_refused(copy, "belongs to user 12345");
	remove_copy();
}
END_TEST

START_TEST(a_link_is_judged_by_what_it_leads_to)
{
	char link[96];

	copy_module("plain");
	chmod(copy, 0666);
	snprintf(link, sizeof(link), "%s/link.so", dir);
	ck_assert_int_eq(symlink(copy, link), 0);
	check_refused(link, "writable by every user");
	unlink(link);
	remove_copy();
}
END_TEST

START_TEST(what_is_no_module_is_refused)
{
	char text[128];
	FILE *f;

	check_refused("noop.so", "must begin with \"/\"");
	check_refused("", "must begin with \"/\"");
	check_refused("/no/such/file.so", "cannot find it");
	check_refused("/", "not a regular file");
	check_refused(built("no_entry"), "does not export flowrra_module()");
	check_refused(built("old_abi"),
		      "for module interface 0, but this executor has 1");
	copy_module("plain");
	ck_assert_ptr_nonnull(f = fopen(copy, "w"));
	fputs("no object at all", f);
	fclose(f);
	snprintf(text, sizeof(text), "cannot load it: %s", copy);
	check_refused(copy, text);
	remove_copy();
}
END_TEST

/* --- descriptions -------------------------------------------------------- */

static int
run(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
    json_t **result)
{
	(void)task, (void)args, (void)kwargs, (void)result;
	return 0;
}

static void
start(struct flowrra_task *task, struct event_base *base, const json_t *args,
      const json_t *kwargs)
{
	(void)task, (void)base, (void)args, (void)kwargs;
}

static void
cancel(struct flowrra_task *task)
{
}

#define TYPE(...)                                                              \
	{                                                                      \
		.name = "t", FLOWRRA_TASK_DEFAULTS, __VA_ARGS__                \
	}
#define RUN(...) TYPE(.run = run, __VA_ARGS__)

/* Never ends, as far as a schema may go. */
static char too_long[FLOWRRA_PARAMS_MAX + 1] = {[0 ... FLOWRRA_PARAMS_MAX] =
						    ' '};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Woverride-init"
#pragma GCC diagnostic ignored "-Winitializer-overrides"
static const struct {
	struct flowrra_task_type type;
	const char *text; /* a part of the error's; NULL: it is fine */
} types[] = {
    {RUN(.name = "t"), NULL},
    {TYPE(.start = start, .cancel = cancel), NULL},
    {RUN(.retry_delay = 0.5, .retry_backoff = 2, .retry_delay_max = 60,
	 .retry_jitter = 1, .timeout = 5, .max_retries = 0, .queue = "q.1"),
     NULL},
    {RUN(.name = NULL), "a task's name is NULL"},
    {RUN(.name = ""), "a task's name \"\""},
    {RUN(.name = "a b"), "a task's name \"a b\""},
    {RUN(.name = "caf\xc3\xa9"), "a task's name"},
    {RUN(.name = "a/b"), "a task's name"},
    {TYPE(.run = NULL), "neither run nor start"},
    {TYPE(.run = run, .start = start), "both run and start"},
    {TYPE(.start = start, .cpu_bound = true), "cpu_bound and asynchronous"},
    {RUN(.cancel = cancel), "cancel without start"},
    {RUN(.max_retries = -2), "max_retries is -2"},
    {RUN(.max_retries = 1000001), "max_retries"},
    {RUN(.retry_delay = NAN), "retry_delay is nan"},
    {RUN(.retry_delay = INFINITY), "retry_delay is inf"},
    {RUN(.retry_backoff = NAN), "retry_backoff is nan"},
    {RUN(.retry_backoff = 0), "begin with FLOWRRA_TASK_DEFAULTS"},
    {RUN(.retry_backoff = 0.5), "retry_backoff"},
    {RUN(.retry_delay_max = -1), "retry_delay_max"},
    {RUN(.retry_jitter = 1.1), "retry_jitter"},
    {RUN(.retry_jitter = -NAN), "retry_jitter"},
    {RUN(.timeout = -0.1), "timeout"},
    {RUN(.timeout = 1e300), "timeout"},
    {RUN(.queue = ""), "the queue's name"},
    {RUN(.queue = "a b"), "the queue's name"},
    {RUN(.description = "two\nlines"), "not one line"},
    {RUN(.description = "\xff"), "not one line of UTF-8"},
    {RUN(.params = "{\"type\":\"object\"}"), NULL},
    {RUN(.params = "{ \n \"properties\" : {} } \n"), NULL},
    {RUN(.params = ""), "task \"t\": its params are not JSON"},
    {RUN(.params = "{\"a\":1,\"a\":2}"), "its params are not JSON: duplicate"},
    {RUN(.params = "{\n}}"), "line 2, column 2"},
    {RUN(.params = "{\"a\":\"\xff\"}"), "its params are not JSON"},
    {RUN(.params = "[]"), "its params are not a JSON Schema"},
    {RUN(.params = too_long), "its params have more than 16384 bytes"},
};
#pragma GCC diagnostic pop

START_TEST(a_description_is_checked)
{
	struct flowrra_module m = {.tasks = &types[_i].type,
				   .n_tasks = 1,
				   .task_size = sizeof(types[_i].type)};
	struct flowrra_task_type t;
	struct err err = ERR_INIT;
	int r = describe_read_task(&m, 0, &t, &err);

	if (types[_i].text == NULL) {
		ck_assert_msg(r == 0, "%s", err.msg);
		return;
	}
	ck_assert_int_eq(r, -1);
	ck_assert_msg(strstr(err.msg, types[_i].text) != NULL, "%s", err.msg);
}
END_TEST

START_TEST(a_name_of_200_characters_is_the_longest)
{
	char name[202];
	struct flowrra_task_type t = RUN(.description = "x"), ret;
	struct flowrra_module m = {
	    .tasks = &t, .n_tasks = 1, .task_size = sizeof(t)};
	struct err err = ERR_INIT;

	memset(name, 'a', 201);
	name[201] = '\0';
	t.name = name;
	ck_assert_int_eq(describe_read_task(&m, 0, &ret, &err), -1);
	name[200] = '\0';
	ck_assert_int_eq(describe_read_task(&m, 0, &ret, &err), 0);
}
END_TEST

static int
check_module(const struct flowrra_module *m, struct err *err)
{
	return describe_check_version(m, err) == 0
		   ? describe_check_module(m, err)
		   : -1;
}

START_TEST(a_module_with_larger_descriptions_is_understood)
{
	/* As a later minor version would have them. */
	struct {
		struct flowrra_task_type type;
		void *more[3];
	} tasks[] = {{.type = RUN(.queue = "a")}, {.type = RUN(.queue = "b")}};
	struct flowrra_module m = {.abi_major = FLOWRRA_MODULE_ABI_MAJOR,
				   .abi_minor = 9,
				   .name = "later",
				   .tasks = &tasks[0].type,
				   .n_tasks = 2,
				   .task_size = sizeof(tasks[0])};
	struct flowrra_task_type t;
	struct err err = ERR_INIT;

	ck_assert_msg(check_module(&m, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(describe_read_task(&m, 1, &t, &err), 0);
	ck_assert_str_eq(t.queue, "b");
}
END_TEST

/* What comes behind their descriptions is not theirs. */
START_TEST(a_module_of_an_older_version_has_no_params)
{
	struct {
		char type[offsetof(struct flowrra_task_type, params)];
		const char *behind;
	} tasks = {.behind = "no JSON"};
	const struct flowrra_task_type type = RUN(.queue = "a");
	struct flowrra_module m = {.abi_major = FLOWRRA_MODULE_ABI_MAJOR,
				   .abi_minor = 3,
				   .name = "earlier",
				   .tasks = (void *)&tasks,
				   .n_tasks = 1,
				   .task_size = sizeof(tasks.type)};
	struct flowrra_task_type t;
	struct err err = ERR_INIT;

	memcpy(tasks.type, &type, sizeof(tasks.type));
	ck_assert_msg(check_module(&m, &err) == 0, "%s", err.msg);
	ck_assert_msg(describe_read_task(&m, 0, &t, &err) == 0, "%s", err.msg);
	ck_assert_ptr_null(t.params);
	ck_assert_str_eq(t.queue, "a");
}
END_TEST

START_TEST(a_module_that_makes_no_sense_is_refused)
{
	static const struct flowrra_task_type t = RUN(.queue = "a");
	const struct flowrra_module good = {.abi_major =
						FLOWRRA_MODULE_ABI_MAJOR,
					    .name = "good",
					    .tasks = &t,
					    .n_tasks = 1,
					    .task_size = sizeof(t)};
	struct flowrra_module m = good;
	struct err err = ERR_INIT;

	ck_assert_int_eq(check_module(&m, &err), 0);
	ck_assert_int_eq(check_module(NULL, &err), -1);
	m.abi_major = 2;
	ck_assert_int_eq(check_module(&m, &err), -1);
	m = good;
	m.name = NULL;
	ck_assert_int_eq(check_module(&m, &err), -1);
	m = good;
	/* As a module of version 1.0 has them, and less. */
	m.task_size =
	    offsetof(struct flowrra_task_type, timeout) + sizeof(double);
	ck_assert_int_eq(check_module(&m, &err), 0);
	m.task_size -= 8;
	ck_assert_int_eq(check_module(&m, &err), -1);
	m.task_size = sizeof(t) + 1;
	ck_assert_int_eq(check_module(&m, &err), -1);
	m.task_size = 1u << 20;
	ck_assert_int_eq(check_module(&m, &err), -1);
	m = good;
	m.n_tasks = 0;
	ck_assert_int_eq(check_module(&m, &err), -1);
	m.n_tasks = SIZE_MAX;
	ck_assert_int_eq(check_module(&m, &err), -1);
	m = good;
	m.tasks = NULL;
	ck_assert_int_eq(check_module(&m, &err), -1);
}
END_TEST

START_TEST(a_module_is_handed_its_own_configuration)
{
	json_t *config =
	    json_pack("{s:{s:[ss]}, s:{s:[s]}}", "configured", "tasks", "one",
		      "two", "other", "tasks", "three");
	struct loader *l = loader_new();
	struct err err = ERR_INIT;

	loader_configure(l, config);
	ck_assert_msg(loader_load(l, built("configured"), &err) == 0, "%s",
		      err.msg);
	ck_assert_msg(loader_load(l, built("unconfigured"), &err) == 0, "%s",
		      err.msg);
	loader_configure(l, NULL);
	json_decref(config);
	ck_assert_ptr_nonnull(loader_find(l, SLICE("one")));
	ck_assert_ptr_nonnull(loader_find(l, SLICE("two")));
	ck_assert_ptr_null(loader_find(l, SLICE("three")));
	ck_assert_ptr_nonnull(loader_find(l, SLICE("unconfigured")));
	loader_free(l);
}
END_TEST

START_TEST(a_module_may_refuse_its_configuration)
{
	check_refused(built("configured"), "its configure failed: it wants the "
					   "names of its tasks");
}
END_TEST

SUITE("loader")
{
	TEST(a_modules_tasks_are_found_by_name);
	TEST(a_refused_module_leaves_the_others_as_they_are);
	TEST(a_file_that_others_may_write_to_is_refused);
	TEST(a_file_in_a_directory_that_others_may_write_to_is_refused);
	TEST(a_file_of_another_user_is_refused);
	TEST(a_link_is_judged_by_what_it_leads_to);
	TEST(what_is_no_module_is_refused);
	TEST_LOOP(a_description_is_checked, 0,
		  sizeof(types) / sizeof(types[0]));
	TEST(a_name_of_200_characters_is_the_longest);
	TEST(a_module_with_larger_descriptions_is_understood);
	TEST(a_module_of_an_older_version_has_no_params);
	TEST(a_module_that_makes_no_sense_is_refused);
	TEST(a_module_is_handed_its_own_configuration);
	TEST(a_module_may_refuse_its_configuration);
}
