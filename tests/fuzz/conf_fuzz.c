/* SPDX-License-Identifier: MIT */
/* Whatever a configuration file holds, it is read or refused; what was read is
 * printed as a file that is read again. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/conf.h"
#include "util/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file in memory, and its name. */
static int
make_file(const void *data, size_t size, char name[64])
{
	int fd = memfd_create("conf", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(name, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* A masked password cannot be read again: only what has none is. */
static void
read_again(const struct conf *conf)
{
	struct conf *again;
	char *text = NULL, name[64];
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct err err;
	int fd;

	if (out == NULL)
		abort();
	conf_dump(conf, false, out);
	fclose(out);
	if (strstr(text, "***") == NULL) {
		fd = make_file(text, size, name);
		if (conf_load(name, NULL, &again, &err) != 0) {
			fprintf(stderr, "%s\n", err.msg);
			abort();
		}
		conf_free(again);
		close(fd);
	}
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *conf;
	char name[64];
	struct err err;
	int fd = make_file(data, size, name);

	if (conf_load(name, NULL, &conf, &err) == 0) {
		read_again(conf);
		conf_free(conf);
	}
	close(fd);
	return 0;
}
