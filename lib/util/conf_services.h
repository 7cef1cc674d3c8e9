/* SPDX-License-Identifier: MIT */
/*
 * The URLs that the services of this machine share with permitted users, and
 * what becomes of a process that may not have them. Private to conf.c.
 */
#ifndef UTIL_CONF_SERVICES_H
#define UTIL_CONF_SERVICES_H

#include "util/conf.h"

struct conf_key;
struct err;

/* Files "section.key", 0640 and of the group flowrra. */
#define CONF_SHARED "/etc/flowrra/credentials"

/* The key that names a store. */
const struct conf_key *conf_services_key(enum conf_store which);

/*
 * Sets the SECRET keys that have a file in /etc/flowrra/credentials, and notes
 * in *conf which ones the services have but this process cannot get. For a
 * process that reads the standard configuration.
 */
int conf_services_load(struct conf *conf, struct err *err);

/* Notes which keys the worker that runs this command keeps to itself; it names
 * them in the environment (conf_announce()). */
void conf_services_load_withheld(struct conf *conf);

/* After a file was read that only this process was told of: other programs do
 * not find the URLs in it. */
void conf_services_own_file(struct conf *conf);

/* A stronger source has the key: nothing is missing. */
void conf_services_named(struct conf *conf, const struct conf_key *key);

#endif
