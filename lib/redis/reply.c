/* SPDX-License-Identifier: MIT */
/* Reading replies, and what error replies mean. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "redis/conn.h"
#include "redis/reader.h"

/* How much of a server's message goes into ours: those of Redis itself are
 * shorter; those of scripts may be anything. */
#define TEXT_SIZE 200

enum redis_reply_type
redis_reply_type(const struct redis_reply *r)
{
	return r != NULL ? r->type : REDIS_NIL;
}

struct slice
redis_reply_string(const struct redis_reply *r)
{
	if (r == NULL || (r->type != REDIS_STRING && r->type != REDIS_ERROR))
		return (struct slice){"", 0};
	return (struct slice){r->bytes, r->len};
}

/* Strictly: an optional '-', digits, nothing else. 0 for the rest, as for a
 * missing value, since the bytes may be anything that a client stored. */
static int64_t
reply_parse_integer(const char *p, size_t len)
{
	bool negative = len != 0 && *p == '-';
	int64_t n = 0;
	size_t i;

	if (len == (size_t)negative)
		return 0;
	for (i = negative; i < len; i++)
		if (p[i] < '0' || p[i] > '9' ||
		    __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_sub_overflow(n, p[i] - '0', &n))
			return 0;
	/* Counted downwards, since INT64_MIN has no positive. */
	if (negative)
		return n;
	return n == INT64_MIN ? 0 : -n;
}

int64_t
redis_reply_integer(const struct redis_reply *r)
{
	if (r == NULL)
		return 0;
	if (r->type == REDIS_STRING)
		return reply_parse_integer(r->bytes, r->len);
	return r->type == REDIS_INTEGER ? r->integer : 0;
}

size_t
redis_reply_count(const struct redis_reply *r)
{
	return r != NULL && r->type == REDIS_ARRAY ? r->len : 0;
}

const struct redis_reply *
redis_reply_at(const struct redis_reply *r, size_t i)
{
	return i < redis_reply_count(r) ? &r->members[i] : NULL;
}

/* Replaces control characters: the text goes to logs and terminals, where
 * escape sequences of a hostile server would take effect. */
void
redis_reply_text(const struct redis_reply *reply, char *text, size_t size)
{
	struct slice s = redis_reply_string(reply);
	size_t i;

	for (i = 0; i < s.len && i < size - 1; i++)
		text[i] = (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f
			      ? '?'
			      : s.p[i];
	text[i] = '\0';
}

/*
 * The codes of error replies: the first word of each, by convention of RESP.
 * Those for LATER pass by themselves: the server loads its data, cannot write
 * its snapshot, runs a slow script, fails over, or ended our blocking command.
 */
static const struct fault {
	const char *code;
	enum redis_fault fault;
} faults[] = {
    {"NOSCRIPT", REDIS_FAULT_SCRIPT},	{"OOM", REDIS_FAULT_FULL},
    {"LOADING", REDIS_FAULT_LATER},	{"MISCONF", REDIS_FAULT_LATER},
    {"BUSY", REDIS_FAULT_LATER},	{"TRYAGAIN", REDIS_FAULT_LATER},
    {"CLUSTERDOWN", REDIS_FAULT_LATER}, {"NOREPLICAS", REDIS_FAULT_LATER},
    {"MASTERDOWN", REDIS_FAULT_LATER},	{"UNBLOCKED", REDIS_FAULT_LATER},
    {"READONLY", REDIS_FAULT_READONLY}, {"NOAUTH", REDIS_FAULT_REFUSED},
    {"NOPERM", REDIS_FAULT_REFUSED},	{"WRONGPASS", REDIS_FAULT_REFUSED},
    {"MOVED", REDIS_FAULT_LATER},	{"ASK", REDIS_FAULT_LATER},
};

static bool
begins_with_word(struct slice s, const char *word)
{
	size_t len = strlen(word);

	return s.len >= len && memcmp(s.p, word, len) == 0 &&
	       (s.len == len || s.p[len] == ' ');
}

bool
redis_reply_is_error(const struct redis_reply *reply, const char *code)
{
	return reply->type == REDIS_ERROR &&
	       begins_with_word(redis_reply_string(reply), code);
}

/*
 * Redis before 7 wraps the error of a command in a script as "ERR Error running
 * script (call to f_…): @user_script:1: @user_script: 1: -OOM …". This finds
 * the code in it.
 */
static struct slice
unwrap(struct slice s)
{
	static const char mark[] = ": -";
	const char *at;

	if (!begins_with_word(s, "ERR Error running script"))
		return s;
	at = memmem(s.p, s.len, mark, sizeof(mark) - 1);
	if (at == NULL)
		return s;
	at += sizeof(mark) - 1;
	return (struct slice){at, s.len - (size_t)(at - s.p)};
}

/* What the user may not do in a script has no code of its own; the words are of
 * Redis to 7.0, and since. */
static bool
fault_is_of_script_rights(struct slice s)
{
	static const char *const words[] = {"The user executing the script ",
					    "ACL failure in script: "};
	size_t i;

	for (i = 0; begins_with_word(s, "ERR") && i < 2; i++)
		if (memmem(s.p, s.len, words[i], strlen(words[i])) != NULL)
			return true;
	return false;
}

enum redis_fault
redis_fault(const struct redis_reply *reply_or_null)
{
	struct slice s;
	size_t i;

	if (reply_or_null == NULL)
		return REDIS_FAULT_LOST;
	if (reply_or_null->type != REDIS_ERROR)
		return REDIS_FAULT_NONE;
	s = unwrap(redis_reply_string(reply_or_null));
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (begins_with_word(s, faults[i].code))
			return reply_or_null->final ? REDIS_FAULT_OTHER
						    : faults[i].fault;
	return fault_is_of_script_rights(s) ? REDIS_FAULT_REFUSED
					    : REDIS_FAULT_OTHER;
}

/*
 * What a fault means to the reader of a message; the server's own words follow.
 */
static const struct {
	enum err_code code;
	const char *text;
} meanings[] = {
    [REDIS_FAULT_NONE] = {ERR_INTERNAL, "it went well"},
    [REDIS_FAULT_LOST] = {ERR_UNAVAILABLE,
			  "the connection broke before the answer came; the "
			  "command may or may not have been executed"},
    [REDIS_FAULT_SCRIPT] = {ERR_UNAVAILABLE,
			    "the server has lost our scripts; try again"},
    [REDIS_FAULT_FULL] = {ERR_FULL, "the server's memory is full (see its "
				    "maxmemory)"},
    [REDIS_FAULT_LATER] = {ERR_UNAVAILABLE, "not at the moment"},
    [REDIS_FAULT_READONLY] = {ERR_UNAVAILABLE,
			      "the server is a replica and accepts no writes"},
    [REDIS_FAULT_REFUSED] = {ERR_REFUSED, "the user lacks the permission"},
    [REDIS_FAULT_OTHER] = {ERR_INTERNAL, "the server reports an error"},
};

int
redis_fault_err(const struct redis *r, const char *what,
		const struct redis_reply *reply_or_null, struct err *err)
{
	enum redis_fault fault = redis_fault(reply_or_null);
	char text[TEXT_SIZE] = "";

	if (fault == REDIS_FAULT_NONE || fault == REDIS_FAULT_LOST)
		return err_set(err, meanings[fault].code, "%s on %s: %s", what,
			       redis_name(r), meanings[fault].text);
	redis_reply_text(reply_or_null, text, sizeof(text));
	return err_set(err, meanings[fault].code, "%s on %s: %s: %s", what,
		       redis_name(r), meanings[fault].text, text);
}
