/* SPDX-License-Identifier: MIT */
/* The environment of a command, kept apart from its task. */
#include "codec/blob.h"

#include <string.h>

#include "codec/scan.h"
#include "util/err.h"
#include "util/name.h"
#include "util/sha.h"

/* Where a task that was written here has its name: behind the longest ID. */
#define NAME_WITHIN 300
/* As that of a task. */
#define DEPTH_MAX 500

void
blob_name(struct slice content, char name[BLOB_NAME_SIZE])
{
	unsigned char digest[SHA256_SIZE];

	sha256(content, digest);
	sha_hex(digest, sizeof(digest), name);
}

/* --- looking --------------------------------------------------------------- */

static int
blob_take(void *arg, const struct scan_value *key,
	  const struct scan_value *value, struct err *err)
{
	char *name = arg;

	if (slice_eq(key->text, SLICE(BLOB_MEMBER)) &&
	    value->type == SCAN_STRING && value->text.len == BLOB_NAME_SIZE - 1)
		memcpy(name, value->text.p, BLOB_NAME_SIZE - 1);
	return 0;
}

static int
blob_take_kwargs(void *arg, const struct scan_value *key,
		 const struct scan_value *value, struct err *err)
{
	if (!slice_eq(key->text, SLICE("kwargs")) || value->type != SCAN_OBJECT)
		return 0;
	return scan_object(value->text, DEPTH_MAX, blob_take, arg, err);
}

bool
blob_find(struct slice task, char name[BLOB_NAME_SIZE])
{
	static const char mark[] = "\"name\":\"" NAME_ADHOC "\"";
	const size_t len = task.len < NAME_WITHIN ? task.len : NAME_WITHIN;

	if (len == 0 || memmem(task.p, len, mark, sizeof(mark) - 1) == NULL ||
	    memmem(task.p, task.len, BLOB_MEMBER, strlen(BLOB_MEMBER)) == NULL)
		return false;
	memset(name, 0, BLOB_NAME_SIZE);
	return scan_object(task, DEPTH_MAX, blob_take_kwargs, name, NULL) ==
		   0 &&
	       strspn(name, "0123456789abcdef") == BLOB_NAME_SIZE - 1;
}

/* --- putting it in -------------------------------------------------------- */

struct blob_copy {
	struct slice content;
	struct buf *out;
	bool any; /* members, of the object that is being written */
	bool put;
};

/* As it stands: numbers keep their digits, and what is escaped stays so. */
static void
blob_copy_member(struct blob_copy *c, const struct scan_value *key,
		 struct slice value)
{
	buf_adds(c->out, c->any ? ",\"" : "\"");
	buf_add(c->out, key->text.p, key->text.len);
	buf_adds(c->out, "\":");
	buf_add(c->out, value.p, value.len);
	c->any = true;
}

static struct slice
blob_whole(const struct scan_value *value)
{
	return value->type == SCAN_STRING
		   ? (struct slice){value->text.p - 1, value->text.len + 2}
		   : value->text;
}

static int
blob_copy_kwarg(void *arg, const struct scan_value *key,
		const struct scan_value *value, struct err *err)
{
	static const struct scan_value env = {.text = SLICE("env")};
	struct blob_copy *c = arg;

	if (!slice_eq(key->text, SLICE(BLOB_MEMBER))) {
		blob_copy_member(c, key, blob_whole(value));
		return 0;
	}
	blob_copy_member(c, &env, c->content);
	c->put = true;
	return 0;
}

static int
blob_copy_part(void *arg, const struct scan_value *key,
	       const struct scan_value *value, struct err *err)
{
	struct blob_copy *c = arg;

	if (!slice_eq(key->text, SLICE("kwargs")) ||
	    value->type != SCAN_OBJECT) {
		blob_copy_member(c, key, blob_whole(value));
		return 0;
	}
	blob_copy_member(c, key, SLICE("{"));
	c->any = false;
	if (scan_object(value->text, DEPTH_MAX, blob_copy_kwarg, c, err) != 0)
		return -1;
	buf_addc(c->out, '}');
	c->any = true;
	return 0;
}

int
blob_inline(struct slice task, struct slice content, struct buf *out,
	    struct err *err)
{
	struct blob_copy copy = {.content = content, .out = out};
	struct scan_value value;

	/* Others can write to a store: no text of theirs becomes a part of a task
	 * that it does not end. */
	if (scan_check(content, DEPTH_MAX - 2, &value, err) != 0)
		return -1;
	if (value.type != SCAN_OBJECT)
		return err_set(err, ERR_DATA,
			       "the environment is not an object");
	buf_addc(out, '{');
	if (scan_object(task, DEPTH_MAX, blob_copy_part, &copy, err) != 0)
		return -1;
	buf_addc(out, '}');
	if (!copy.put)
		return err_set(err, ERR_DATA, "the task has its environment");
	return out->failed ? err_nomem(err) : 0;
}
