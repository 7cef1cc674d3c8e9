/* SPDX-License-Identifier: MIT */
/*
 * The frames of a spool. Nothing that a file says is believed before the checksum
 * has said that it was written so: not a length, and not an ID.
 */
#include "dispatch/spool_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/task.h"
#include "util/err.h"
#include "util/fnv.h"
#include "util/log.h"

#define MAGIC 0x4c505346u /* "FSPL" */
/* Larger lengths are damage: the largest result and the largest arguments make
 * half of that each. */
#define RECORD_MAX (64u << 20)
/* Damaged records that are named in the log: a disk that has gone bad may have
 * hit thousands. */
#define NAMED_MAX 10

/* In host order: the file never leaves the machine. */
struct frame {
	uint32_t magic;
	uint32_t id_len;
	uint32_t record_len;
	uint32_t sum; /* FNV-1a of id and record */
};

void
spool_frame_add(struct buf *out, struct slice id, struct slice record)
{
	const struct frame f = {.magic = MAGIC,
				.id_len = (uint32_t)id.len,
				.record_len = (uint32_t)record.len,
				.sum =
				    fnv_32(fnv_32(FNV_BASIS_32, id), record)};

	/* buf_add() after a reservation cannot fail. */
	if (buf_reserve(out, sizeof(f) + id.len + record.len) != 0)
		return;
	buf_add(out, &f, sizeof(f));
	buf_add(out, id.p, id.len);
	buf_add(out, record.p, record.len);
}

/* Whether a head that may be one begins here; *ret is its frame. */
static bool
frame_head(struct slice bytes, struct frame *ret)
{
	if (bytes.len < sizeof(*ret))
		return false;
	memcpy(ret, bytes.p, sizeof(*ret));
	return ret->magic == MAGIC && ret->id_len <= RECORD_MAX &&
	       ret->record_len <= RECORD_MAX;
}

/* The whole frame at the front of `bytes`: its size there, 0 if there is none. The
 * sum tells a torn write from a whole one. */
static size_t
frame_parse(struct slice bytes, struct slice *ret_id, struct slice *ret_record)
{
	struct frame f;

	if (!frame_head(bytes, &f) ||
	    bytes.len - sizeof(f) < (size_t)f.id_len + f.record_len)
		return 0;
	*ret_id = (struct slice){bytes.p + sizeof(f), f.id_len};
	*ret_record = (struct slice){ret_id->p + f.id_len, f.record_len};
	if (fnv_32(fnv_32(FNV_BASIS_32, *ret_id), *ret_record) != f.sum)
		return 0;
	return sizeof(f) + f.id_len + f.record_len;
}

/* How far it is to the next whole frame, or the end. */
static size_t
frame_distance(struct slice bytes)
{
	const uint32_t magic = MAGIC;
	const char *end = bytes.p + bytes.len, *at = bytes.p + 1;
	struct slice id, record;

	while (at < end && (at = memmem(at, (size_t)(end - at), &magic,
					sizeof(magic))) != NULL) {
		if (frame_parse((struct slice){at, (size_t)(end - at)}, &id,
				&record) > 0)
			return (size_t)(at - bytes.p);
		at++;
	}
	return bytes.len;
}

/* What a write leaves that was interrupted: less than it says. */
static bool
frame_is_cut_short(struct slice bytes)
{
	const uint32_t magic = MAGIC;
	struct frame f;

	if (bytes.len < sizeof(f))
		return memcmp(bytes.p, &magic,
			      bytes.len < sizeof(magic) ? bytes.len
							: sizeof(magic)) == 0;
	return frame_head(bytes, &f) &&
	       bytes.len - sizeof(f) < (size_t)f.id_len + f.record_len;
}

/* Whose it was, if that can be read. */
static void
name_damaged(const char *path, struct slice piece, size_t number)
{
	struct slice id = {NULL, 0};
	struct frame f;

	if (number > NAMED_MAX)
		return;
	if (frame_head(piece, &f) && f.id_len <= piece.len - sizeof(f))
		id = (struct slice){piece.p + sizeof(f), f.id_len};
	if (task_id_valid(id))
		log_warning("spool %s: the record of task %.*s is damaged",
			    path, (int)id.len, id.p);
	else
		log_warning("spool %s: %zu bytes are damaged", path, piece.len);
}

static int
spool_read_all(int fd, const char *path, struct buf *out, struct err *err)
{
	char chunk[65536];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(out, chunk, (size_t)n);
	if (n < 0)
		return err_sys(err, ERR_SYSTEM, "cannot read the spool %s",
			       path);
	return out->failed ? err_nomem(err) : 0;
}

int
spool_read(int fd, const char *path, spool_record_fn *on_record, void *arg,
	   struct spool_found *ret, struct err *err)
{
	struct buf content = BUF_INIT;
	struct slice rest, id, record;
	int rc;
	size_t n;

	*ret = (struct spool_found){.pieces = 0};
	rc = spool_read_all(fd, path, &content, err);
	rest = (struct slice){content.data, rc == 0 ? content.len : 0};
	for (; rest.len > 0; rest.p += n, rest.len -= n) {
		n = frame_parse(rest, &id, &record);
		if (n > 0 && on_record(id, record, arg)) {
			buf_add(&ret->whole, rest.p, n);
			continue;
		}
		if (n == 0)
			n = frame_distance(rest);
		if (n == rest.len && frame_is_cut_short(rest))
			break;
		buf_add(&ret->damaged, rest.p, n);
		name_damaged(path, (struct slice){rest.p, n}, ++ret->pieces);
	}
	ret->end = (off_t)(content.len - rest.len);
	if (rc == 0 && (ret->whole.failed || ret->damaged.failed))
		rc = err_nomem(err);
	buf_done(&content);
	return rc;
}

void
spool_found_done(struct spool_found *found)
{
	buf_done(&found->whole);
	buf_done(&found->damaged);
}

int
spool_open_fd(const char *path, int flags, struct err *err)
{
	const int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd >= 0
		   ? fd
		   : err_sys(err, ERR_SYSTEM, "cannot open the spool %s", path);
}

int
spool_write(int fd, struct slice bytes, off_t at)
{
	size_t done = 0;
	ssize_t n;

	while (done < bytes.len) {
		n = pwrite(fd, bytes.p + done, bytes.len - done,
			   at + (off_t)done);
		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	/* Before that, a power failure could take the record along. */
	return fdatasync(fd);
}

int
spool_put_aside(const char *path, const struct spool_found *found,
		struct err *err)
{
	const struct slice bytes = {found->damaged.data, found->damaged.len};
	char *name = NULL;
	int fd = -1, rc = -1;
	struct stat st;

	if (asprintf(&name, "%s" SPOOL_DAMAGED, path) < 0)
		return err_nomem(err);
	if ((fd = spool_open_fd(name, O_WRONLY | O_CREAT, err)) < 0)
		goto out;
	if (fstat(fd, &st) != 0 || spool_write(fd, bytes, st.st_size) != 0) {
		err_sys(err, ERR_SYSTEM, "cannot write %s", name);
		goto out;
	}
	log_warning("spool %s: what is damaged (%zu bytes in %zu places) was "
		    "added to %s; the other records are stored",
		    path, bytes.len, found->pieces, name);
	rc = 0;
out:
	if (fd >= 0)
		close(fd);
	free(name);
	return rc;
}
