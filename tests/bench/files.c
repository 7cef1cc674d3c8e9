/* SPDX-License-Identifier: MIT */
/* The files of the benchmark. */
#include "files.h"

#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "options.h"
#include "page.h"
#include "program.h"

struct files files;

static char *
file_in(const char *parent, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", parent, name) < 0)
		errx(71, "out of memory");
	return path;
}

FILE *
files_open(const char *path, const char *mode)
{
	FILE *f = fopen(path, mode);

	if (f == NULL)
		err(71, "opening %s", path);
	return f;
}

static void
close_file(FILE *f, const char *path)
{
	if (ferror(f) || fclose(f) != 0)
		err(71, "writing %s", path);
}

static void
map_page(void)
{
	struct page *page;
	char *path = file_in(files.dir, "page");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, sizeof(*page)) != 0)
		err(71, "making %s", path);
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
	if (page == MAP_FAILED)
		err(71, "mapping %s", path);
	close(fd);
	files.page = page;
	setenv("BENCH_PAGE", path, 1);
	free(path);
}

static void
write_tasks(void)
{
	FILE *f;
	long i;

	f = files_open(files.tasks, "we");
	for (i = 0; i < opt.tasks; i++)
		fprintf(f, "{\"name\":\"%s\"}\n", opt.task);
	close_file(f, files.tasks);
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

void
files_make(void)
{
	const char *tmp = getenv("TMPDIR");

	files.dir = file_in(tmp != NULL ? tmp : "/tmp", "flowrra-bench-XXXXXX");
	if (mkdtemp(files.dir) == NULL)
		err(71, "making %s", files.dir);
	files.conf = file_in(files.dir, "flowrra.conf");
	files.tasks = file_in(files.dir, "tasks");
	files.ids = file_in(files.dir, "ids");
	files.out = file_in(files.dir, "out");
	map_page();
	write_tasks();
}

void
files_remove(void)
{
	munmap(files.page, sizeof(*files.page));
	nftw(files.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(files.conf);
	free(files.tasks);
	free(files.ids);
	free(files.out);
	free(files.dir);
}

static void
write_conf(const char *url, const char *socket)
{
	char *module = program_path("tests/bench/module.so");
	FILE *f = files_open(files.conf, "we");

	fprintf(f,
		"[broker]\nurl = %s\n"
		"[executor]\nio_workers = %ld\ncpu_workers = %ld\n"
		"[worker]\nmodules = %s\nstate_dir = %s\n",
		url, opt.io_workers, opt.cpu_workers, module, files.dir);
	if (socket != NULL)
		fprintf(f,
			"keep_output = 64k\n[metrics]\nlisten = unix:%s\n"
			"[trace]\nexport = file:%s/spans\n",
			socket, files.dir);
	close_file(f, files.conf);
	free(module);
}

void
files_write_conf(const char *url)
{
	write_conf(url, NULL);
}

void
files_write_watched_conf(const char *url, const char *socket)
{
	write_conf(url, socket);
}
