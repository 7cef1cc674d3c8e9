/* SPDX-License-Identifier: MIT */
/*
 * Masking by names of members: [web] hide has patterns, and the value of what is
 * named by one is not shown to viewers.
 *
 * A text is looked through for names, too, since an error or the output of a
 * command may quote an argument: "password=x", "--token x", "{'secret': 'x'}" and
 * JSON within JSON. It is a reader's guess at other programs' formats, so in doubt
 * it hides too much: a value ends late rather than early. What has no name near
 * it cannot be found; the manual says so.
 */
#include "web/mask.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "module/dump.h"
#include "util/buf.h"
#include "util/conf.h"
#include "util/err.h"

/* A longer word is not a name. */
#define WORD_MAX 255

struct web_mask {
	char **patterns;
};

struct web_mask *
mask_new(const char *hide, struct err *err)
{
	struct web_mask *mask = calloc(1, sizeof(*mask));

	if (mask == NULL || (mask->patterns = conf_list(hide)) == NULL) {
		free(mask);
		err_nomem(err);
		return NULL;
	}
	return mask;
}

void
mask_free(struct web_mask *mask)
{
	if (mask == NULL)
		return;
	conf_list_free(mask->patterns);
	free(mask);
}

bool
mask_hides(const struct web_mask *mask)
{
	return mask != NULL && mask->patterns[0] != NULL;
}

/* By shell patterns, in any case: "*secret*" also finds AWS_SECRET_KEY. */
bool
mask_matches(const struct web_mask *mask, const char *name)
{
	char **p;

	for (p = mask->patterns; *p != NULL; p++)
		if (fnmatch(*p, name, FNM_CASEFOLD) == 0)
			return true;
	return false;
}

/* --- texts ---------------------------------------------------------------- */

/* Bytes of UTF-8 as well: names are of any language. */
static bool
mask_is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.' ||
	       (unsigned char)c >= 0x80;
}

/* Whether the word of `len` bytes is a name that is hidden: as a whole, as an
 * option of a command ("--password"), or as the last part of a path of names
 * ("db.password"). */
static bool
mask_word(const struct web_mask *mask, const char *word, size_t len)
{
	char name[WORD_MAX + 1];
	const char *bare, *dot;

	if (len == 0 || len > WORD_MAX)
		return false;
	memcpy(name, word, len);
	name[len] = '\0';
	bare = name + strspn(name, "-");
	dot = strrchr(bare, '.');
	return mask_matches(mask, name) || mask_matches(mask, bare) ||
	       (dot != NULL && mask_matches(mask, dot + 1));
}

/* Behind a name: how long the separator is, 0 if there is none. Behind an option
 * it may be a blank. */
static size_t
mask_separator(const char *p, bool option)
{
	size_t n = strspn(p, "\\\"']"), blank;

	blank = strspn(p + n, " \t");
	if (p[n + blank] != ':' && p[n + blank] != '=')
		return option && blank > 0 && p[n + blank] != '-' ? n + blank
								  : 0;
	n += blank + 1;
	n += strspn(p + n, "=>");
	return n + strspn(p + n, " \t");
}

/* The length of a quoted text that begins with `escapes` backslashes and a quote:
 * it ends with the same. */
static size_t
mask_quoted(const char *p, size_t escapes)
{
	const char quote = p[escapes];
	size_t n = escapes + 1, run = 0;

	for (; p[n] != '\0'; n++) {
		if (p[n] == quote &&
		    (escapes == 0 ? run % 2 == 0 : run <= escapes))
			return n + 1;
		run = p[n] == '\\' ? run + 1 : 0;
	}
	return n;
}

/* The length of a list or an object, up to its end. */
static size_t
mask_bracket(const char *p)
{
	size_t n = 0, depth = 0, escapes;

	while (p[n] != '\0') {
		escapes = strspn(p + n, "\\");
		if (p[n + escapes] == '"' || p[n + escapes] == '\'') {
			n += mask_quoted(p + n, escapes);
			continue;
		}
		n += escapes;
		if (p[n] == '\0')
			break;
		depth += strchr("[{(", p[n]) != NULL;
		depth -= strchr("]})", p[n]) != NULL;
		n++;
		if (depth == 0)
			break;
	}
	return n;
}

/* The length of a value: quoted, in brackets, or up to what ends one. */
static size_t
mask_value(const char *p)
{
	static const char *const schemes[] = {"Bearer ", "Basic ", "Digest ",
					      "Token "};
	/* b'…', u"…" of Python. */
	const size_t letters =
	    isalpha((unsigned char)p[0]) && (p[1] == '"' || p[1] == '\'');
	const size_t escapes = strspn(p, "\\");
	size_t i;

	if (letters > 0)
		return 1 + mask_quoted(p + 1, 0);
	if (p[escapes] == '"' || p[escapes] == '\'')
		return mask_quoted(p, escapes);
	if (*p == '[' || *p == '{' || *p == '(')
		return mask_bracket(p);
	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncasecmp(p, schemes[i], strlen(schemes[i])) == 0)
			return strlen(schemes[i]) +
			       strcspn(p + strlen(schemes[i]), " \t\r\n,;&)]}");
	return strcspn(p, " \t\r\n,;&)]}");
}

/* Goes through words; behind one that is a hidden name, and its separator, the
 * value is left out. A name without a value behind it stays as it is. */
void
mask_text(const struct web_mask *mask, const char *text, struct buf *out)
{
	size_t word, gap, len;

	while (*text != '\0') {
		for (word = 0; mask_is_word(text[word]);)
			word++;
		if (word == 0) {
			buf_addc(out, *text++);
			continue;
		}
		buf_add(out, text, word);
		gap = mask_word(mask, text, word)
			  ? mask_separator(text + word, text[0] == '-')
			  : 0;
		text += word;
		if (gap == 0)
			continue;
		buf_add(out, text, gap);
		text += gap;
		if ((len = mask_value(text)) > 0)
			buf_adds(out, MASK_TEXT);
		text += len;
	}
}

/* --- JSON ------------------------------------------------------------------
 */

/* A text without a separator needs no look. */
static json_t *
mask_string(const struct web_mask *mask, const json_t *value)
{
	const char *text = json_string_value(value);
	struct buf out = BUF_INIT;
	json_t *masked = NULL;

	if (text[strcspn(text, ":=-")] == '\0')
		return NULL;
	mask_text(mask, text, &out);
	if (!out.failed && out.data != NULL && strcmp(out.data, text) != 0)
		masked = json_string(out.data);
	buf_done(&out);
	return masked;
}

/* A new value in the place of a member, or NULL: it stays, masked within. */
static json_t *
mask_value_of(const struct web_mask *mask, json_t *value)
{
	if (json_is_string(value))
		return mask_string(mask, value);
	mask_json(mask, value);
	return NULL;
}

/* What is in base64 cannot be looked through, so it is hidden as a whole. */
static bool
mask_hides_member(const struct web_mask *mask, const char *name)
{
	return mask_matches(mask, name) || strcmp(name, "bytes_base64") == 0;
}

/* ["--password", "x"]: the element behind an option is its value. */
static bool
mask_is_option(const struct web_mask *mask, const json_t *before)
{
	const char *text = json_string_value(before);

	return text != NULL && text[0] == '-' &&
	       mask_word(mask, text, strlen(text));
}

/* In its place: the caller has a copy of its own. */
void
mask_json(const struct web_mask *mask, json_t *value)
{
	json_t *member, *other;
	bool option = false;
	const char *name;
	void *next;
	size_t i;

	if (!mask_hides(mask))
		return;
	json_object_foreach_safe(value, next, name, member)
	{
		other = mask_hides_member(mask, name)
			    ? json_string(MASK_TEXT)
			    : mask_value_of(mask, member);
		if (other != NULL)
			json_object_set_new(value, name, other);
	}
	json_array_foreach (value, i, member) {
		other = option ? json_string(MASK_TEXT)
			       : mask_value_of(mask, member);
		option = !option && mask_is_option(mask, member);
		if (other != NULL)
			json_array_set_new(value, i, other);
	}
}

/* An answer that was written already. What says that it is JSON, and is not, is
 * looked through as a text: shown unmasked it must never be. */
void
mask_bytes(const struct web_mask *mask, const char *type, struct buf *bytes)
{
	struct buf out = BUF_INIT;
	json_t *value = NULL, *other;
	char *text;

	if (!mask_hides(mask) || bytes->data == NULL)
		return;
	if (type != NULL && strstr(type, "json") != NULL)
		value =
		    json_loadb(bytes->data, bytes->len, JSON_DECODE_ANY, NULL);
	if (value != NULL) {
		if ((other = mask_value_of(mask, value)) != NULL) {
			json_decref(value);
			value = other;
		}
		text = json_dumps(value, dump_flags(value));
		buf_adds(&out, text != NULL ? text : "null");
		free(text);
		json_decref(value);
	} else {
		mask_text(mask, bytes->data, &out);
	}
	buf_done(bytes);
	*bytes = out;
}
