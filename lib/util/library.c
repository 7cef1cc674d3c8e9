/* SPDX-License-Identifier: MIT */
/* Loading a library, and finding its functions. */
#include "util/library.h"

#include <dlfcn.h>
#include <string.h>

#include "util/err.h"

/* Lock held. All functions, or none: a table that is filled in part would be
 * found out in the middle of a call. */
static int
library_find(struct library *l, struct err *err)
{
	void *const handle = dlopen(l->file, RTLD_NOW | RTLD_LOCAL);
	const char *name = l->names;
	size_t i;

	/* In the library alone: a program that links us may have functions of
	 * the same names, of another version. */
	for (i = 0; handle != NULL && *name != '\0'; i++) {
		if ((l->functions[i] = dlsym(handle, name)) == NULL)
			break;
		name += strlen(name) + 1;
	}
	if (handle != NULL && *name == '\0')
		return 0;
	err_set(err, ERR_CONFIG,
		"cannot load the library for %s (is it installed?): %s",
		l->what, dlerror());
	if (handle != NULL)
		dlclose(handle);
	return -1;
}

int
library_load(struct library *l, struct err *err)
{
	int result = 0;

	pthread_mutex_lock(&l->lock);
	/* Not found at first, it may have been installed since. */
	if (!l->loaded && (result = library_find(l, err)) == 0)
		l->loaded = true;
	pthread_mutex_unlock(&l->lock);
	return result;
}
