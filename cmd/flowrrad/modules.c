/* SPDX-License-Identifier: MIT */
/* From the names in [worker] modules to files. */
#include "modules.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/conf.h"
#include "util/err.h"
#include "util/proc.h"

/* Whoever has just built sums.so means that file. */
static bool
is_relative_path(const char *name)
{
	const size_t len = strlen(name);

	return strchr(name, '/') != NULL ||
	       (len > 3 && strcmp(name + len - 3, ".so") == 0);
}

static char *
resolve(const char *name, struct err *err)
{
	char *path = NULL, *cwd, *relative;

	if (name[0] == '/')
		path = strdup(name);
	else if (is_relative_path(name)) {
		if ((cwd = getcwd(NULL, 0)) == NULL) {
			err_sys(err, ERR_SYSTEM, "finding %s", name);
			return NULL;
		}
		if (asprintf(&path, "%s/%s", cwd, name) < 0)
			path = NULL;
		free(cwd);
	} else if (asprintf(&relative, "../lib/flowrra/%s.so", name) >= 0) {
		path = proc_beside(relative, err);
		free(relative);
		return path;
	}
	if (path == NULL)
		err_nomem(err);
	return path;
}

char **
modules_resolve(const char *text, struct err *err)
{
	char **list = conf_list(text), **m, *path;

	if (list == NULL) {
		err_nomem(err);
		return NULL;
	}
	for (m = list; *m != NULL; m++) {
		if ((path = resolve(*m, err)) == NULL) {
			conf_list_free(list);
			return NULL;
		}
		free(*m);
		*m = path;
	}
	return list;
}
