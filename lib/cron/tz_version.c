/* SPDX-License-Identifier: MIT */
/*
 * Which version of the time zone data the system has. Next runs are computed
 * again when it changes, so any text will do that changes with the data.
 */
#include "cron/tz.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/err.h"

/* Where a version may stand, and what stands before it: Debian's packages have
 * tzdata.zi, some other systems +VERSION. */
static const struct {
	const char *file;
	const char *before;
} sources[] = {
    {"tzdata.zi", "# version "},
    {"+VERSION", ""},
};

/* Opens a file of the folder, or returns NULL. */
static FILE *
open_file(const char *folder, const char *name)
{
	char path[4096];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >=
	    sizeof(path))
		return NULL;
	return fopen(path, "re");
}

/* Reads the version from the first line of a file, if it is one. */
static bool
tz_read_line(const char *folder, const char *name, const char *before,
	     char version[TZ_VERSION_SIZE])
{
	FILE *file = open_file(folder, name);
	char line[TZ_VERSION_SIZE + 16] = "";
	size_t skip = strlen(before), len = 0;

	if (file == NULL)
		return false;
	if (fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	fclose(file);
	if (strncmp(line, before, skip) != 0)
		return false;
	while (isgraph((unsigned char)line[skip + len]))
		len++;
	if (len == 0 || len >= TZ_VERSION_SIZE)
		return false;
	memcpy(version, line + skip, len);
	version[len] = '\0';
	return true;
}

static uint64_t
add_bytes(uint64_t sum, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	while (len-- > 0)
		sum = (sum ^ *p++) * UINT64_C(0x100000001b3); /* FNV-1a */
	return sum;
}

/* A checksum over the names and the bytes of all zones. */
static int
tz_checksum(const char *folder, uint64_t *ret, struct err *err)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325); /* where FNV-1a begins */
	struct tz_names names;
	char bytes[8192];
	size_t i, got;
	FILE *file;

	if (tz_names_read(folder, &names, err) != 0)
		return -1;
	for (i = 0; i < names.count; i++) {
		sum =
		    add_bytes(sum, names.names[i], strlen(names.names[i]) + 1);
		file = open_file(folder, names.names[i]);
		/* One that cannot be read counts with its name. */
		if (file == NULL)
			continue;
		while ((got = fread(bytes, 1, sizeof(bytes), file)) > 0)
			sum = add_bytes(sum, bytes, got);
		fclose(file);
	}
	tz_names_done(&names);
	*ret = sum;
	return 0;
}

/* The checksum reads some 600 files, and only where no file names the
 * version. */
int
tz_version(const char *folder, char version[TZ_VERSION_SIZE], struct err *err)
{
	uint64_t sum;
	size_t i;

	if (folder == NULL)
		folder = tz_folder();
	for (i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (tz_read_line(folder, sources[i].file, sources[i].before,
				 version))
			return 0;
	if (tz_checksum(folder, &sum, err) != 0)
		return -1;
	snprintf(version, TZ_VERSION_SIZE, "sum-%016" PRIx64, sum);
	return 0;
}
