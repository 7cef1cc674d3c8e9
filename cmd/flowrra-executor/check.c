/* SPDX-License-Identifier: MIT */
/*
 * Modules are loaded as an executor does it, in a process of their own, since a
 * constructor may crash or end it. init() is left out: it may open what the
 * running service has open already.
 */
#include "check.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "executor/ready.h"
#include "module/loader.h"
#include "util/buf.h"
#include "util/err.h"

static void
on_check_loading(const char *path, void *arg)
{
	dprintf(CHECK_FD, "loading %s\n", path);
}

static int
read_init(struct buf *init, struct err *err)
{
	ssize_t n;

	do {
		if (buf_reserve(init, 4096) != 0)
			return err_nomem(err);
		n = read(STDIN_FILENO, init->data + init->len, 4096);
		if (n < 0)
			return err_sys(err, ERR_SYSTEM,
				       "cannot read standard input");
		init->len += (size_t)n;
	} while (n > 0);
	return 0;
}

static int
write_all(const struct buf *text)
{
	size_t done = 0;
	ssize_t n;

	while (done < text->len) {
		n = write(CHECK_FD, text->data + done, text->len - done);
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

/* For flowrrad. */
static int
check_ordered(struct loader *l, struct err *err)
{
	struct buf init = BUF_INIT, ready = BUF_INIT;
	int r = read_init(&init, err);

	if (r == 0)
		r = ready_load(l, (struct slice){init.data, init.len},
			       on_check_loading, NULL, &ready, err);
	if (r == 0 && write_all(&ready) != 0)
		r = err_sys(err, ERR_SYSTEM, "cannot write to descriptor %d",
			    CHECK_FD);
	buf_done(&init);
	buf_done(&ready);
	return r;
}

/* For those who write modules. */
static int
check_files(struct loader *l, int n, char **files)
{
	char path[PATH_MAX];
	struct err err;
	int i, n_bad = 0;

	for (i = 0; i < n; i++) {
		if (loader_load(
			l, realpath(files[i], path) != NULL ? path : files[i],
			&err) == 0)
			continue;
		fprintf(stderr, "flowrra-executor: %s\n", err.msg);
		n_bad++;
	}
	return n_bad == 0 ? 0 : err_exit_status(ERR_CONFIG);
}

int
check_modules(int n, char **files)
{
	struct loader *l = loader_new();
	struct err err = ERR_INIT;
	int status = 0;

	if (l == NULL) {
		fputs("flowrra-executor: out of memory\n", stderr);
		return err_exit_status(ERR_SYSTEM);
	}
	loader_check_only(l);
	if (n > 0)
		status = check_files(l, n, files);
	else if (check_ordered(l, &err) != 0) {
		fprintf(stderr, "flowrra-executor: %s\n", err.msg);
		status = err_exit_status(err.code);
	}
	loader_free(l);
	return status;
}
