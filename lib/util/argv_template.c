/* SPDX-License-Identifier: MIT */
/*
 * Templates of argument vectors: cut into words once, filled for each command.
 *
 * The syntax is a small part of the shell's: blanks, quotes, backslashes, and
 * placeholders such as {0} and {path}. Values are put into words after these
 * were cut, so an argument can never become two words, a redirection or another
 * command. What only a shell understands is an error, since a user who writes
 * it expects it to work.
 */
#include "util/argv_template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/err.h"

#define BLANKS " \t\r\n"
#define SHELL_CHARACTERS "|&;<>()$`*"
#define DIGITS "0123456789"
#define NAME_START                                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"                 \
	"_"
#define NAME_CHARACTERS NAME_START DIGITS ".-"

/* A stretch of fixed text, or a placeholder. */
struct piece {
	size_t text; /* where its text, or its name, is in `text` */
	bool placeholder;
	bool named;
	unsigned int number;
};

/* Three flat arrays instead of a tree: one template is filled for each task,
 * and this keeps it in a few cache lines. */
struct argv_template {
	struct buf text;   /* of the pieces, each with a NUL behind it */
	struct buf pieces; /* struct piece */
	struct buf ends;   /* size_t: the piece behind each word's last one */
};

struct parser {
	const char *begin;
	const char *p;
	struct argv_template *t;
	struct buf fixed; /* what is read of a stretch of fixed text */
	bool in_word;	  /* even if it is empty so far: "" */
	struct err *err;
};

/* The column is that of the value, not of the line in the file: the parser does
 * not know where the value came from. */
static int
fail(struct parser *s, const char *at, const char *why)
{
	return err_set(s->err, ERR_CONFIG, "column %zu: %s",
		       (size_t)(at - s->begin) + 1, why);
}

/* --- pieces -------------------------------------------------------------- */

static void
add_piece(struct parser *s, struct piece piece, const char *text, size_t len)
{
	struct argv_template *t = s->t;

	piece.text = t->text.len;
	buf_add(&t->text, text, len);
	buf_addc(&t->text, '\0');
	buf_add(&t->pieces, &piece, sizeof(piece));
}

/* Ends a stretch of fixed text. Each word begins with one, if an empty one, so
 * that argv_template_prefix() has something to give. */
static void
end_fixed(struct parser *s)
{
	add_piece(s, (struct piece){.placeholder = false},
		  s->fixed.data ? s->fixed.data : "", s->fixed.len);
	s->fixed.len = 0;
}

static void
end_word(struct parser *s)
{
	size_t end;

	if (!s->in_word)
		return;
	end_fixed(s);
	end = s->t->pieces.len / sizeof(struct piece);
	buf_add(&s->t->ends, &end, sizeof(end));
	s->in_word = false;
}

/* --- placeholders -------------------------------------------------------- */

static int
take_numbered(struct parser *s, const char *at, size_t len)
{
	struct piece piece = {.placeholder = true};

	/* 007 would be a second name for {7}. */
	if (len > 3 || (len > 1 && *s->p == '0'))
		return fail(s, at,
			    "a number in braces must be from 0 to 999, without "
			    "leading zeros");
	piece.number = (unsigned int)strtoul(s->p, NULL, 10);
	end_fixed(s);
	add_piece(s, piece, "", 0);
	return 0;
}

/* Names may contain '.' and '-', as keyword arguments in JSON may. */
static int
take_named(struct parser *s, size_t len)
{
	end_fixed(s);
	add_piece(s, (struct piece){.placeholder = true, .named = true}, s->p,
		  len);
	return 0;
}

/*
 * At a brace. A doubled one stands for itself, as in Python's format(), which
 * users of this syntax know. In double quotes, too: a placeholder there is the
 * way to have blanks beside a value.
 */
static int
take_brace(struct parser *s)
{
	const char *at = s->p++;
	size_t len;
	int r;

	if (*s->p == *at) {
		buf_addc(&s->fixed, *s->p++);
		return 0;
	}
	if (*at == '}')
		return fail(s, at, "\"}\" without \"{\"; write }} for a brace");
	len = strspn(s->p, NAME_CHARACTERS);
	if (len == 0 || s->p[len] != '}')
		len = 0;
	if (len > 0 && strspn(s->p, DIGITS) == len)
		r = take_numbered(s, at, len);
	else if (len > 0 && strchr(NAME_START, *s->p) != NULL)
		r = take_named(s, len);
	else
		r = fail(s, at,
			 "braces must contain the number of an argument, such "
			 "as {0}, or the name of one, such as {path}; write {{ "
			 "for a brace");
	s->p += len + 1;
	return r;
}

/* --- quotes -------------------------------------------------------------- */

/* Nothing is special in single quotes, not even braces: the way to write a
 * script of awk or of a shell. */
static int
take_single(struct parser *s)
{
	const char *at = s->p++, *end = strchr(s->p, '\'');

	if (end == NULL)
		return fail(s, at,
			    "missing closing ' (in a configuration file, \" "
			    ";\" begins a comment even between quotes)");
	buf_add(&s->fixed, s->p, (size_t)(end - s->p));
	s->p = end + 1;
	return 0;
}

/* A backslash protects only '"' and itself, as in the shell but for '$' and
 * '`', which mean nothing here. */
static int
take_double(struct parser *s)
{
	const char *at = s->p++;

	while (*s->p != '"') {
		if (*s->p == '\0')
			return fail(
			    s, at,
			    "missing closing \" (in a configuration file, \" "
			    ";\" begins a comment even between quotes)");
		if (*s->p == '{' || *s->p == '}') {
			if (take_brace(s) != 0)
				return -1;
			continue;
		}
		if (*s->p == '\\' && (s->p[1] == '"' || s->p[1] == '\\'))
			s->p++;
		buf_addc(&s->fixed, *s->p++);
	}
	s->p++;
	return 0;
}

static int
take_escaped(struct parser *s)
{
	if (s->p[1] == '\0')
		return fail(s, s->p, "nothing follows the backslash");
	buf_addc(&s->fixed, s->p[1]);
	s->p += 2;
	return 0;
}

/* Names the remedy: most people who meet this message want the shell. */
static int
take_shell(struct parser *s)
{
	char why[128];

	snprintf(why, sizeof(why),
		 "\"%c\" has no special meaning, because no shell reads this "
		 "line. Quote it, or run a shell: sh -c 'commands'",
		 *s->p);
	return fail(s, s->p, why);
}

/* --- words --------------------------------------------------------------- */

/* Reads one item and moves s->p behind it. A word may consist of several,
 * quoted or not, as in the shell: a"b c"{0}. */
static int
parser_take(struct parser *s)
{
	if (strchr(BLANKS, *s->p) != NULL) {
		end_word(s);
		s->p++;
		return 0;
	}
	s->in_word = true;
	switch (*s->p) {
	case '\'':
		return take_single(s);
	case '"':
		return take_double(s);
	case '\\':
		return take_escaped(s);
	case '{':
	case '}':
		return take_brace(s);
	default:
		if (strchr(SHELL_CHARACTERS, *s->p) != NULL)
			return take_shell(s);
		buf_addc(&s->fixed, *s->p++);
		return 0;
	}
}

struct argv_template *
argv_template_parse(const char *text, struct err *err)
{
	struct parser s = {.begin = text, .p = text, .err = err};
	int r = 0;

	if ((s.t = calloc(1, sizeof(*s.t))) == NULL) {
		err_nomem(err);
		return NULL;
	}
	while (r == 0 && *s.p != '\0')
		r = parser_take(&s);
	end_word(&s);
	if (r == 0 && (s.fixed.failed || s.t->text.failed ||
		       s.t->pieces.failed || s.t->ends.failed))
		r = err_nomem(err);
	buf_done(&s.fixed);
	if (r == 0)
		return s.t;
	argv_template_free(s.t);
	return NULL;
}

void
argv_template_free(struct argv_template *t)
{
	if (t == NULL)
		return;
	buf_done(&t->text);
	buf_done(&t->pieces);
	buf_done(&t->ends);
	free(t);
}

size_t
argv_template_count(const struct argv_template *t)
{
	return t->ends.len / sizeof(size_t);
}

/* The first piece of a word; that of the next is the end of this. */
static size_t
first_piece(const struct argv_template *t, size_t i)
{
	return i == 0 ? 0 : ((const size_t *)(void *)t->ends.data)[i - 1];
}

static const struct piece *
piece_at(const struct argv_template *t, size_t i)
{
	return (const struct piece *)(void *)t->pieces.data + i;
}

/* Each word begins with a piece of fixed text (end_fixed()), so one piece means
 * that there is no placeholder. */
bool
argv_template_is_fixed(const struct argv_template *t, size_t i)
{
	return first_piece(t, i + 1) - first_piece(t, i) == 1;
}

const char *
argv_template_prefix(const struct argv_template *t, size_t i)
{
	return t->text.data + piece_at(t, first_piece(t, i))->text;
}

void
argv_template_each(
    const struct argv_template *t,
    void (*on_placeholder)(void *arg,
			   const struct argv_template_placeholder *placeholder),
    void *arg)
{
	const size_t n = t->pieces.len / sizeof(struct piece);
	size_t i;

	for (i = 0; i < n; i++) {
		const struct piece *piece = piece_at(t, i);

		if (piece->placeholder)
			on_placeholder(arg, &(struct argv_template_placeholder){
						piece->named
						    ? t->text.data + piece->text
						    : NULL,
						piece->number});
	}
}

/* Appends to `out` and does not end the word: the caller decides what separates
 * words. */
int
argv_template_fill(const struct argv_template *t, size_t i,
		   argv_template_value_fn *value, void *arg, struct buf *out,
		   struct err *err)
{
	size_t n = first_piece(t, i), end = first_piece(t, i + 1);
	struct argv_template_placeholder wanted;
	const struct piece *piece;

	for (; n < end; n++) {
		piece = piece_at(t, n);
		if (!piece->placeholder) {
			buf_adds(out, t->text.data + piece->text);
			continue;
		}
		wanted = (struct argv_template_placeholder){
		    piece->named ? t->text.data + piece->text : NULL,
		    piece->number};
		if (value(arg, &wanted, out, err) != 0)
			return -1;
	}
	return out->failed ? err_nomem(err) : 0;
}
