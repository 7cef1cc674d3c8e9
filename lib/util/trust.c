/* SPDX-License-Identifier: MIT */
/* The way to a file, step by step. The rules resemble those of sshd's
 * StrictModes. */
#include "util/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/err.h"

/* As many as the kernel follows (path_resolution(7)). */
#define LINKS_MAX 40

struct walk {
	int fd;		 /* the directory that was reached; O_PATH */
	struct buf path; /* its path; empty: the root */
	struct buf rest; /* what is still to go */
	unsigned int links;
	bool mounted; /* as in trust_walk() */
	bool shared;  /* others may put files into the directory */
};

/* --- one step ---------------------------------------------------------- */

static const char *
walk_path(const struct walk *w)
{
	return w->path.len > 0 ? w->path.data : "/";
}

static bool
trust_is_owner(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* Who owns a directory can exchange what is in it, whatever its mode. */
static int
trust_refuse_owner(const char *what, const char *path, const struct stat *st,
		   struct err *err)
{
	const char *remedy = S_ISLNK(st->st_mode) ? "chown -h" : "chown";

	if (geteuid() == 0)
		return err_set(err, ERR_REFUSED,
			       "%s %s belongs to user %u; it must belong to "
			       "root, who runs this (run %s on it)",
			       what, path, (unsigned int)st->st_uid, remedy);
	return err_set(err, ERR_REFUSED,
		       "%s %s belongs to user %u; it must belong to root or to "
		       "user %u, who runs this (run %s on it)",
		       what, path, (unsigned int)st->st_uid,
		       (unsigned int)geteuid(), remedy);
}

static bool
trust_is_read_only(int fd)
{
	struct statvfs fs;

	return fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
}

/* Nobody must be told to take /tmp away from the others. */
static int
trust_refuse_mode(const char *path, const struct stat *st, struct err *err)
{
	const char *who = st->st_mode & S_IWOTH ? "every user" : "its group";

	if ((st->st_mode & S_ISVTX) != 0)
		return err_set(err, ERR_REFUSED,
			       "its directory %s is writable by %s; move it to "
			       "one that is not",
			       path, who);
	return err_set(
	    err, ERR_REFUSED,
	    "its directory %s is writable by %s (run chmod %s on it)", path,
	    who, st->st_mode & S_IWGRP ? "go-w" : "o-w");
}

/* Judges the directory behind w->fd. An access control list cannot allow more
 * than the bits of the group show (acl(5)). */
static int
walk_judge(struct walk *w, struct err *err)
{
	struct stat st;

	if (fstat(w->fd, &st) != 0)
		return err_sys(err, ERR_CONFIG, "cannot inspect %s",
			       walk_path(w));
	if (!trust_is_owner(&st))
		return trust_refuse_owner("its directory", walk_path(w), &st,
					  err);
	w->shared = (st.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
		    !(w->mounted && trust_is_read_only(w->fd));
	if (w->shared && (st.st_mode & S_ISVTX) == 0)
		return trust_refuse_mode(walk_path(w), &st, err);
	return 0;
}

/* Takes the descriptor. */
static int
walk_enter(struct walk *w, int fd, struct err *err)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
	return walk_judge(w, err);
}

static int
walk_to_root(struct walk *w, struct err *err)
{
	const int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, ERR_CONFIG, "cannot open /");
	buf_reset(&w->path);
	return walk_enter(w, fd, err);
}

static int
walk_up(struct walk *w, struct err *err)
{
	const int fd =
	    openat(w->fd, "..", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, ERR_CONFIG,
			       "cannot open the directory "
			       "above %s",
			       walk_path(w));
	while (w->path.len > 0 && w->path.data[--w->path.len] != '/')
		;
	if (w->path.data != NULL)
		w->path.data[w->path.len] = '\0';
	return walk_enter(w, fd, err);
}

/* The message shows the whole path: the link may be one that another led to. */
static int
walk_refuse_link(const struct walk *w, const char *name, const struct stat *st,
		 struct err *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s",
		 w->path.len > 0 ? w->path.data : "", name);
	return trust_refuse_owner("the link", path, st, err);
}

/* What the link says stands for its name. */
static int
walk_link(struct walk *w, int fd, struct err *err)
{
	char target[PATH_MAX];
	struct buf rest = BUF_INIT;
	const ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);

	if (n <= 0)
		return err_sys(err, ERR_CONFIG, "cannot read a link");
	if (++w->links > LINKS_MAX) {
		errno = ELOOP;
		return err_sys(err, ERR_CONFIG, "cannot follow its links");
	}
	target[n] = '\0';
	buf_adds(&rest, target);
	if (w->rest.len > 0)
		buf_addf(&rest, "/%s", w->rest.data);
	if (rest.failed)
		return err_nomem(err);
	buf_done(&w->rest);
	w->rest = rest;
	return target[0] == '/' ? walk_to_root(w, err) : 0;
}

/* --- the way ----------------------------------------------------------- */

/* Takes the next name from the rest; 0: there is none, -1 with *err. */
static int
walk_next(struct walk *w, char name[NAME_MAX + 1], struct err *err)
{
	const size_t from = strspn(w->rest.data, "/");
	const size_t len = strcspn(w->rest.data + from, "/");

	if (len == 0)
		return 0;
	if (len > NAME_MAX) {
		errno = ENAMETOOLONG;
		return err_sys(err, ERR_CONFIG, "cannot find it");
	}
	memcpy(name, w->rest.data + from, len);
	name[len] = '\0';
	w->rest.len -= from + len;
	memmove(w->rest.data, w->rest.data + from + len, w->rest.len + 1);
	return 1;
}

/* Where others may put files, they can put them beside ours, too: what is loaded
 * or opened after ours by a name that follows from its name. */
static int
walk_judge_last(const struct walk *w, struct err *err)
{
	struct stat st;

	return w->shared && fstat(w->fd, &st) == 0
		   ? trust_refuse_mode(walk_path(w), &st, err)
		   : 0;
}

/* The last name was reached, and `fd` is what it names: it is ret's, also when
 * this fails. */
static int
walk_end(struct walk *w, int fd, struct trust *ret, struct err *err)
{
	ret->fd = fd;
	ret->path = w->path.failed ? NULL : strdup(walk_path(w));
	return ret->path != NULL ? 0 : err_nomem(err);
}

/* One name that is not "." or "..". 1: it was the last; *ret is filled. */
static int
walk_step(struct walk *w, const char *name, struct trust *ret, struct err *err)
{
	const int fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0)
		return err_sys(err, ERR_CONFIG, "cannot find it");
	if (fstat(fd, &st) != 0) {
		close(fd);
		return err_sys(err, ERR_CONFIG, "cannot inspect it");
	}
	if (S_ISLNK(st.st_mode)) {
		r = !trust_is_owner(&st) ? walk_refuse_link(w, name, &st, err)
					 : walk_link(w, fd, err);
		close(fd);
		return r;
	}
	if (S_ISDIR(st.st_mode)) {
		buf_addf(&w->path, "/%s", name);
		return walk_enter(w, fd, err);
	}
	if (w->rest.len > 0) {
		close(fd);
		errno = ENOTDIR;
		return err_sys(err, ERR_CONFIG, "cannot find it");
	}
	if ((r = walk_judge_last(w, err)) != 0) {
		close(fd);
		return r;
	}
	buf_addf(&w->path, "/%s", name);
	return walk_end(w, fd, ret, err) == 0 ? 1 : -1;
}

/* All names were directories: so is what the path leads to. */
static int
walk_end_in_directory(struct walk *w, struct trust *ret, struct err *err)
{
	const int fd = w->fd;

	if (walk_judge_last(w, err) != 0)
		return -1;
	w->fd = -1;
	return walk_end(w, fd, ret, err) == 0 ? 1 : -1;
}

static int
walk_all(struct walk *w, struct trust *ret, struct err *err)
{
	char name[NAME_MAX + 1];
	int r = walk_to_root(w, err);

	while (r == 0 && (r = walk_next(w, name, err)) >= 0) {
		if (r == 0)
			r = walk_end_in_directory(w, ret, err);
		else if (strcmp(name, "..") == 0)
			r = walk_up(w, err);
		else
			r = strcmp(name, ".") != 0
				? walk_step(w, name, ret, err)
				: 0;
	}
	return r > 0 ? 0 : -1;
}

int
trust_walk(const char *path, bool mounted, struct trust *ret, struct err *err)
{
	struct walk w = {
	    .fd = -1, .path = BUF_INIT, .rest = BUF_INIT, .mounted = mounted};
	int r;

	*ret = (struct trust){.fd = -1};
	if (path[0] != '/')
		return err_set(err, ERR_CONFIG,
			       "its path must begin with \"/\"");
	buf_adds(&w.rest, path);
	r = w.rest.failed ? err_nomem(err) : walk_all(&w, ret, err);
	if (w.fd >= 0)
		close(w.fd);
	buf_done(&w.path);
	buf_done(&w.rest);
	if (r != 0)
		trust_done(ret);
	return r;
}

/* The messages name the command that helps: most files that fail were copied by
 * hand. */
int
trust_check_file(const struct trust *t, struct err *err)
{
	struct stat st;

	if (fstat(t->fd, &st) != 0)
		return err_sys(err, ERR_CONFIG, "cannot inspect it");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "%s is not a regular file",
			       t->path);
	if (!trust_is_owner(&st))
		return trust_refuse_owner("the file", t->path, &st, err);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(
		    err, ERR_REFUSED,
		    "%s is writable by %s; only its owner may write to it (run "
		    "chmod go-w on it)",
		    t->path, st.st_mode & S_IWOTH ? "every user" : "its group");
	return 0;
}

/* As trust_walk(), for any path. */
static int
trust_walk_from_here(const char *path, bool mounted, struct trust *ret,
		     struct err *err)
{
	char *directory, *whole = NULL;
	int r;

	*ret = (struct trust){.fd = -1};
	if (path[0] == '/')
		return trust_walk(path, mounted, ret, err);
	if ((directory = getcwd(NULL, 0)) == NULL)
		return err_sys(err, ERR_CONFIG,
			       "cannot find the working directory");
	if (asprintf(&whole, "%s/%s", directory, path) < 0)
		whole = NULL;
	free(directory);
	if (whole == NULL)
		return err_nomem(err);
	r = trust_walk(whole, mounted, ret, err);
	free(whole);
	return r;
}

int
trust_check(const char *path, bool mounted, struct err *err)
{
	struct trust t;
	int r = trust_walk_from_here(path, mounted, &t, err);

	if (r == 0)
		r = trust_check_file(&t, err);
	trust_done(&t);
	return r;
}

int
trust_check_directory(const char *path, struct err *err)
{
	struct trust t;
	const int r = trust_walk_from_here(path, false, &t, err);

	trust_done(&t);
	return r;
}

void
trust_done(struct trust *t)
{
	if (t->fd >= 0)
		close(t->fd);
	free(t->path);
	*t = (struct trust){.fd = -1};
}
