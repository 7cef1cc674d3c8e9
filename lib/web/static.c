/* SPDX-License-Identifier: MIT */
/*
 * The files of the pages: put into the program by the assembler (.incbin), in plain
 * and in packed form. So there is no directory to be found, to be changed by
 * somebody else, or to be left with ".." in a path; and a program and its pages are
 * always of one version.
 */
#include "web/static.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/conf.h"

/*
 * The build makes web_ui.def, with a line UI(number, name, file, gzipped file) for
 * each file. It is included several times: for the bytes, which an assembler puts
 * between two labels; for their declarations; for the table; and for the lengths. A
 * NUL behind the bytes lets index.html be read as a string.
 */
#define UI_LABEL(n, part) "flowrra_ui_" #n part
#define UI_INCLUDE(n, part, file)                                              \
	UI_LABEL(n, part)                                                      \
	":\n.incbin \"" file "\"\n" UI_LABEL(n, part) "_end:\n.byte 0\n"
#define UI(n, name, file, packed)                                              \
	__asm__(".pushsection .rodata\n" UI_INCLUDE(n, "", file)               \
		    UI_INCLUDE(n, "_gz", packed) ".popsection\n");
#include "web_ui.def"
#undef UI

#define UI(n, name, file, packed)                                              \
	extern __attribute__((visibility("hidden")))                           \
	const char flowrra_ui_##n[],                                           \
	    flowrra_ui_##n##_end[], flowrra_ui_##n##_gz[],                     \
	    flowrra_ui_##n##_gz_end[];
#include "web_ui.def"
#undef UI

#define UI(n, text, file, gz) {.name = (text)},
static struct static_file static_files[] = {
#include "web_ui.def"
};
#undef UI
#define N_FILES (sizeof(static_files) / sizeof(static_files[0]))

/* The length of a file is the difference of two addresses, which is not a constant
 * of C: so it is measured once, before main(). */
__attribute__((constructor)) static void
static_measure(void)
{
#define UI(n, name, file, gz)                                                  \
	static_files[n].bytes = (struct slice){                                \
	    flowrra_ui_##n, (size_t)(flowrra_ui_##n##_end - flowrra_ui_##n)};  \
	static_files[n].packed = (struct slice){                               \
	    flowrra_ui_##n##_gz,                                               \
	    (size_t)(flowrra_ui_##n##_gz_end - flowrra_ui_##n##_gz)};
#include "web_ui.def"
#undef UI
}

/* Of all files together: modules import each other by relative paths, so that
 * they have to move as one. */
const char *
static_digest(void)
{
#define UI(n, name, file, gz)
#define UI_DIGEST(text) return text;
#include "web_ui.def"
#undef UI
#undef UI_DIGEST
}

/* By its whole name; a path of the file system is never made of it. */
const struct static_file *
static_find(const char *name)
{
	size_t i;

	for (i = 0; i < N_FILES; i++)
		if (strcmp(static_files[i].name, name) == 0)
			return &static_files[i];
	return NULL;
}

/* With nosniff a browser takes nothing for what it is not said to be. */
const char *
static_type(const char *name)
{
	static const char *const types[][2] = {
	    {".html", "text/html; charset=utf-8"},
	    {".js", "text/javascript; charset=utf-8"},
	    {".css", "text/css; charset=utf-8"},
	    {".svg", "image/svg+xml"},
	    {".json", "application/json"},
	    {".png", "image/png"},
	    {".ico", "image/x-icon"},
	    {".woff2", "font/woff2"},
	    {".txt", "text/plain; charset=utf-8"}};
	const char *end = strrchr(name, '.');
	size_t i;

	for (i = 0; end != NULL && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(end, types[i][0]) == 0)
			return types[i][1];
	return "application/octet-stream";
}

/* "{}" stands for one part. */
static const char *const static_pages[] = {"/",
					   "/queues",
					   "/queues/{}",
					   "/tasks",
					   "/tasks/{}",
					   "/workers",
					   "/workers/{}",
					   "/schedules",
					   "/schedules/{}",
					   "/limits",
					   "/workflows",
					   "/workflows/{}",
					   "/calendar",
					   "/schedules/{}/edit",
					   "/dead",
					   "/enqueue",
					   "/health",
					   "/login",
					   "/about",
					   "/index.html"};

/* One slash at the end is forgiven: people type it. */
static bool
static_matches(const char *path, const char *page)
{
	for (; *page != '\0'; page++) {
		if (page[0] == '{' && page[1] == '}') {
			if (*path == '/' || *path == '\0')
				return false;
			path += strcspn(path, "/");
			page++;
		} else if (*path++ != *page) {
			return false;
		}
	}
	return *path == '\0' ||
	       (path[0] == '/' && path[1] == '\0' && path[-1] != '/');
}

/* All of them are one document: the browser finds the view by the path. A path that
 * is none gets a 404 from us, and not a page that says so with status 200. */
bool
static_is_page(const char *path)
{
	size_t i;

	for (i = 0; i < sizeof(static_pages) / sizeof(static_pages[0]); i++)
		if (static_matches(path, static_pages[i]))
			return true;
	return false;
}

/* --- the page -------------------------------------------------------------- */

/* For texts of elements, and values of attributes in double quotes. Label and
 * prefix are an administrator's; they must not break the page even so. */
static void
static_add_html(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		switch (*text) {
		case '&':
			buf_adds(out, "&amp;");
			break;
		case '<':
			buf_adds(out, "&lt;");
			break;
		case '>':
			buf_adds(out, "&gt;");
			break;
		case '"':
			buf_adds(out, "&quot;");
			break;
		default:
			buf_addc(out, *text);
		}
}

/* What a place of the page is filled with. */
static const char *
static_value(const char *name, size_t len, const struct conf *conf,
	     const char *version)
{
	const struct {
		const char *name, *value;
	} values[] = {{"version", version},
		      {"label", conf->web.label},
		      {"colour", conf->web.colour},
		      {"readonly", conf->web.read_only ? "1" : ""},
		      {"hash", static_digest()}};
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (strlen(values[i].name) == len &&
		    strncmp(values[i].name, name, len) == 0)
			return values[i].value;
	return "";
}

/* Fills the places "{{name}}" of index.html. "{{base}}" is the prefix, on which all
 * URLs of the page hang. The file is ours: a place that is not closed is left as it
 * is. */
void
static_page(const struct conf *conf, const char *version, struct buf *out)
{
	const struct static_file *index = static_find("index.html");
	const char *p = index != NULL ? index->bytes.p : "";
	const char *place, *end;

	while ((place = strstr(p, "{{")) != NULL &&
	       (end = strstr(place, "}}")) != NULL) {
		buf_add(out, p, (size_t)(place - p));
		place += 2;
		if (strncmp(place, "base", 4) == 0) {
			static_add_html(out, conf->web.prefix);
			buf_addc(out, '/');
		} else {
			static_add_html(out, static_value(place,
							  (size_t)(end - place),
							  conf, version));
		}
		p = end + 2;
	}
	buf_adds(out, p);
}

/* Accept-Encoding (RFC 9110, section 12.5.3). All browsers take gzip; curl without
 * --compressed, and probes, do not. */
bool
static_takes_gzip(const char *accept)
{
	const char *p;

	for (p = accept; p != NULL && (p = strcasestr(p, "gzip")) != NULL;
	     p += 4) {
		const char *q = p + 4 + strspn(p + 4, " ");

		/* "gzip;q=0" forbids it. */
		if (strncasecmp(q, ";q=0", 4) != 0 ||
		    q[4 + strspn(q + 4, ".0")] > '0')
			return true;
	}
	return false;
}
