/* SPDX-License-Identifier: MIT */
/*
 * Finds the driver for a URL. That of the embedded database is a part of each
 * program; the others are shared objects, loaded when they are asked for, so
 * that a program that needs none of them starts fast and a machine that has no
 * such database needs no library for it.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schedules/db.h"
#include "util/err.h"
#include "util/proc.h"

static const struct {
	const char *scheme;
	const char *name; /* of the shared object, and of the driver in it */
} drivers[] = {
    {"sqlite://", NULL},	   {"postgresql://", "postgresql"},
    {"postgres://", "postgresql"}, {"mysql://", "mysql"},
    {"mariadb://", "mysql"},
};

/* Where the object is that this code is in: the library, in programs of others. */
static char *
beside_library(const char *name)
{
	static const char *const ways[] = {"../libexec", "../../libexec"};
	char *path = NULL, *slash;
	Dl_info info;
	size_t i;

	if (dladdr(drivers, &info) == 0 || info.dli_fname == NULL ||
	    (slash = strrchr(info.dli_fname, '/')) == NULL)
		return NULL;
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (asprintf(&path, "%.*s/%s/flowrra/database-%s.so",
			     (int)(slash - info.dli_fname), info.dli_fname,
			     ways[i], name) < 0)
			return NULL;
		if (access(path, R_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

/* As the programs find it, from their own place, or as the library does. */
static char *
driver_path(const char *name, struct err *err)
{
	char relative[64], *path, *other;

	snprintf(relative, sizeof(relative),
		 "../libexec/flowrra/database-%s.so", name);
	path = proc_beside(relative, err);
	if (path != NULL && access(path, R_OK) != 0 &&
	    (other = beside_library(name)) != NULL) {
		free(path);
		path = other;
	}
	return path;
}

/* They stay loaded: there is no telling who still uses them. */
static const struct db_driver *
load_driver(const char *name, struct err *err)
{
	const struct db_driver *driver = NULL;
	char symbol[32], *path;
	void *object;

	snprintf(symbol, sizeof(symbol), "db_%s", name);
	if ((path = driver_path(name, err)) == NULL)
		return NULL;
	/* RTLD_NOW: a library that does not fit shows here, with its name, and
	 * not in the middle of a call. RTLD_LOCAL: two drivers have the same
	 * inner names. */
	if ((object = dlopen(path, RTLD_NOW | RTLD_LOCAL)) != NULL)
		driver = dlsym(object, symbol);
	if (driver == NULL)
		err_set(err, ERR_CONFIG,
			"[scheduler] database_url: cannot load the driver for "
			"%s (is it installed?): %s",
			name, dlerror());
	free(path);
	return driver;
}

/* The URL is not quoted: it may hold a password, however it begins. */
static const struct db_driver *
find_driver(const char *url, struct err *err)
{
	size_t i;

	/* Without a URL it works with no server to be set up. */
	if (url == NULL || url[0] == '\0')
		return &db_sqlite;
	for (i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (strncmp(url, drivers[i].scheme,
			    strlen(drivers[i].scheme)) == 0)
			return drivers[i].name == NULL
				   ? &db_sqlite
				   : load_driver(drivers[i].name, err);
	err_set(err, ERR_CONFIG,
		"[scheduler] database_url: unknown kind of database; the URL "
		"must begin with sqlite://, postgresql:// or mysql://");
	return NULL;
}

/* The driver checks the URL; the timeout is the same for all of them. */
struct db *
db_open(const char *url, int64_t timeout_ms, struct err *err)
{
	const struct db_driver *driver = find_driver(url, err);
	struct db *db;

	if (driver == NULL)
		return NULL;
	if ((db = driver->open(url, err)) == NULL)
		return NULL;
	db->timeout_ms = timeout_ms;
	db->begin = db->sql->begin;
	db->poll_ms = driver->poll_ms;
	db->log = log_line;
	return db;
}
