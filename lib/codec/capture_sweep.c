/* SPDX-License-Identifier: MIT */
/*
 * Keeping the files of commands' output within their bounds, the oldest first.
 *
 * The first file of an attempt is locked while its command runs, and so is not
 * removed, nor are those that continue it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "codec/capture.h"

struct swept {
	char *name;
	int64_t mtime_s;
	uint64_t size;
};

struct sweep {
	int fd; /* the directory */
	struct swept *files;
	size_t n, cap;
	uint64_t total;
};

static void
sweep_note(struct sweep *s, const char *name)
{
	struct swept *more;
	struct stat st;

	if (name[0] == '.' ||
	    fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(st.st_mode))
		return;
	if (s->n == s->cap) {
		more = reallocarray(s->files, s->cap * 2 + 64, sizeof(*more));
		if (more == NULL)
			return;
		s->files = more;
		s->cap = s->cap * 2 + 64;
	}
	if ((s->files[s->n].name = strdup(name)) == NULL)
		return;
	s->files[s->n].mtime_s = st.st_mtim.tv_sec;
	s->files[s->n].size = (uint64_t)st.st_size;
	s->total += (uint64_t)st.st_size;
	s->n++;
}

static int
compare_age(const void *a, const void *b)
{
	const struct swept *x = a, *y = b;

	return x->mtime_s < y->mtime_s ? -1 : x->mtime_s > y->mtime_s;
}

/* Whether the command of the attempt still runs: "17.1" for "17.1.2", too. */
static bool
sweep_is_written(const struct sweep *s, const char *name)
{
	char first[CAPTURE_NAME_SIZE];
	bool written;
	char *dot;
	int fd;

	strncpy(first, name, sizeof(first) - 1);
	first[sizeof(first) - 1] = '\0';
	dot = strrchr(first, '.');
	if (dot != NULL && strchr(first, '.') != dot)
		*dot = '\0';
	fd = openat(s->fd, first,
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	written = flock(fd, LOCK_EX | LOCK_NB) != 0;
	close(fd);
	return written;
}

uint64_t
capture_sweep(const char *directory, int64_t keep_s, uint64_t total)
{
	const int64_t before_s = time(NULL) - keep_s;
	struct sweep s = {.fd = -1};
	struct dirent *entry;
	DIR *dir = opendir(directory);
	size_t i;

	if (dir == NULL)
		return 0;
	s.fd = dirfd(dir);
	while ((entry = readdir(dir)) != NULL)
		sweep_note(&s, entry->d_name);
	if (s.n > 0)
		qsort(s.files, s.n, sizeof(*s.files), compare_age);
	for (i = 0; i < s.n; i++) {
		if ((s.files[i].mtime_s < before_s || s.total > total) &&
		    !sweep_is_written(&s, s.files[i].name) &&
		    unlinkat(s.fd, s.files[i].name, 0) == 0)
			s.total -= s.files[i].size;
		free(s.files[i].name);
	}
	free(s.files);
	closedir(dir);
	return s.total;
}
