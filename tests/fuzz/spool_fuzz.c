/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: a spool's file. Each byte of it is in a frame that is read, or is
 * put aside, or is of a last frame that was cut short; and what was read is read
 * again, with nothing that is damaged.
 *
 * The input is a list of pieces: whole frames, and bytes. With a first byte of 0
 * it is the file itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dispatch/spool_read.h"
#include "util/err.h"
#include "util/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	/* What is damaged is named at each input. */
	log_set_level(LOG_LEVEL_error);
	return 0;
}

/* Reads all of a frame; every second one is refused, if that is asked for. */
static bool
on_frame(struct slice id, struct slice record, void *arg)
{
	size_t *seen = arg;
	volatile char sum = 0;
	size_t i;

	for (i = 0; i < id.len; i++)
		sum = (char)(sum + id.p[i]);
	for (i = 0; i < record.len; i++)
		sum = (char)(sum + record.p[i]);
	return seen == NULL || ++*seen % 2 == 1;
}

static void
read_file(struct slice file, spool_record_fn *fn, void *arg,
	  struct spool_found *found)
{
	const int fd = memfd_create("spool", MFD_CLOEXEC);
	struct err err = ERR_INIT;

	must(fd >= 0);
	must(write(fd, file.p != NULL ? file.p : "", file.len) ==
	     (ssize_t)file.len);
	must(lseek(fd, 0, SEEK_SET) == 0);
	must(spool_read(fd, "spool", fn, arg, found, &err) == 0);
	close(fd);
}

/* The pieces: a byte for its kind, one for its length, and its bytes. */
static void
make_file(const uint8_t *data, size_t size, struct buf *out)
{
	struct slice piece, id;
	uint8_t kind;

	while (size >= 2) {
		kind = data[0];
		piece = (struct slice){(const char *)data + 2, data[1]};
		if (piece.len > size - 2)
			piece.len = size - 2;
		data += 2 + piece.len;
		size -= 2 + piece.len;
		id = (struct slice){piece.p, piece.len / 3};
		piece = (struct slice){piece.p + id.len, piece.len - id.len};
		if (kind % 3 == 0) {
			buf_add(out, id.p, id.len);
			buf_add(out, piece.p, piece.len);
			continue;
		}
		spool_frame_add(out, id, piece);
		/* And one that lacks its end. */
		if (kind % 3 == 2)
			out->len -= out->len < kind % 23 ? 0 : kind % 23;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spool_found found, again;
	struct buf made = BUF_INIT;
	struct slice file;
	size_t seen = 0;

	if (size > 0 && data[0] == 0)
		buf_add(&made, data + 1, size - 1);
	else
		make_file(data, size, &made);
	must(!made.failed);
	file = (struct slice){made.data, made.len};
	read_file(file, on_frame, NULL, &found);
	must(found.whole.len + found.damaged.len == (size_t)found.end);
	must((size_t)found.end <= file.len);
	must((found.pieces == 0) == (found.damaged.len == 0));
	read_file((struct slice){found.whole.data, found.whole.len}, on_frame,
		  NULL, &again);
	must(again.pieces == 0 && again.whole.len == found.whole.len);
	spool_found_done(&again);
	read_file(file, on_frame, &seen, &again);
	must(again.whole.len + again.damaged.len == (size_t)again.end);
	spool_found_done(&again);
	spool_found_done(&found);
	buf_done(&made);
	return 0;
}
