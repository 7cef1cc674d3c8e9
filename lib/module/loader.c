/* SPDX-License-Identifier: MIT */
/*
 * The loader: modules, and the registry of the task types in them.
 *
 * A module is loaded as a whole or not at all. The order is: the file, the
 * version, the configuration, the descriptions, the tasks, init(). So a module
 * that is refused has run as little of its own code as possible, and init(),
 * which may start threads, runs only when nothing else can fail.
 */
#include "module/loader.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "module/describe.h"
#include "util/err.h"
#include "util/trust.h"

struct loader {
	/* Each allocated alone: pointers to them are handed out. */
	struct loader_task **tasks;
	size_t n_tasks;
	/* Open addressing, linear probing; never more than half full. */
	const struct loader_task **table;
	size_t table_size; /* a power of two */
	const struct flowrra_module **modules;
	size_t n_modules;
	const json_t *config; /* by module name; NULL: nothing for anybody */
	const struct flowrra_module *own;
	bool check_only;
};

struct loader *
loader_new(void)
{
	return calloc(1, sizeof(struct loader));
}

/* The modules stay mapped, so their descriptions may still be used. */
void
loader_free(struct loader *l)
{
	size_t i;

	if (l == NULL)
		return;
	for (i = 0; i < l->n_tasks; i++)
		free(l->tasks[i]);
	free(l->tasks);
	free(l->table);
	free(l->modules);
	free(l);
}

void
loader_configure(struct loader *l, const json_t *config)
{
	l->config = config;
}

void
loader_set_own(struct loader *l, const struct flowrra_module *own)
{
	l->own = own;
}

void
loader_check_only(struct loader *l)
{
	l->check_only = true;
}

/* FNV-1a (fnvhash.com): good enough for names, short, and without a seed, since
 * the names are those of trusted modules. */
static size_t
hash(struct slice name)
{
	uint64_t h = 0xcbf29ce484222325u;
	size_t i;

	for (i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)name.p[i]) * 0x100000001b3u;
	return (size_t)(h ^ (h >> 32));
}

/* Where a name is in the table, or the free place where it would go. */
static size_t
place_of(const struct loader *l, struct slice name)
{
	size_t i = hash(name) & (l->table_size - 1);

	while (l->table[i] != NULL &&
	       !slice_eq(slice_of(l->table[i]->type.name), name))
		i = (i + 1) & (l->table_size - 1);
	return i;
}

/* Runs for each task, in any thread; nothing is written after loading. */
const struct loader_task *
loader_find(const struct loader *l, struct slice name)
{
	return l->table_size ? l->table[place_of(l, name)] : NULL;
}

size_t
loader_count(const struct loader *l)
{
	return l->n_tasks;
}

const struct loader_task *
loader_at(const struct loader *l, size_t i)
{
	return l->tasks[i];
}

/* Makes room for one more module with `more` tasks, so that registering it
 * cannot fail half-way. */
static int
make_room(struct loader *l, size_t more, struct err *err)
{
	size_t total = l->n_tasks + more, size = 64, i;
	const struct flowrra_module **modules;
	const struct loader_task **table;
	struct loader_task **tasks;

	while (size < total * 2)
		size *= 2;
	tasks = reallocarray(l->tasks, total, sizeof(void *));
	if (tasks != NULL)
		l->tasks = tasks;
	modules = reallocarray(l->modules, l->n_modules + 1, sizeof(void *));
	if (modules != NULL)
		l->modules = modules;
	table = calloc(size, sizeof(void *));
	if (tasks == NULL || modules == NULL || table == NULL) {
		free(table);
		return err_nomem(err);
	}
	free(l->table);
	l->table = table;
	l->table_size = size;
	for (i = 0; i < l->n_tasks; i++)
		table[place_of(l, slice_of(tasks[i]->type.name))] = tasks[i];
	return 0;
}

static int
add_task(struct loader *l, const struct flowrra_module *m, size_t i,
	 struct err *err)
{
	struct loader_task *task = calloc(1, sizeof(*task));
	const struct loader_task *other;
	size_t place;

	if (task == NULL)
		return err_nomem(err);
	task->module = m->name;
	if (describe_read_task(m, i, &task->type, err) != 0) {
		free(task);
		return -1;
	}
	place = place_of(l, slice_of(task->type.name));
	if ((other = l->table[place]) != NULL) {
		err_set(err, ERR_CONFIG,
			"task \"%s\" exists already, in module \"%s\" (rename "
			"one of them)",
			task->type.name, other->module);
		free(task);
		return -1;
	}
	l->table[place] = task;
	l->tasks[l->n_tasks++] = task;
	return 0;
}

/* Takes tasks away again, the last first, so that no probing chain breaks. */
static void
remove_tasks(struct loader *l, size_t keep)
{
	struct loader_task *task;

	while (l->n_tasks > keep) {
		task = l->tasks[--l->n_tasks];
		l->table[place_of(l, slice_of(task->type.name))] = NULL;
		free(task);
	}
}

#define REASON_SIZE ERR_MSG_MAX

/* The last byte is set here: a module may have used strncpy(). */
static int
refused_itself(const char *function, char reason[REASON_SIZE], struct err *err)
{
	reason[REASON_SIZE - 1] = '\0';
	return err_set(err, ERR_CONFIG, "its %s failed: %s", function,
		       reason[0] ? reason : "no reason given");
}

static int
call_init(const struct flowrra_module *m, struct err *err)
{
	char reason[REASON_SIZE] = "";

	if (m->init == NULL || m->init(reason, sizeof(reason)) == 0)
		return 0;
	return refused_itself("init", reason, err);
}

/* In a check: its configuration needs what this process may not read. */
static bool
is_withheld(const struct loader *l, const struct flowrra_module *m)
{
	return l->check_only &&
	       json_is_null(json_object_get(l->config, m->name));
}

/* The member exists from minor version 1 on. A module without a section gets an
 * empty object, so that it need not distinguish. */
static int
call_configure(const struct loader *l, const struct flowrra_module *m,
	       struct err *err)
{
	char reason[REASON_SIZE] = "";
	json_t *none = NULL;
	const json_t *config;
	int r;

	if (m->abi_minor < 1 || m->configure == NULL)
		return 0;
	config = json_object_get(l->config, m->name);
	if (config == NULL)
		config = json_object_get(l->config, LOADER_ANY);
	if (config == NULL && (config = none = json_object()) == NULL)
		return err_nomem(err);
	r = m->configure(config, reason, sizeof(reason));
	json_decref(none);
	return r == 0 ? 0 : refused_itself("configure", reason, err);
}

static int
add_module(struct loader *l, const struct flowrra_module *m, struct err *err)
{
	size_t before = l->n_tasks, i;

	if (describe_check_version(m, err) != 0)
		return -1;
	/* Its tasks may be known by its configuration alone. */
	if (is_withheld(l, m))
		return 0;
	if (call_configure(l, m, err) != 0 ||
	    describe_check_module(m, err) != 0 ||
	    make_room(l, m->n_tasks, err) != 0)
		return -1;
	for (i = 0; i < m->n_tasks; i++)
		if (add_task(l, m, i, err) != 0)
			goto fail;
	if (!l->check_only && call_init(m, err) != 0)
		goto fail;
	/* What has not begun needs no end. */
	if (l->check_only)
		return 0;
	l->modules[l->n_modules++] = m;
	return 0;
fail:
	remove_tasks(l, before);
	return -1;
}

/*
 * RTLD_NOW: a symbol that is missing shows here and not in the midst of a task.
 * RTLD_LOCAL: two modules may have functions of the same name.
 *
 * The path that was judged is loaded, not its descriptor: under the name
 * "/proc/self/fd/5" $ORIGIN would lead nowhere, debuggers and dladdr(3) would
 * show it, and a second module could be taken for the first. No race is left by
 * that: nobody but root and our own user can exchange anything on the path.
 */
static void *
open_object(const char *path, struct err *err)
{
	struct trust file;
	void *handle = NULL;

	if (trust_walk(path, false, &file, err) != 0)
		return NULL;
	if (trust_check_file(&file, err) == 0 &&
	    (handle = dlopen(file.path, RTLD_NOW | RTLD_LOCAL)) == NULL)
		err_set(err, ERR_CONFIG, "cannot load it: %s", dlerror());
	trust_done(&file);
	return handle;
}

static int
load(struct loader *l, const char *path, struct err *err)
{
	const struct flowrra_module *(*describe)(void);
	void *handle;

	if (l->own != NULL && strcmp(path, LOADER_OWN) == 0)
		return add_module(l, l->own, err);
	handle = open_object(path, err);
	if (handle == NULL)
		return -1;
	/* ISO C has no cast from an object to a function; POSIX has. */
	*(void **)&describe = dlsym(handle, "flowrra_module");
	if (describe == NULL)
		return err_set(
		    err, ERR_CONFIG,
		    "it does not export flowrra_module() (end it with "
		    "FLOWRRA_MODULE(…), and do not hide it from the linker)");
	return add_module(l, describe(), err);
}

int
loader_load(struct loader *l, const char *path, struct err *err)
{
	if (load(l, path, err) != 0)
		return err_prefix(err, "module %s", path);
	return 0;
}

/* In reverse order, as one module may use what another has set up. */
void
loader_fini(struct loader *l)
{
	while (l->n_modules > 0)
		if (l->modules[--l->n_modules]->fini != NULL)
			l->modules[l->n_modules]->fini();
}
