/* SPDX-License-Identifier: MIT */
/* Templates of argument vectors: how they are cut, and filled. */
#include "util/argv_template.h"

#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "util/buf.h"
#include "util/err.h"

/* Numbers stand for "#n", names for "<name>"; there is no {9} and no {none}. */
static int
value(void *arg, const struct argv_template_placeholder *placeholder,
      struct buf *out, struct err *err)
{
	if (placeholder->name != NULL && strcmp(placeholder->name, "none") == 0)
		return err_set(err, ERR_DATA, "no none");
	if (placeholder->name != NULL)
		buf_addf(out, "<%s>", placeholder->name);
	else if (placeholder->number == 9)
		return err_set(err, ERR_DATA, "no nine");
	else
		buf_addf(out, "#%u", placeholder->number);
	return 0;
}

/* The words in brackets. */
static char *
shown(const char *text)
{
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	struct argv_template *w = argv_template_parse(text, &err);
	size_t i;

	ck_assert_msg(w != NULL, "%s: %s", text, err.msg);
	for (i = 0; i < argv_template_count(w); i++) {
		buf_addc(&out, '[');
		ck_assert_int_eq(
		    argv_template_fill(w, i, value, NULL, &out, &err), 0);
		buf_addc(&out, ']');
	}
	argv_template_free(w);
	buf_adds(&out, "");
	return buf_take(&out);
}

static const struct {
	const char *text;
	const char *words; /* NULL: none */
} lines[] = {
    {"", NULL},
    {" \t ", NULL},
    {"a", "[a]"},
    {"  a\tb  c ", "[a][b][c]"},
    {"'a b'c", "[a bc]"},
    {"\"a b\"'c d'", "[a bc d]"},
    {"'' \"\"", "[][]"},
    {"a''b", "[ab]"},
    {"a\\ b \\\\ \\' \\{0\\}", "[a b][\\]['][{0}]"},
    {"\"a\\\"b\\\\c\\d\"", "[a\"b\\c\\d]"},
    {"'a\\b'", "[a\\b]"},
    {"{0} {12} {999}", "[#0][#12][#999]"},
    {"{path} {a_b.c-d} {_x9}", "[<path>][<a_b.c-d>][<_x9>]"},
    {"--to={0}:{name}!", "[--to=#0:<name>!]"},
    {"{0}{1}", "[#0#1]"},
    {"\"{0} {name}\"", "[#0 <name>]"},
    {"'{0}'", "[{0}]"},
    {"{{0}} {{{0}}}", "[{0}][{#0}]"},
    {"\"{{\" }}", "[{][}]"},
    {"'| & ; < > ( ) $ ` *'", "[| & ; < > ( ) $ ` *]"},
    {"\"|&\" \\$HOME", "[|&][$HOME]"},
    {"http://x/?a=1 ~ # ! =", "[http://x/?a=1][~][#][!][=]"},
    {"caf\xc3\xa9", "[caf\xc3\xa9]"},
};

START_TEST(a_line_is_cut_into_words_and_placeholders)
{
	char *words = shown(lines[_i].text);

	ck_assert_str_eq(words ? words : "",
			 lines[_i].words ? lines[_i].words : "");
	free(words);
}
END_TEST

static const struct {
	const char *text;
	const char *message;
} bad[] = {
    {"a 'b c", "column 3: missing closing '"},
    {"a \"b c", "column 3: missing closing \""},
    {"\"a\\", "column 1: missing closing \""},
    {"a\\", "column 2: nothing follows the backslash"},
    {"{", "column 1: braces must contain"},
    {"a {}", "column 3: braces must contain"},
    {"{ 0}", "column 1: braces must contain"},
    {"{-1}", "column 1: braces must contain"},
    {"{0x}", "column 1: braces must contain"},
    {"{a b}", "column 1: braces must contain"},
    {"\"{a", "column 2: braces must contain"},
    {"{007}", "column 1: a number in braces"},
    {"{1000}", "column 1: a number in braces"},
    {"a } b", "column 3: \"}\" without \"{\""},
    {"{0}}", "column 4: \"}\" without \"{\""},
    {"a | b", "column 3: \"|\" has no special meaning, because no shell"},
    {"a >b", "column 3: \">\""},
    {"a&", "column 2: \"&\""},
    {"$HOME", "column 1: \"$\""},
    {"`a`", "column 1: \"`\""},
    {"*.c", "column 1: \"*\""},
    {"a;b", "column 2: \";\""},
    {"(a)", "column 1: \"(\""},
};

START_TEST(what_is_no_command_line_is_refused_with_its_column)
{
	struct err err = ERR_INIT;

	ck_assert_ptr_null(argv_template_parse(bad[_i].text, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_msg(
	    strncmp(err.msg, bad[_i].message, strlen(bad[_i].message)) == 0,
	    "%s", err.msg);
}
END_TEST

START_TEST(a_placeholder_without_a_value_is_an_error)
{
	struct argv_template *w = argv_template_parse("a{9} {none}", NULL);
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_int_eq(argv_template_fill(w, 0, value, NULL, &out, &err), -1);
	ck_assert_str_eq(err.msg, "no nine");
	ck_assert_int_eq(argv_template_fill(w, 1, value, NULL, &out, &err), -1);
	ck_assert_str_eq(err.msg, "no none");
	buf_done(&out);
	argv_template_free(w);
}
END_TEST

START_TEST(the_fixed_part_of_a_word_is_known_before)
{
	struct argv_template *w =
	    argv_template_parse("plain A={0}x {1} ''", NULL);

	ck_assert_uint_eq(argv_template_count(w), 4);
	ck_assert(argv_template_is_fixed(w, 0) &&
		  !argv_template_is_fixed(w, 1));
	ck_assert(!argv_template_is_fixed(w, 2) &&
		  argv_template_is_fixed(w, 3));
	ck_assert_str_eq(argv_template_prefix(w, 0), "plain");
	ck_assert_str_eq(argv_template_prefix(w, 1), "A=");
	ck_assert_str_eq(argv_template_prefix(w, 2), "");
	ck_assert_str_eq(argv_template_prefix(w, 3), "");
	argv_template_free(w);
}
END_TEST

SUITE("argv_template")
{
	TEST_LOOP(a_line_is_cut_into_words_and_placeholders, 0,
		  sizeof(lines) / sizeof(lines[0]));
	TEST_LOOP(what_is_no_command_line_is_refused_with_its_column, 0,
		  sizeof(bad) / sizeof(bad[0]));
	TEST(a_placeholder_without_a_value_is_an_error);
	TEST(the_fixed_part_of_a_word_is_known_before);
}
