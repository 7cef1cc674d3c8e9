/* SPDX-License-Identifier: MIT */
/*
 * What a command prints, kept in files of bounded size.
 *
 * Each attempt of a task has its own: "<id>.<attempt>" has the beginning, up to
 * half of what may be kept, and "<id>.<attempt>.1" and ".2" take turns with the
 * rest, a quarter each: of a long output the beginning and the end stay. A file
 * is made with the first bytes for it. One that takes another's place is a new
 * file, so that who reads the old one comes to its end in peace.
 *
 * A file is a row of records, each with its length, stream and time, in the byte
 * order of this machine. The first one of a file says how much came before it.
 */
#ifndef CODEC_CAPTURE_H
#define CODEC_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

struct conf;
struct err;

enum capture_stream {
	CAPTURE_BEGIN, /* of a file: its bytes are a struct capture_begin */
	CAPTURE_STDOUT,
	CAPTURE_STDERR
};

/* In front of a record's bytes. */
struct capture_head {
	uint32_t magic; /* CAPTURE_MAGIC + the stream */
	uint32_t len;	/* of the bytes behind */
	int64_t wall_us;
};
#define CAPTURE_MAGIC 0x46631000u

struct capture_begin {
	uint64_t number; /* of the file: 0 is the first, then 1, 2, … */
	uint64_t before; /* bytes of output that came before it */
};

/* Room for the name of a file, without its directory. */
#define CAPTURE_NAME_SIZE 256
/* The name of the nth file of an attempt. IDs that are no names of files have
 * others. */
void capture_name(char name[CAPTURE_NAME_SIZE], const char *id,
		  unsigned int attempt, uint64_t number);
/* The attempt that a file belongs to, if it is the first one of a task's attempts;
 * 0: it is not. */
unsigned int capture_attempt_of(const char *name, const char *id);

/* Where a worker with this configuration keeps these files: "output" in its state
 * directory. free() it; NULL when memory runs out, or there is none. */
char *capture_directory(const struct conf *conf);

/* --- writing -------------------------------------------------------------- */

struct capture;

struct capture_options {
	const char *directory; /* made with mode 0700 if it is not there */
	const char *id;
	unsigned int attempt;
	uint64_t max; /* bytes in all files together, about */
	/* While a follower has not come so far, by so much the file that is being
	 * written may grow beyond its bound: until then nobody waits for it. */
	uint64_t spool;
};

/* All is copied; no file is made yet, but what an earlier run of this attempt has
 * left is removed. NULL when memory runs out. */
struct capture *capture_new(const struct capture_options *o);
/*
 * Keeps bytes: 0. 1: only *ret_used of them, since a follower (below) has not come
 * so far; to be called again for the rest, in a while. -1 with *err, once: from then
 * on nothing more is kept.
 */
int capture_add(struct capture *c, enum capture_stream stream, const char *p,
		size_t len, size_t *ret_used, struct err *err);
/* What is added now is the last: it is kept at once, a little beyond the bound if
 * there is a follower. */
void capture_hurry(struct capture *c);
void capture_free(struct capture *c);

/* --- following ------------------------------------------------------------ */

/*
 * A follower of a task misses nothing, however slow it is: no file takes another's
 * place before the follower has opened that one. Meanwhile the last file grows, and
 * only when it has grown by all that it may, the command waits. It says so in a file of its own,
 * and a lock of that says that it lives (util/alive.h).
 */
struct capture_progress {
	uint32_t attempt;
	uint32_t unused;
	uint64_t number; /* of the file that was opened last, and one more */
};

/* Begins to follow, perhaps before the task is there: a descriptor for
 * capture_follow_tell(), or -1 with *err. */
int capture_follow_begin(const char *directory, const char *id,
			 struct err *err);
void capture_follow_tell(int fd, unsigned int attempt, uint64_t number);
/* Closes it. */
void capture_follow_end(int fd, const char *directory, const char *id);

/*
 * Removes the files of attempts that have ended, if they are older than `keep_s`,
 * and then the oldest, until all take `total` bytes at most. May block. Returns how
 * many bytes are left.
 */
uint64_t capture_sweep(const char *directory, int64_t keep_s, uint64_t total);

#endif
