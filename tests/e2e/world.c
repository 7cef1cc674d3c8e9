/* SPDX-License-Identifier: MIT */
/* A world: its directory, servers, configuration and strings. */
#include "e2e/world.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "e2e/worker.h"
#include "e2e/world_private.h"
#include "redis_group.h"

/* --- strings and files --------------------------------------------------- */

char *
world_keep(struct world *w, char *text)
{
	ck_assert_ptr_nonnull(text);
	w->kept = realloc(w->kept, (w->n_kept + 1) * sizeof(*w->kept));
	ck_assert_ptr_nonnull(w->kept);
	w->kept[w->n_kept++] = text;
	return text;
}

char *
world_vtext(struct world *w, const char *fmt, va_list ap)
{
	char *text;

	ck_assert_int_ge(vasprintf(&text, fmt, ap), 0);
	return world_keep(w, text);
}

char *
world_text(struct world *w, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = world_vtext(w, fmt, ap);
	va_end(ap);
	return text;
}

char *
world_read(struct world *w, const char *path)
{
	char *full = world_text(w, "%s%s%s", path[0] == '/' ? "" : w->dir,
				path[0] == '/' ? "" : "/", path);
	size_t len = 0, size = 4096;
	char *text = malloc(size);
	FILE *f = fopen(full, "re");

	ck_assert_ptr_nonnull(text);
	while (f != NULL && !feof(f) && !ferror(f)) {
		len += fread(text + len, 1, size - len - 1, f);
		if (size - len < 2048)
			text = realloc(text, size *= 2);
		ck_assert_ptr_nonnull(text);
	}
	if (f != NULL)
		fclose(f);
	text[len] = '\0';
	return world_keep(w, text);
}

void
world_write(struct world *w, const char *path, const void *p, size_t len)
{
	FILE *f = fopen(world_text(w, "%s/%s", w->dir, path), "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(p, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

const char *
world_dir(const struct world *w)
{
	return w->dir;
}

const char *
world_built(struct world *w, const char *relative)
{
	return world_text(w, "%s/%s", w->build, relative);
}

const char *
world_source(struct world *w, const char *relative)
{
	return world_text(w, "%s/%s", w->top, relative);
}

struct redis_group *
world_group(const struct world *w)
{
	return w->group;
}

void
world_follow(struct world *w, size_t i)
{
	w->redis = redis_group_server(w->group, i);
}

struct redis_server *
world_redis(const struct world *w)
{
	return w->redis;
}

struct redis_server *
world_backend(const struct world *w)
{
	return w->backend != NULL ? w->backend : w->redis;
}

/* --- waiting ------------------------------------------------------------- */

int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool
wait_a_moment(int64_t deadline_ms, unsigned int *turn)
{
	const unsigned int ms = *turn < 50 ? ++*turn : 50;
	const struct timespec t = {.tv_nsec = ms * 1000000L};

	if (now_ms() > deadline_ms)
		return false;
	nanosleep(&t, NULL);
	return true;
}

/* --- configuration ------------------------------------------------------- */

static const char *
module_path(struct world *w, const char *name)
{
	if (name[0] == '/' || strcmp(name, "demo") == 0)
		return name;
	return world_text(w, "%s/tests/modules/%s.so", w->build, name);
}

static const char *
module_paths(struct world *w, const char *names)
{
	char *list = world_text(w, "%s", names), *save, *name;
	const char *paths = "";

	for (name = strtok_r(list, " ", &save); name != NULL;
	     name = strtok_r(NULL, " ", &save))
		paths = world_text(w, "%s %s", paths, module_path(w, name));
	return paths;
}

/* By default they would live in this machine's own database. */
static const char *
schedules_of(struct world *w, const char *config)
{
	const char *url =
	    strncmp(w->url, "sqlite:", 7) == 0
		? w->url
		: world_text(w, "sqlite://%s/schedules.db", w->dir);

	if (strstr(config, "database_url") != NULL)
		return "";
	return world_text(w, "[scheduler]\ndatabase_url = %s\n", url);
}

void
world_configure(struct world *w, const char *modules, const char *config)
{
	const char *more = config != NULL ? config : "";
	const char *text = world_text(
	    w,
	    "[broker]\nurl = %s\n[backend]\nurl = %s\n%s"
	    "[worker]\nid = test:1\nstate_dir = %s/state\n"
	    "modules = %s\n%s",
	    w->url, w->backend_url != NULL ? w->backend_url : "",
	    schedules_of(w, more), w->dir,
	    module_paths(w, modules != NULL ? modules : "demo"), more);

	world_write(w, "flowrra.conf", text, strlen(text));
}

const char *
world_url(const struct world *w)
{
	return w->url;
}

/* --- the beginning and the end ------------------------------------------- */

/*
 * Outlives the test by a moment: shows the logs unless the test ended well, and
 * removes the directory.
 */
static const char janitor[] =
    "cd \"$1\" && read word\n"
    "[ \"$word\" = done ] || tail -n 40 worker-*.log >&2 2>/dev/null\n"
    "cd / && exec rm -rf \"$1\"";

static void
start_janitor(struct world *w)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	w->janitor = fork();
	ck_assert_int_ge(w->janitor, 0);
	if (w->janitor == 0) {
		setsid();
		dup2(ends[0], STDIN_FILENO);
		closefrom(3);
		execl("/bin/sh", "sh", "-c", janitor, "sh", w->dir,
		      (char *)NULL);
		_exit(127);
	}
	close(ends[0]);
	w->janitor_fd = ends[1];
}

/* Of this process and all that it starts; it runs nothing but this test. */
static void
set_environment(const struct world *w)
{
	char path[4096], runtime[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bin:%s", w->build, getenv("PATH"));
	snprintf(runtime, sizeof(runtime), "%s/flowrra", w->dir);
	setenv("PATH", path, 1);
	setenv("TMPDIR", w->dir, 1);
	setenv("HOME", w->dir, 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	/* Daemons tell of themselves here, and not in /run. */
	ck_assert_int_eq(mkdir(runtime, 0755), 0);
	setenv("RUNTIME_DIRECTORY", runtime, 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("JOURNAL_STREAM");
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
}

static bool
others_can_go_to(const char *directory)
{
	char path[PATH_MAX];
	struct stat st;
	char *end;

	snprintf(path, sizeof(path), "%s", directory);
	for (;;) {
		if (stat(path, &st) != 0 || (st.st_mode & S_IXOTH) == 0)
			return false;
		if ((end = strrchr(path, '/')) == NULL || end == path)
			return true;
		*end = '\0';
	}
}

/* Root plays other users, too, who may not be able to go where it has built. */
static void
copy_programs(struct world *w)
{
	const char *copy = world_text(w, "%s/programs", w->dir);
	const char *command = world_text(
	    w,
	    "chmod 755 %s && mkdir %s && cd %s && "
	    "cp -r --parents bin libexec lib/flowrra lib/*.so* tests/modules "
	    "tests/soak/clock_shim.so %s",
	    w->dir, copy, w->build, copy);

	ck_assert_msg(system(command) == 0, "%s", command);
	w->build = copy;
}

static void
make_place(struct world *w)
{
	const char *tmp = getenv("TMPDIR"), *build = getenv("BUILD_DIR");

	ck_assert_msg(build != NULL && build[0] == '/',
		      "BUILD_DIR must name the folder with the programs; "
		      "`make e2e` sets it");
	w->build = build;
	w->top = world_keep(w, getcwd(NULL, 0));
	w->dir = world_text(w, "%s/flowrra-e2e-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(w->dir));
	start_janitor(w);
	if (geteuid() == 0 && !others_can_go_to(build))
		copy_programs(w);
	set_environment(w);
}

struct world *
world_start(const struct world_options *given)
{
	static const struct world_options none;
	const struct world_options *o = given != NULL ? given : &none;
	struct world *w = calloc(1, sizeof(*w));

	ck_assert_ptr_nonnull(w);
	w->janitor_fd = -1;
	w->crashes = o->crashes;
	make_place(w);
	if (o->group)
		w->group = redis_group_start(NULL);
	w->redis = o->group ? redis_group_server(w->group, 0)
			    : redis_server_start(&o->redis);
	if (o->separate_backend)
		w->backend = redis_server_start(NULL);
	w->backend_url = o->backend;
	if (w->backend != NULL)
		w->backend_url = redis_server_unix_url(w->backend);
	if (o->url != NULL)
		w->url = o->url;
	else if (o->group)
		w->url = redis_group_url(w->group);
	else if (o->embedded)
		w->url = world_text(w, "sqlite://%s/flowrra.db", w->dir);
	else if (o->redis.tls)
		w->url = redis_server_url(w->redis);
	else
		w->url = redis_server_unix_url(w->redis);
	world_configure(w, o->modules, o->config);
	if (!o->no_worker)
		worker_start(w, o->command);
	return w;
}

void
world_stop(struct world *w)
{
	size_t i;

	workers_stop(w);
	if (w->group != NULL)
		redis_group_stop(w->group);
	else
		redis_server_stop(w->redis);
	redis_server_stop(w->backend);
	ck_assert_int_eq(write(w->janitor_fd, "done\n", 5), 5);
	close(w->janitor_fd);
	waitpid(w->janitor, NULL, 0);
	for (i = 0; i < w->n_kept; i++)
		free(w->kept[i]);
	free(w->kept);
	free(w);
}
