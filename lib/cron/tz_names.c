/* SPDX-License-Identifier: MIT */
/*
 * Finds the zones in a folder. A name comes from people and becomes a path: it
 * is checked before any file is touched.
 */
#include "cron/tz.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cron/tz_path.h"
#include "util/err.h"

/* glibc's default. */
#define FOLDER "/usr/share/zoneinfo"
/* Two are enough for America/Argentina/Ushuaia; a loop of links has no end. */
#define DEPTH_MAX 4

const char *
tz_folder(void)
{
	/* Not in a program with rights that its user has not. */
	const char *folder = secure_getenv("TZDIR");

	return folder != NULL && *folder == '/' ? folder : FOLDER;
}

int
tz_check_name(struct slice name, struct err *err)
{
	const char *p;
	bool begins = true;

	if (name.len == 0)
		return err_set(err, ERR_DATA,
			       "the time zone name is empty; write one such as "
			       "\"Europe/Berlin\"");
	if (name.len > TZ_NAME_MAX)
		return err_set(err, ERR_DATA,
			       "the time zone \"%.20s...\" has a name of more "
			       "than %d bytes",
			       name.p, TZ_NAME_MAX);
	/* No part of a path begins with a dot: neither ".." nor what is
	 * hidden. */
	for (p = name.p; p < name.p + name.len; p++) {
		if ((begins && (*p == '.' || *p == '/')) ||
		    (!isalnum((unsigned char)*p) &&
		     (*p == '\0' || strchr("+-_./", *p) == NULL)))
			break;
		begins = *p == '/';
	}
	if (p < name.p + name.len || begins)
		return err_set(err, ERR_DATA,
			       "\"%.*s\" is not a valid time zone name; write "
			       "one such as \"America/New_York\"",
			       (int)name.len, name.p);
	return 0;
}

bool
tz_name_is_valid(struct slice name)
{
	return tz_check_name(name, NULL) == 0;
}

/* The names while they are collected. */
struct list {
	struct tz_names names;
	size_t cap;
	struct err *err;
};

/* Names that were copied before a failure are freed with the list. */
static int
add_name(struct list *l, const char *name)
{
	/* The tz database has about 600 names. */
	size_t cap = l->cap > 0 ? 2 * l->cap : 512;
	char **names;

	if (l->names.count == l->cap) {
		names = reallocarray(l->names.names, cap, sizeof(names[0]));
		if (names == NULL)
			return err_nomem(l->err);
		l->names.names = names;
		l->cap = cap;
	}
	names = l->names.names + l->names.count;
	*names = strdup(name);
	if (*names == NULL)
		return err_nomem(l->err);
	l->names.count++;
	return 0;
}

static int tz_names_walk(struct list *l, const char *folder, const char *below,
			 int depth);

/* Zones and folders begin with a capital; all else (tables, copies of all
 * zones in "posix" and "right", "localtime") does not. */
static int
visit(struct list *l, const char *folder, const char *below, const char *entry,
      int depth)
{
	char name[TZ_NAME_MAX + 2];
	char path[4096];
	struct stat st;
	int len;

	/* A stat() less for each of them. */
	if (!isupper((unsigned char)*entry))
		return 0;
	/* With the slash that a folder's name ends in. */
	len = snprintf(name, sizeof(name), "%s%s/", below, entry);
	if (len < 0 || len > TZ_NAME_MAX + 1)
		return 0;
	name[len - 1] = '\0';
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >=
		sizeof(path) ||
	    stat(path, &st) != 0)
		return 0;
	if (S_ISREG(st.st_mode))
		return add_name(l, name);
	if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
		return 0;
	name[len - 1] = '/';
	return tz_names_walk(l, folder, name, depth + 1);
}

/* `below` is "" or ends in a slash. A folder that cannot be opened fails the
 * whole walk: half of the names would look like all of them. */
static int
tz_names_walk(struct list *l, const char *folder, const char *below, int depth)
{
	char path[4096];
	struct dirent *entry;
	int status = 0;
	DIR *dir = NULL;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, below) <
	    sizeof(path))
		dir = opendir(path);
	if (dir == NULL)
		return err_sys(l->err, ERR_SYSTEM,
			       "cannot read the time zones in %s (install "
			       "tzdata, or set TZDIR)",
			       folder);
	while (status == 0 && (entry = readdir(dir)) != NULL)
		status = visit(l, folder, below, entry->d_name, depth);
	closedir(dir);
	return status;
}

static int
tz_compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
tz_names_read(const char *folder, struct tz_names *ret, struct err *err)
{
	struct list list = {.err = err};

	if (tz_names_walk(&list, folder != NULL ? folder : tz_folder(), "",
			  0) != 0) {
		tz_names_done(&list.names);
		return -1;
	}
	if (list.names.count > 0)
		qsort(list.names.names, list.names.count,
		      sizeof(list.names.names[0]), tz_compare_names);
	*ret = list.names;
	return 0;
}

void
tz_names_done(struct tz_names *names)
{
	size_t i;

	for (i = 0; i < names->count; i++)
		free(names->names[i]);
	free(names->names);
	*names = (struct tz_names){NULL, 0};
}
