/* SPDX-License-Identifier: MIT */
/*
 * Whether only root and this process's own user can change what a path leads
 * to: code that is about to run, or a file that says what runs.
 *
 * The way is gone step by step, by descriptors: each directory is opened in the
 * one before, which was judged already, and links are followed by hand. So
 * nobody else can exchange a part of the way while it is looked at. Nor can
 * they afterwards: a path that passes leads to the same file until root or the
 * user themselves change that.
 */
#ifndef UTIL_TRUST_H
#define UTIL_TRUST_H

#include <stdbool.h>

struct err;
struct stat;

struct trust {
	int fd;	    /* of the file, O_PATH: for fstat() and comparisons */
	char *path; /* to it, with no link in it; to be freed */
};

/*
 * Goes the way of an absolute path. Each directory and each link on it must
 * belong to root or to the effective user. No directory may be writable by a
 * group or by others; a sticky one above the last may be, as /tmp is, since the
 * next one in it is judged. `mounted`: a directory that is mounted read-only may
 * be, too. Of the file itself nothing is judged: see trust_check_file(). 0, or
 * -1 with *err: ERR_REFUSED, or ERR_CONFIG with the errno of what failed.
 */
int trust_walk(const char *path, bool mounted, struct trust *ret,
	       struct err *err);
/* Whether the file at its end is a regular one of root or the effective user
 * that nobody else may write to. 0, or -1 with *err. */
int trust_check_file(const struct trust *t, struct err *err);
/* Both at once, for those who do not need the descriptor; a relative path begins
 * in the working directory. */
int trust_check(const char *path, bool mounted, struct err *err);
/*
 * Whether nobody else can change a database of SQLite's: the file, what SQLite
 * keeps beside it, and the way there. The path is absolute and the file is there.
 * 0, or -1 with *err.
 */
int trust_check_database(const char *path, struct err *err);
/* Whether nobody else can put files into a directory, or another one in its
 * place. */
int trust_check_directory(const char *path, struct err *err);
void trust_done(struct trust *t);

#endif
