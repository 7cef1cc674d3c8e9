/* SPDX-License-Identifier: MIT */
#include "util/conf_scene.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"

char conf_dir[64];
struct conf *conf;
struct err err;

void
conf_scene_open(void)
{
	static const char prefix[] = "FLOWRRA_";
	const char *tmp = getenv("TMPDIR");
	char name[64];
	char **p;

	snprintf(conf_dir, sizeof(conf_dir), "%.40s/flowrra-XXXXXX",
		 tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(conf_dir));
	/* unsetenv() moves what follows to the front. */
	for (p = environ; *p != NULL;) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*p, "="), *p);
		if (strncmp(*p, prefix, sizeof(prefix) - 1) != 0 ||
		    unsetenv(name) != 0)
			p++;
	}
	unsetenv("CREDENTIALS_DIRECTORY");
}

void
conf_scene_close(void)
{
	struct dirent *entry;
	DIR *d = opendir(conf_dir);

	while (d != NULL && (entry = readdir(d)) != NULL)
		unlinkat(dirfd(d), entry->d_name, 0);
	if (d != NULL)
		closedir(d);
	rmdir(conf_dir);
	conf_free(conf);
}

const char *
conf_file_of(const char *name, const void *text, size_t len)
{
	static char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", conf_dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
	return path;
}

void
conf_load_text(const char *text)
{
	const char *path = conf_file_of("conf", text, strlen(text));

	ck_assert_msg(conf_load(path, NULL, &conf, &err) == 0, "%s", err.msg);
}

void
ck_conf_refused(const char *path, const char *const *settings,
		const char *message)
{
	ck_assert_int_eq(conf_load(path, settings, &conf, &err), -1);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_str_eq(err.msg, message);
	ck_assert_ptr_null(conf);
}
