/* SPDX-License-Identifier: MIT */
/* Configuration files: inih splits the lines, the key table judges them. */
#include "util/conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ini.h>

#include "util/buf.h"
#include "util/conf.h"
#include "util/conf_key.h"
#include "util/err.h"

#define FILE_MAX (1024 * 1024)
/* The longest value is 65536 bytes; the rest is for name and blanks. */
#define LINE_MAX_LEN 66000

_Static_assert(INI_HANDLER_LINENO, "the handler wants line numbers");

/* --- reading ------------------------------------------------------------- */

static int
read_all(int fd, const char *path, struct buf *out, struct err *err)
{
	ssize_t n;

	while (out->len <= FILE_MAX) {
		if (buf_reserve(out, 4096) != 0)
			return err_nomem(err);
		n = read(fd, out->data + out->len, 4096);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys(err, ERR_CONFIG, "cannot read %s", path);
		out->len += (size_t)n;
		out->data[out->len] = '\0';
		if (n == 0)
			return 0;
	}
	return err_set(err, ERR_CONFIG,
		       "%s is larger than 1 MiB; that is no configuration",
		       path);
}

static int
check_content(const char *path, const struct buf *text, struct err *err)
{
	const char *p;
	int line = 1;

	if (strlen(text->data) == text->len)
		return 0;
	for (p = text->data; *p != '\0'; p++)
		line += *p == '\n';
	return err_set(err, ERR_CONFIG,
		       "%s:%d: holds a NUL byte; a configuration is text", path,
		       line);
}

int
conf_file_read(const char *path, struct buf *out, struct err *err)
{
	struct stat st;
	int fd, r;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) == -1) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 1;
		return err_sys(err, ERR_CONFIG, "cannot open %s", path);
	}
	if (fstat(fd, &st) != 0)
		r = err_sys(err, ERR_CONFIG, "cannot read %s", path);
	else if (S_ISDIR(st.st_mode))
		r = err_set(err, ERR_CONFIG,
			    "%s is a directory; name the file in it", path);
	else if ((r = read_all(fd, path, out, err)) == 0)
		r = check_content(path, out, err);
	close(fd);
	return r;
}

/* --- parsing ------------------------------------------------------------- */

struct parser {
	const char *path;
	const char *next; /* the text that is left */
	int line;	  /* of what the reader gave last */
	struct conf *conf;
	int *seen; /* the line of each key, or 0 */
	bool failed;
	struct err err;
};

/* Remembers the first error only; returns 0, which inih takes as a failure. */
static int
fail(struct parser *parser, int line, const struct err *err)
{
	if (!parser->failed) {
		parser->failed = true;
		parser->err = *err;
		err_prefix(&parser->err, "%s:%d", parser->path, line);
	}
	return 0;
}

/*
 * Checks "[section]", which inih passes over when no key follows; and it
 * ignores what stands behind the bracket. Returns 0 if the line is good.
 */
static int
check_header(const char *line, size_t len, struct err *err)
{
	const char *end = memchr(line, ']', len);
	char section[64];
	const char *p;

	/* Without the bracket it is inih that refuses the line. */
	if (end == NULL)
		return 0;
	for (p = end + 1; p < line + len && strchr(" \t\r", *p); p++)
		;
	if (p < line + len && *p != ';' && *p != '#')
		return err_set(err, ERR_CONFIG,
			       "something follows the \"]\"; begin a new line "
			       "there");
	snprintf(section, sizeof(section), "%.*s", (int)(end - line - 1),
		 line + 1);
	return conf_key_check_section(section, err);
}

/*
 * An ini_reader. Blanks at the beginning are dropped: to inih they would make
 * the line a second value of the key above. What inih would cut, is an error.
 */
static char *
on_line(char *str, int size, void *self)
{
	struct parser *parser = self;
	const char *line = parser->next + strspn(parser->next, " \t");
	size_t len = strcspn(line, "\n");
	struct err err = ERR_INIT;

	if (*parser->next == '\0' || parser->failed)
		return NULL;
	parser->line++;
	if (*line == '[' && check_header(line, len, &err) != 0) {
		fail(parser, parser->line, &err);
		return NULL;
	}
	/* inih wants room for "\r", "\n" and the NUL. */
	if (len + 3 > (size_t)size) {
		err_set(&err, ERR_CONFIG,
			"the line is too long: %zu bytes; allowed: %d", len,
			size - 3);
		fail(parser, parser->line, &err);
		return NULL;
	}
	memcpy(str, line, len);
	str[len] = '\0';
	parser->next = line + len + (line[len] == '\n');
	return str;
}

static int
set_key(struct parser *parser, const char *section, const char *name,
	const char *value, struct err *err)
{
	const struct conf_key *key;
	int *seen;

	if (*section == '\0')
		return err_set(err, ERR_CONFIG,
			       "the key \"%.64s\" stands before the first "
			       "[section]",
			       name);
	if ((key = conf_key_find(section, name, err)) == NULL)
		return -1;
	seen = &parser->seen[key - conf_keys];
	if (*seen != 0)
		return err_set(err, ERR_CONFIG,
			       "[%s] %s is given twice; the first is in line "
			       "%d",
			       section, name, *seen);
	*seen = parser->line;
	if (conf_key_set(key, parser->conf, value, err) == 0)
		return 0;
	if (key->type == CONF_SECRET)
		return err_prefix(err, "[%s] %s", section, name);
	return err_prefix(err, "[%s] %s = \"%.64s\"", section, name, value);
}

static int
on_key(void *self, const char *section, const char *name, const char *value,
       int line)
{
	struct parser *parser = self;
	struct err err = ERR_INIT;

	if (set_key(parser, section, name, value, &err) != 0)
		return fail(parser, line, &err);
	return 1;
}

/* The library's limit is a variable, 200 by default; it has no other way. */
static void
widen_lines(void)
{
	if (ini_max_line < LINE_MAX_LEN)
		ini_max_line = LINE_MAX_LEN;
}

int
conf_file_parse(const char *path, const char *text, struct conf *conf,
		struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct parser parser = {.path = path, .next = text, .conf = conf};
	int bad_line;

	pthread_once(&once, widen_lines);
	if ((parser.seen = calloc(conf_n_keys, sizeof(int))) == NULL)
		return err_nomem(err);
	bad_line = ini_parse_stream(on_line, &parser, on_key, &parser);
	free(parser.seen);
	/* A line that inih could not split comes before what failed later. */
	if (bad_line > 0 && (!parser.failed || bad_line < parser.line))
		return err_set(err, ERR_CONFIG,
			       "%s:%d: neither [section] nor key = value", path,
			       bad_line);
	if (!parser.failed && bad_line == 0)
		return 0;
	if (!parser.failed)
		return err_nomem(err);
	if (err != NULL)
		*err = parser.err;
	return -1;
}
