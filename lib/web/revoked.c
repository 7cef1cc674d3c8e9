/* SPDX-License-Identifier: MIT */
/*
 * What is over before its time: sessions that were logged out, and codes that were
 * used. A short list, which is read and written as a whole, with a lock around
 * both, since several daemons may share the directory.
 *
 * It is bounded: where a user has too many entries they become one, which ends all
 * sessions of that user until then. To err that way logs somebody out; the other
 * way would let somebody in.
 */
#include "web/revoked.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/err.h"
#include "web/secret.h"

/* How long a logout at another daemon may go unnoticed here. */
#define LOOK_US 1000000

struct web_revoked {
	char *path, *lock_path;
	struct revoked *items;
	size_t n;
	/* Of the file when it was read. */
	struct timespec changed;
	ino_t inode;
	int64_t looked_us;
};

/* Nonce 0 is all of its credential. */
static bool
revoked_covers(const struct revoked *item, const struct revoked *one)
{
	return item->nonce == one->nonce ||
	       (item->nonce == 0 && strcmp(item->stamp, one->stamp) == 0 &&
		item->until_s >= one->until_s);
}

static const struct revoked *
revoked_find(const struct web_revoked *r, const struct revoked *one)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (revoked_covers(&r->items[i], one))
			return &r->items[i];
	return NULL;
}

/* --- the list --------------------------------------------------------------- */

/* Makes one of all that a credential has in the list. */
static void
revoked_join(struct web_revoked *r, const char *stamp)
{
	struct revoked all = {.nonce = 0};
	size_t i, n = 0;

	memcpy(all.stamp, stamp, sizeof(all.stamp));
	for (i = 0; i < r->n; i++) {
		if (strcmp(r->items[i].stamp, all.stamp) != 0)
			r->items[n++] = r->items[i];
		else if (r->items[i].until_s > all.until_s)
			all.until_s = r->items[i].until_s;
	}
	/* There was one at least, whose place it takes. */
	r->items[n++] = all;
	r->n = n;
}

/* Those that would have ended by now. Only where room is needed: a clock that is
 * ahead for a moment would otherwise bring them back. */
static void
revoked_expire(struct web_revoked *r)
{
	const int64_t now_s = clock_wall_us() / 1000000;
	size_t i, n = 0;

	for (i = 0; i < r->n; i++)
		if (r->items[i].until_s >= now_s)
			r->items[n++] = r->items[i];
	r->n = n;
}

static size_t
revoked_count_of(const struct web_revoked *r, const char *stamp)
{
	size_t i, n = 0;

	for (i = 0; i < r->n; i++)
		n += strcmp(r->items[i].stamp, stamp) == 0;
	return n;
}

/* Too many of one credential, or of all together. */
static bool
revoked_is_full(const struct web_revoked *r, const char *stamp)
{
	const size_t n = revoked_count_of(r, stamp);

	return n > REVOKED_EACH || (n > 1 && r->n > REVOKED_ALL);
}

/* Adds one, unless it is covered already, and makes room. */
static int
revoked_put(struct web_revoked *r, const struct revoked *one, struct err *err)
{
	struct revoked *items;

	if (revoked_find(r, one) != NULL)
		return 0;
	items = reallocarray(r->items, r->n + 1, sizeof(*items));
	if (items == NULL)
		return err_nomem(err);
	r->items = items;
	items[r->n++] = *one;
	if (!revoked_is_full(r, one->stamp))
		return 0;
	revoked_expire(r);
	if (revoked_is_full(r, one->stamp))
		revoked_join(r, one->stamp);
	return 0;
}

/* --- the file ---------------------------------------------------------------- */

/* "NONCE UNTIL STAMP" a line, in addition to what the list has already. A line of
 * another form is passed over. */
static int
revoked_parse(struct web_revoked *r, char *text, struct err *err)
{
	struct revoked one;
	char *line, *save = NULL;

	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		memset(&one, 0, sizeof(one));
		/* NOLINTNEXTLINE(cert-err34-c): the digits have bounds */
		if (sscanf(line, "%16" SCNx64 " %18" SCNd64 " %23s", &one.nonce,
			   &one.until_s, one.stamp) == 3 &&
		    revoked_put(r, &one, err) != 0)
			return -1;
	}
	return 0;
}

/* Only if the file is another one than the last time: it is asked for with each
 * request of a session. */
static int
revoked_load(struct web_revoked *r, struct err *err)
{
	struct buf text = BUF_INIT;
	struct stat st;
	int result;

	r->looked_us = clock_mono_us();
	if (stat(r->path, &st) != 0)
		return 0;
	if (st.st_ino == r->inode && st.st_mtim.tv_sec == r->changed.tv_sec &&
	    st.st_mtim.tv_nsec == r->changed.tv_nsec)
		return 0;
	result = secret_read_own(r->path, &text, err);
	if (result == 1 && text.data != NULL)
		result = revoked_parse(r, text.data, err);
	buf_done(&text);
	/* One that could not be read is read the next time. */
	if (result >= 0) {
		r->inode = st.st_ino;
		r->changed = st.st_mtim;
	}
	return result < 0 ? -1 : 0;
}

/* A new file in the place of the old one: readers need no lock. */
static int
revoked_save(struct web_revoked *r, struct err *err)
{
	struct buf text = BUF_INIT;
	struct stat st;
	size_t i;
	int result;

	for (i = 0; i < r->n; i++)
		buf_addf(&text, "%016" PRIx64 " %" PRId64 " %s\n",
			 r->items[i].nonce, r->items[i].until_s,
			 r->items[i].stamp);
	result = text.failed
		     ? err_nomem(err)
		     : secret_write(
			   r->path,
			   (struct slice){text.data != NULL ? text.data : "",
					  text.len},
			   0600, err);
	if (result == 0 && stat(r->path, &st) == 0) {
		r->inode = st.st_ino;
		r->changed = st.st_mtim;
	}
	buf_done(&text);
	return result;
}

struct web_revoked *
revoked_new(const char *path, const char *lock_path, struct err *err)
{
	struct web_revoked *r = calloc(1, sizeof(*r));

	if (r == NULL || (r->path = strdup(path)) == NULL ||
	    (r->lock_path = strdup(lock_path)) == NULL) {
		revoked_free(r);
		err_nomem(err);
		return NULL;
	}
	if (revoked_load(r, err) == 0)
		return r;
	revoked_free(r);
	return NULL;
}

void
revoked_free(struct web_revoked *r)
{
	if (r == NULL)
		return;
	free(r->path);
	free(r->lock_path);
	free(r->items);
	free(r);
}

size_t
revoked_count(const struct web_revoked *r)
{
	return r->n;
}

/* A file that cannot be read for a moment leaves what is known. */
bool
revoked_has(struct web_revoked *r, const struct revoked *one)
{
	struct err err;

	if (clock_mono_us() - r->looked_us >= LOOK_US)
		revoked_load(r, &err);
	return revoked_find(r, one) != NULL;
}

/* With the lock: what another daemon has added meanwhile is read first, and kept. The
 * key's file is the lock, for the list itself is replaced by each writer. */
int
revoked_add(struct web_revoked *r, const struct revoked *one, struct err *err)
{
	const int lock = open(r->lock_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int result;

	if (lock >= 0)
		flock(lock, LOCK_EX);
	result = revoked_put(r, one, err) != 0 || revoked_load(r, err) != 0 ||
			 revoked_save(r, err) != 0
		     ? -1
		     : 0;
	if (lock >= 0)
		close(lock);
	return result;
}
