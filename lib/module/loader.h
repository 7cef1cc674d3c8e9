/* SPDX-License-Identifier: MIT */
/*
 * The loader: modules, and the registry of the task types in them.
 *
 * A module is code that runs with all our rights, so its file is judged before
 * it is mapped: an absolute path to a regular file, owned by root or by the
 * effective user and writable by its owner only, as are all directories on the
 * way to it (util/trust.h). Objects that the module needs are the dynamic
 * linker's business.
 *
 * Loading happens in one thread; loader_find() may be called from many
 * afterwards. No module is ever unmapped, refused ones neither: threads or
 * exit handlers of theirs may be alive.
 */
#ifndef MODULE_LOADER_H
#define MODULE_LOADER_H

#include <stddef.h>

#include "flowrra/module.h"
#include "util/buf.h"

struct err;
struct loader;

/* One registered task type. */
struct loader_task {
	/* As the module describes it; fields that a module of an older minor
	 * version does not have are zero. `queue` is never NULL. */
	struct flowrra_task_type type;
	const char *module; /* its name */
};

/* NULL when memory runs out. */
struct loader *loader_new(void);
/* Frees the registry; the modules stay mapped. */
void loader_free(struct loader *l);

/*
 * What the configuration says for modules: an object of objects, by module
 * name; LOADER_ANY is for each that is not named. In a check one may be null,
 * that is not known: then the module is not asked for its tasks. Borrowed; it must live until the last module is loaded. Without it, all
 * of them get an empty one.
 */
#define LOADER_ANY "*"
void loader_configure(struct loader *l, const json_t *config);

/*
 * A module that is part of this program, which loader_load() finds under this
 * name. NULL: there is none.
 */
#define LOADER_OWN "(of this program)"
void loader_set_own(struct loader *l, const struct flowrra_module *own);

/* From now on no module's init() is called: it is only to be seen whether they
 * can be loaded and configured. */
void loader_check_only(struct loader *l);

/*
 * Loads one module and registers its tasks, all or none: -1 with *err, which
 * names the module, says why it is refused and what to do about it.
 */
int loader_load(struct loader *l, const char *path, struct err *err);

/* The task type of this name, or NULL. */
const struct loader_task *loader_find(const struct loader *l,
				      struct slice name);

/* All of them, in the order in which they were registered. */
size_t loader_count(const struct loader *l);
const struct loader_task *loader_at(const struct loader *l, size_t i);

/* Calls the modules' fini functions, the last loaded first. */
void loader_fini(struct loader *l);

#endif
