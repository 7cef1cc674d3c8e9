/* SPDX-License-Identifier: MIT */
/* A directory of a test's own, and what is loaded there. No variable sets a key. */
#ifndef TESTS_UTIL_CONF_SCENE_H
#define TESTS_UTIL_CONF_SCENE_H

#include <stddef.h>

#include "util/conf.h"
#include "util/err.h"

extern char conf_dir[64];
extern struct conf *conf;
extern struct err err;

/* A fixture of suites. */
void conf_scene_open(void);
void conf_scene_close(void);

/* Writes a file in the directory; returns its path, good until the next call. */
const char *conf_file_of(const char *name, const void *text, size_t len);
/* Of a file with that text. */
void conf_load_text(const char *text);
void ck_conf_refused(const char *path, const char *const *settings,
		     const char *message);

#endif
