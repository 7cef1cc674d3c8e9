/* SPDX-License-Identifier: MIT */
/*
 * A daemon's own metrics: the words of the configuration become sockets, which a
 * server that is loaded for it serves.
 */
#include "metrics/endpoint.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/address.h"
#include "metrics/serve.h"
#include "metrics/text.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/proc.h"

/* A text is made on the loop that also serves tasks. */
#define LIFE_MS 1000

/* One form; each is made when somebody asks for it. */
struct kept_text {
	struct buf bytes;
	int64_t made_ms; /* monotonic; 0: never */
};

struct metrics_endpoint {
	struct metrics_endpoint_options opt;
	const struct metrics_serve *serve;
	struct metrics_server *server;
	struct kept_text openmetrics, text;
};

/* --- words ------------------------------------------------------------- */

/* For messages. */
static struct http_address_of
words_of(const char *key)
{
	return (struct http_address_of){
	    .key = key, .denied = "this user may not; set another one"};
}

/* Of this machine alone: those who reach the port may read. */
static int
check_word(const char *key, const char *word, struct err *err)
{
	const struct http_address_of of = words_of(key);
	union http_address address;
	socklen_t len;

	if (http_address_parse(&of, word, &address, &len, err) != 0)
		return -1;
	if (http_address_is_local(&address))
		return 0;
	return err_set(err, ERR_CONFIG,
		       "%s: other machines would reach %s, and there is no "
		       "login; set 127.0.0.1:PORT or unix:/PATH, or have "
		       "flowrra-web serve them",
		       key, word);
}

/* Before anything is opened, so that --check tells a mistake, too. */
int
metrics_endpoint_check(const char *key, const char *listen, struct err *err)
{
	char **words = conf_list(listen);
	int i, r = 0;

	if (words == NULL)
		return err_nomem(err);
	for (i = 0; r == 0 && words[i] != NULL; i++)
		r = check_word(key, words[i], err);
	conf_list_free(words);
	return r;
}

/* --- texts ------------------------------------------------------------- */

/* A scrape costs what a turn of the loop with some hundred tasks does; a loop of
 * curl must not hold up more. */
static struct slice
endpoint_text(bool openmetrics, void *arg)
{
	struct metrics_endpoint *e = arg;
	struct kept_text *kept = openmetrics ? &e->openmetrics : &e->text;
	struct metrics_text m = {.openmetrics =
				     openmetrics ? &kept->bytes : NULL,
				 .text = openmetrics ? NULL : &kept->bytes};
	const int64_t now_ms = clock_mono_ms();

	if (kept->made_ms == 0 || now_ms - kept->made_ms >= LIFE_MS) {
		buf_reset(&kept->bytes);
		e->opt.write(&m, e->opt.arg);
		metrics_end(&m);
		kept->made_ms = kept->bytes.failed ? 0 : now_ms;
	}
	if (kept->bytes.failed)
		return (struct slice){NULL, 0};
	return (struct slice){kept->bytes.data, kept->bytes.len};
}

/* --- the server -------------------------------------------------------- */

/* RTLD_LOCAL: it has functions of lib/util, as the program does. */
static const struct metrics_serve *
endpoint_load(const char *key, struct err *err)
{
	const struct metrics_serve *serve = NULL;
	char *path = proc_beside("../libexec/flowrra/metrics.so", err);
	void *object;

	if (path == NULL)
		return NULL;
	if ((object = dlopen(path, RTLD_NOW | RTLD_LOCAL)) != NULL)
		serve = dlsym(object, "metrics_serve");
	if (serve == NULL)
		err_set(err, ERR_CONFIG,
			"%s: cannot load the HTTP server (is libmicrohttpd "
			"installed?): %s",
			key, dlerror());
	free(path);
	return serve;
}

/* The server closes those that it was given. */
static int
endpoint_listen(struct metrics_endpoint *e, struct err *err)
{
	const struct http_address_of of = words_of(e->opt.key);
	char **words = conf_list(e->opt.listen);
	int i, fd, r = 0;

	if (words == NULL)
		return err_nomem(err);
	for (i = 0; r == 0 && words[i] != NULL; i++) {
		fd = http_address_open(&of, words[i], err);
		r = fd < 0 ? -1 : e->serve->listen(e->server, fd, err);
	}
	conf_list_free(words);
	return r;
}

/* All addresses or none: a daemon that listens on half of what it was told is found
 * out late. */
struct metrics_endpoint *
metrics_endpoint_new(const struct metrics_endpoint_options *options,
		     struct err *err)
{
	struct metrics_endpoint *e = calloc(1, sizeof(*e));
	const struct metrics_server_user user = {.text = endpoint_text,
						 .arg = e};

	if (e == NULL) {
		err_nomem(err);
		return NULL;
	}
	e->opt = *options;
	if (metrics_endpoint_check(options->key, options->listen, err) != 0 ||
	    (e->serve = endpoint_load(options->key, err)) == NULL ||
	    (e->server = e->serve->start(options->base, &user, err)) == NULL ||
	    endpoint_listen(e, err) != 0) {
		metrics_endpoint_free(e);
		return NULL;
	}
	return e;
}

/* First the server, which asks for texts. */
void
metrics_endpoint_free(struct metrics_endpoint *e)
{
	if (e == NULL)
		return;
	if (e->server != NULL)
		e->serve->stop(e->server);
	buf_done(&e->openmetrics.bytes);
	buf_done(&e->text.bytes);
	free(e);
}
