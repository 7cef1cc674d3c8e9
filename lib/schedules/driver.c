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

/* They stay loaded: there is no telling who still uses them. */
static const struct db_driver *
load_driver(const char *name, struct err *err)
{
	const struct db_driver *driver = NULL;
	char relative[64], symbol[32], *path;
	void *object;

	snprintf(relative, sizeof(relative),
		 "../libexec/flowrra/database-%s.so", name);
	snprintf(symbol, sizeof(symbol), "db_%s", name);
	if ((path = proc_beside(relative, err)) == NULL)
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
