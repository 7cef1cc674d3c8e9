/* SPDX-License-Identifier: MIT */
/* What all verbs print: complaints, progress and JSON. Answers go to standard
 * output and everything else to standard error, so that a pipe only ever
 * carries answers. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "codec/scan.h"
#include "format.h"
#include "gateway.h"
#include "manager/moment.h"
#include "module/dump.h"
#include "own_task.h"
#include "sqlite/place.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/utf8.h"
#include "verb.h"

/* The services' socket, as the configuration names it; the default, if this user cannot
 * read the configuration. NULL with *err. */
static char *
gateway_socket(const struct ctl *ctl, struct err *err)
{
	const struct globals *g = &ctl->globals;
	struct conf *conf = NULL;
	char *path = NULL;

	if (ctl->conf != NULL)
		path = strdup(ctl->conf->client.gateway);
	else if (conf_load("/dev/null", g->settings.items, &conf, err) != 0)
		return NULL;
	else
		path = strdup(conf->client.gateway);
	conf_free(conf);
	if (path == NULL)
		err_nomem(err);
	return path;
}

/* Whether the user may not open the store, or not read the services' configuration. What
 * a worker withholds from the commands it runs does not count. */
static bool
is_refused(const struct ctl *ctl, const struct err *why)
{
	if (ctl->conf == NULL)
		return why->code == ERR_CONFIG && why->sys == EACCES;
	return why->code == ERR_REFUSED &&
	       !ctl->conf->stores[CONF_STORE_BROKER].withheld &&
	       !ctl->conf->stores[CONF_STORE_SCHEDULES].withheld;
}

char *
ctl_gateway(const struct ctl *ctl, const struct err *why, struct err *err)
{
	char *socket;

	if (!is_refused(ctl, why))
		return strdup("");
	socket = gateway_socket(ctl, err);
	if (socket != NULL && access(socket, W_OK) != 0)
		socket[0] = '\0';
	return socket;
}

/* For a user who may not open the services' store: 0 if the gateway can be used, or the
 * exit status after a complaint. */
static int
ctl_open_gateway(struct ctl *ctl, struct err *why)
{
	struct err err = ERR_INIT;
	char *socket = ctl_gateway(ctl, why, &err);

	if (socket == NULL)
		return complain_of_err(ctl, &err);
	if (socket[0] != '\0' && ctl->verb->gateway)
		ctl->gateway = gateway_new(socket, why);
	else if (socket[0] == '\0' && ctl->verb->gateway &&
		 is_refused(ctl, why))
		err_hint(why, "or have flowrra-web.socket started, and opened "
			      "to users (SocketMode=0666)");
	else if (socket[0] != '\0')
		err_hint(why, "flowrra-web, which lets users in, does not have "
			      "this command");
	free(socket);
	return ctl->gateway != NULL ? 0 : complain_of_err(ctl, why);
}

int
ctl_need_store(const struct ctl *ctl, const char *what, struct err *err)
{
	return ctl->gateway == NULL
		   ? 0
		   : err_set(err, ERR_USAGE,
			     "%s: not possible through flowrra-web, by which "
			     "this user comes to the store",
			     what);
}

/* Opens no connection yet: that is done by the first question, which waits for
 * socket_timeout at most. */
static int
ctl_open_client(struct ctl *ctl, bool schedules)
{
	struct err err = ERR_INIT;
	struct conf *conf;

	/* With --watch a verb runs more than once. */
	if (ctl->client != NULL || ctl->gateway != NULL)
		return 0;
	conf = ctl_conf(ctl, schedules, &err);
	if (conf == NULL ||
	    conf_check_client(conf, CONF_STORE_BROKER, &err) != 0 ||
	    conf_check_client(conf, CONF_STORE_BACKEND, &err) != 0 ||
	    place_check_url(conf->broker.url, &err) != 0)
		return ctl_open_gateway(ctl, &err);
	if (client_open_with(conf, &ctl->client, &err) != 0)
		return complain_of_err(ctl, &err);
	/* A person should not wait for what is not there. */
	client_expect_servers(ctl->client);
	return 0;
}

int
ctl_open(struct ctl *ctl)
{
	return ctl_open_client(ctl, false);
}

int
ctl_reach_schedules(struct ctl *ctl)
{
	struct err err = ERR_INIT;
	struct conf *conf;

	if (ctl->gateway != NULL)
		return 0;
	conf = ctl_conf(ctl, true, &err);
	if (conf != NULL &&
	    conf_check_client(conf, CONF_STORE_SCHEDULES, &err) == 0 &&
	    place_check_url(conf->scheduler.database_url, &err) == 0)
		return 0;
	return ctl_open_gateway(ctl, &err);
}

int
ctl_open_near(struct ctl *ctl)
{
	struct err err = ERR_INIT;

	if (!own_task_is_there(ctl))
		return ctl_open(ctl);
	if (ctl->own == NULL && (ctl->own = own_task_open(&err)) == NULL)
		return complain_of_err(ctl, &err);
	return 0;
}

int
ctl_open_all(struct ctl *ctl)
{
	return ctl_open_client(ctl, true);
}

/* In place, byte for byte: the length stays. */
void
mask_controls(char *text)
{
	char *p = text, *end = text + strlen(text);
	size_t len;

	for (; p < end; p += len)
		if (utf8_strange(p, (size_t)(end - p), &len))
			memset(p, *p == '\n' || *p == '\t' ? ' ' : '?', len);
}

void
print_masked(const char *text, int width)
{
	char *copy = strdup(text);

	if (copy != NULL)
		mask_controls(copy);
	printf("%-*s", width, copy != NULL ? copy : "?");
	free(copy);
}

void
tell_moment(struct ctl *ctl, const char *what, int64_t us)
{
	char text[MOMENT_TEXT_MAX];

	if (us == 0 || ctl->globals.quiet || !isatty(STDERR_FILENO))
		return;
	moment_write(us, clock_wall_us(), text);
	fflush(stdout);
	fprintf(stderr, "%s %s\n", what, text);
}

void
complain(struct ctl *ctl, const char *fmt, ...)
{
	/* An error's message is 512 bytes at most; what a verb puts around it
	 * is less than that again. */
	char line[2048];
	const char *color = "", *end = "";
	va_list ap;

	if (ctl->globals.quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	mask_controls(line);
	/* The line of progress is on the same terminal: clear it, or the
	 * complaint would stand behind it. */
	end_progress(ctl);
	/* Answers come before the complaint that follows them. */
	fflush(stdout);
	/* The name is coloured, and says with its colour what the text says. */
	if (style_has_color(ctl->globals.color, STDERR_FILENO)) {
		color = strncmp(line, "warning: ", 9) == 0 ? STYLE_YELLOW
							   : STYLE_RED;
		end = STYLE_END;
	}
	if (ctl->verb != NULL)
		fprintf(stderr, "%sflowrractl: %s:%s %s\n", color,
			ctl->verb->name, end, line);
	else
		fprintf(stderr, "%sflowrractl:%s %s\n", color, end, line);
}

int
complain_of(struct ctl *ctl, const struct flowrra_error *error)
{
	complain(ctl, "%s", error->message);
	return error->code;
}

int
complain_of_err(struct ctl *ctl, const struct err *err)
{
	complain(ctl, "%s", err->msg);
	return err_exit_status(err->code);
}

/* --- progress ---------------------------------------------------------- */

/* Only where a person sees it: in a log it would be one long line with returns
 * in it. */
void
show_progress(struct ctl *ctl, long long n, const char *what)
{
	if (ctl->globals.quiet || !isatty(STDERR_FILENO))
		return;
	ctl->progress = true;
	fprintf(stderr, "\r%lld %s", n, what);
}

void
end_progress(struct ctl *ctl)
{
	if (ctl->progress)
		fputs("\r\033[K", stderr);
	ctl->progress = false;
}

/* --- JSON -------------------------------------------------------------- */

/* What is strange in the values of others must not steer a terminal. */
static void
print_safe(struct slice json)
{
	struct buf out = BUF_INIT;

	utf8_add_json(&out, json.p, json.len);
	if (!out.failed)
		fwrite(out.data, 1, out.len, stdout);
	buf_done(&out);
}

/* Of JSON in a text what --format or --json=FIELDS say, without its last newline. */
static void
print_chosen(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	struct buf out = BUF_INIT;

	format_write(json, &out);
	if (!out.failed && out.len > 0)
		fwrite(out.data, 1, out.len, stdout);
	buf_done(&out);
	json_decref(json);
}

/* JSON from a store, as it stands but for white space: decoding it would round
 * numbers that are longer than a double, and lose the order of members. A result
 * in a pipe is left as its bytes are. */
void
print_compact(const struct ctl *ctl, const char *json)
{
	struct buf out = BUF_INIT;
	bool in_string = false;

	if (ctl->globals.json && format_is_chosen()) {
		print_chosen(json);
		return;
	}
	for (; *json != '\0'; json++) {
		if (!in_string && strchr(" \t\r\n", *json) != NULL)
			continue;
		buf_addc(&out, *json);
		if (in_string && *json == '\\' && json[1] != '\0')
			buf_addc(&out, *++json);
		else if (*json == '"')
			in_string = !in_string;
	}
	if (!out.failed && out.len > 0) {
		if (ctl->globals.json || isatty(STDOUT_FILENO))
			print_safe((struct slice){out.data, out.len});
		else
			fwrite(out.data, 1, out.len, stdout);
	}
	buf_done(&out);
}

void
print_quoted(const char *text)
{
	struct buf out = BUF_INIT;

	scan_quote(&out, slice_of(text));
	if (!out.failed)
		print_safe((struct slice){out.data, out.len});
	buf_done(&out);
}

/* With the digits that each number needs: 0.1 is printed as 0.1, and nothing is
 * rounded. Without memory nothing is printed; flush() cannot
 * see that, but neither could anything else be done. */
void
print_json(const json_t *json)
{
	struct buf out = BUF_INIT;
	char *text;

	if (format_is_chosen()) {
		format_write(json, &out);
		if (!out.failed && out.len > 0) {
			fwrite(out.data, 1, out.len, stdout);
			putchar('\n');
		}
		buf_done(&out);
		return;
	}
	text = json_dumps(json, dump_flags(json));

	if (text != NULL) {
		print_safe(slice_of(text));
		putchar('\n');
	}
	free(text);
}

void
print_json_line(json_t *json)
{
	print_json(json);
	json_decref(json);
}

void
print_if_json(struct ctl *ctl, json_t *json)
{
	if (ctl->globals.json)
		print_json_line(json);
	else
		json_decref(json);
}
