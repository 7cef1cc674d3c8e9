/* SPDX-License-Identifier: MIT */
/* The program's log on standard error. */
#include "util/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"

static const struct {
	const char *name;
	int priority;
} levels[] = {
#define X(label, number)                                                       \
	[LOG_LEVEL_##label] = {.name = #label, .priority = (number)},
    LOG_LEVELS(X)
#undef X
};

#define N_LEVELS (sizeof(levels) / sizeof(levels[0]))

static const char *program_name;
static bool to_journal;
static atomic_int max_level = LOG_LEVEL_notice;

/* Whether standard error is the stream that systemd announces as its own. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;
	char *end;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	device = strtoumax(stream, &end, 10);
	if (end == stream || *end != ':')
		return false;
	inode = strtoumax(end + 1, &end, 10);
	return *end == '\0' && device == (uintmax_t)st.st_dev &&
	       inode == (uintmax_t)st.st_ino;
}

void
log_init(const char *program)
{
	program_name = program;
	to_journal = stderr_is_journal();
}

void
log_set_level(enum log_level level)
{
	atomic_store(&max_level, (int)level);
}

int
log_level_parse(const char *name, enum log_level *ret_level)
{
	size_t i;

	for (i = 0; i < N_LEVELS; i++) {
		if (strcmp(name, levels[i].name) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

int
log_enabled(enum log_level level)
{
	return (int)level <= atomic_load(&max_level);
}

/* The bytes of the control character at p: 1, 2 (U+0080 to U+009F), or 0. */
static size_t
control_length(const unsigned char *p, size_t len)
{
	if (p[0] < 0x20 || p[0] == 0x7f)
		return 1;
	if (p[0] == 0xc2 && len > 1 && p[1] >= 0x80 && p[1] <= 0x9f)
		return 2;
	return 0;
}

static void
add_escaped(struct buf *line, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	const unsigned char *end = p + len;
	size_t n;

	while (p < end) {
		n = control_length(p, (size_t)(end - p));
		if (n == 0)
			buf_addc(line, (char)*p++);
		for (; n > 0; n--)
			buf_addf(line, "\\x%02x", *p++);
	}
}

static void
add_head(struct buf *line, enum log_level level)
{
	char now[CLOCK_TEXT_SIZE];

	if (to_journal) {
		buf_addf(line, "<%d>", levels[level].priority);
		return;
	}
	clock_format(clock_wall_us(), now);
	buf_addf(line, "%s %s %s: ", now,
		 program_name ? program_name : program_invocation_short_name,
		 levels[level].name);
}

/* One write a line, so that lines of threads and processes do not mix. */
static void
write_line(const char *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(STDERR_FILENO, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	static const char no_memory[] = "a line is lost: out of memory\n";
	struct buf line = BUF_INIT;
	int saved = errno;
	char *text = NULL;
	va_list ap;
	int len;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len >= 0) {
		add_head(&line, level);
		add_escaped(&line, text, (size_t)len);
		buf_addc(&line, '\n');
		free(text);
	}
	if (len < 0 || line.failed)
		write_line(no_memory, sizeof(no_memory) - 1);
	else
		write_line(line.data, line.len);
	buf_done(&line);
	errno = saved;
}
