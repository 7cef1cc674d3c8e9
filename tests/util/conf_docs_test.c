/* SPDX-License-Identifier: MIT */
/*
 * The example and the manual page of the configuration say what the key table
 * says. The tests run in the top folder of the sources.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/conf.h"
#include "util/conf_file.h"
#include "util/conf_key.h"
#include "util/err.h"

#include "suite.h"

#define EXAMPLE "conf/flowrra.conf"
#define PAGE "conf/flowrra.conf.5"

static void
read_text(const char *path, struct buf *text)
{
	struct err err = ERR_INIT;

	ck_assert_msg(conf_file_read(path, text, &err) == 0, "%s: %s", path,
		      err.msg);
}

static char *
dump(const char *file)
{
	struct conf *conf = NULL;
	struct err err = ERR_INIT;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_msg(conf_load(file, NULL, &conf, &err) == 0, "%s", err.msg);
	conf_dump(conf, false, out);
	fclose(out);
	conf_free(conf);
	return text;
}

/* Copies the example with the "#" before each "#key = value" removed. */
static size_t
uncomment(const char *example, struct buf *out)
{
	size_t len, n = 0;

	for (; *example != '\0'; example += len) {
		len = strcspn(example, "\n");
		len += example[len] == '\n';
		if (example[0] == '#' && islower((unsigned char)example[1])) {
			buf_add(out, example + 1, len - 1);
			n++;
		} else {
			buf_add(out, example, len);
		}
	}
	return n;
}

START_TEST(the_example_shows_every_key_with_its_default)
{
	struct buf example = BUF_INIT;
	struct buf text = BUF_INIT;
	char path[] = "/tmp/flowrra-XXXXXX";
	char *of_defaults, *of_example;
	int fd;

	read_text(EXAMPLE, &example);
	/* No key can stand there twice, so the number says that all do. */
	ck_assert_uint_eq(uncomment(example.data, &text), conf_n_keys);
	ck_assert_int_ne(fd = mkstemp(path), -1);
	ck_assert_int_eq(write(fd, text.data, text.len), (ssize_t)text.len);
	close(fd);
	of_example = dump(path);
	unlink(path);
	of_defaults = dump("/dev/null");
	ck_assert_str_eq(of_example, of_defaults);
	free(of_example);
	free(of_defaults);
	buf_done(&example);
	buf_done(&text);
}
END_TEST

START_TEST(the_example_as_it_is_changes_nothing)
{
	char *of_defaults = dump("/dev/null");
	char *of_example = dump(EXAMPLE);

	ck_assert_str_eq(of_example, of_defaults);
	free(of_example);
	free(of_defaults);
}
END_TEST

/* Appends a key's bound as the manual page writes it. */
static void
add_bound(const struct conf_key *key, double bound, struct buf *out)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	char text[64];

	ck_assert_ptr_nonnull(conf);
	snprintf(text, sizeof(text), "%f", bound);
	if (key->type != CONF_DURATION)
		*strchr(text, '.') = '\0';
	ck_assert_int_eq(conf_key_set(key, conf, text, NULL), 0);
	conf_key_print(key, conf, out);
	free(conf);
}

/* What the manual page has to say about a key. */
static void
describe(const struct conf_key *key, struct buf *out)
{
	buf_addf(out, "%s %s", key->name, key->help);
	if (*key->standard != '\0')
		buf_addf(out, " Default: .Ql %s .", key->standard);
	if (key->type == CONF_UINT || key->type == CONF_DURATION ||
	    key->type == CONF_SIZE) {
		buf_adds(out, " Range: ");
		add_bound(key, key->min, out);
		buf_adds(out, " to ");
		add_bound(key, key->max, out);
		buf_adds(out, ".");
	}
	if ((key->flags & RELOAD) != 0)
		buf_adds(out, " Reloadable.");
}

/* Joins the lines of the manual page's sections on keys. */
static void
join_lines(const char *page, struct buf *out)
{
	const char *p = strstr(page, "\n.Sh KEYS\n");

	ck_assert_ptr_nonnull(p);
	for (p += strlen("\n.Sh KEYS\n"); *p != '\0'; p++)
		buf_addc(out, *p == '\n' ? ' ' : *p);
}

/* Checks what the page says of these keys, from `p` on; returns what follows.
 */
static const char *
check_keys(const struct conf_key *keys, size_t n, const char *p)
{
	struct buf want = BUF_INIT;
	const struct conf_key *key;
	const char *section = "";

	for (key = keys; key < keys + n; key++) {
		buf_reset(&want);
		if (strcmp(section, key->section) != 0) {
			buf_addf(&want, ".Ss \"[%s]\"",
				 keys == conf_task_keys ? "task NAME"
							: key->section);
			p = strstr(p, want.data);
			ck_assert_msg(p != NULL, "no %s, or not in its place",
				      want.data);
		}
		section = key->section;
		buf_reset(&want);
		describe(key, &want);
		p = strstr(p, ".It Ic ");
		ck_assert_msg(p != NULL, "too few keys: no %s", key->name);
		p += strlen(".It Ic ");
		ck_assert_msg(strncmp(p, want.data, want.len) == 0 &&
				  strncmp(p + want.len, " .", 2) == 0,
			      PAGE " has\n\t%.300s\nbut it should be\n\t%s", p,
			      want.data);
	}
	buf_done(&want);
	return p;
}

START_TEST(the_manual_page_describes_every_key_as_the_table_does)
{
	struct buf page = BUF_INIT;
	struct buf text = BUF_INIT;
	const char *p;

	read_text(PAGE, &page);
	join_lines(page.data, &text);
	p = check_keys(conf_keys, conf_n_keys, text.data);
	p = check_keys(conf_task_keys, conf_n_task_keys, p);
	ck_assert_msg(strstr(p, ".It Ic ") == NULL, "there are too many keys");
	buf_done(&page);
	buf_done(&text);
}
END_TEST

/* Lines of the example that begin so are a section of a task. */
#define OF_TASK "#   "

START_TEST(the_task_in_the_example_can_be_declared)
{
	struct buf example = BUF_INIT;
	struct buf text = BUF_INIT;
	struct conf *conf = NULL;
	struct err err = ERR_INIT;
	char path[] = "/tmp/flowrra-XXXXXX", *line, *save;
	int fd;

	read_text(EXAMPLE, &example);
	for (line = strtok_r(example.data, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, OF_TASK, strlen(OF_TASK)) == 0)
			buf_addf(&text, "%s\n", line + strlen(OF_TASK));
	ck_assert_int_ne(fd = mkstemp(path), -1);
	ck_assert_int_eq(write(fd, text.data, text.len), (ssize_t)text.len);
	close(fd);
	ck_assert_msg(conf_load(path, NULL, &conf, &err) == 0, "%s", err.msg);
	unlink(path);
	ck_assert_uint_eq(conf->n_tasks, 1);
	conf_free(conf);
	buf_done(&example);
	buf_done(&text);
}
END_TEST

SUITE("conf_docs")
{
	TEST(the_example_shows_every_key_with_its_default);
	TEST(the_example_as_it_is_changes_nothing);
	TEST(the_manual_page_describes_every_key_as_the_table_does);
	TEST(the_task_in_the_example_can_be_declared);
}
