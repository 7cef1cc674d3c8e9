/* SPDX-License-Identifier: MIT */
/*
 * The verbs web and web token. The first prints the URL of flowrra-web. Users
 * who may read the token of its start get a code in the URL's fragment, which
 * logs them in; browsers send fragments to no server. The second makes a token
 * for a program. Neither asks a server.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/conf.h"
#include "util/err.h"
#include "verb.h"
#include "web/secret.h"
#include "web/users.h"

/* As flowrra-web reads it: both then agree on the address and the runtime
 * directory. */
static struct conf *
web_conf_of(const struct ctl *ctl, struct err *err)
{
	const struct globals *g = &ctl->globals;
	struct conf *conf = NULL;

	return conf_load(g->config_file, g->settings.items, &conf, err) == 0
		   ? conf
		   : NULL;
}

/* The first of [web] hosts that is a name; "*.example.com" is none. */
static const char *
web_first_name(char *const *hosts)
{
	while (*hosts != NULL && strncmp(*hosts, "*.", 2) == 0)
		hosts++;
	return *hosts;
}

/* The first address of [web] listen that a browser can open. */
static int
web_add_host(const struct conf_web *web, struct buf *out, struct err *err)
{
	char **listen = conf_list(web->listen), **hosts = conf_list(web->hosts);
	char **p = listen;
	const char *port, *name = NULL;
	int r = 0;

	if (hosts != NULL)
		name = web_first_name(hosts);
	while (p != NULL && *p != NULL && strncmp(*p, "unix:", 5) == 0)
		p++;
	if (p == NULL || hosts == NULL) {
		r = err_nomem(err);
	} else if (*p == NULL && name == NULL) {
		r = err_set(err, ERR_CONFIG,
			    "flowrra-web listens on a Unix socket only; put "
			    "the name of the proxy before it into [web] hosts, "
			    "or add 127.0.0.1:7480 to [web] listen");
	} else if (*p == NULL || strncmp(*p, "0.0.0.0:", 8) == 0 ||
		   strncmp(*p, "[::]:", 5) == 0) {
		port = *p != NULL ? strrchr(*p, ':') : "";
		buf_addf(out, "%s%s", name != NULL ? name : "127.0.0.1", port);
	} else {
		buf_adds(out, *p);
	}
	conf_list_free(listen);
	conf_list_free(hosts);
	return r;
}

/* 1 and the code of the token of the start; 0: users log in with tokens, names
 * or a proxy of their own, and there is no such token. */
static int
web_add_code(const struct conf *conf, struct buf *out, struct err *err)
{
	const struct conf_web *web = &conf->web;
	char *path = secret_token_path(conf), code[SECRET_CODE_SIZE];
	struct buf token = BUF_INIT;
	int r;

	if (path == NULL)
		return err_nomem(err);
	if (web->tokens[0] != '\0' || web->users[0] != '\0' ||
	    web->user_header[0] != '\0') {
		free(path);
		return 0;
	}
	r = secret_read(path, &token, err);
	if (r < 0 && err->sys == EACCES)
		err_hint(err, "join the group flowrra (usermod -aG flowrra "
			      "USER, then log in again), or run this as root");
	if (r == 0)
		r = err_set(err, ERR_UNAVAILABLE,
			    "%s does not exist: flowrra-web is not running, or "
			    "has another [web] runtime_dir",
			    path);
	/* An empty file has no text at all. */
	if (r == 1 && token.len < SECRET_TEXT_SIZE - 1)
		r = err_set(err, ERR_CONFIG,
			    "%s: not a token; remove it, and start flowrra-web "
			    "again",
			    path);
	if (r == 1) {
		token.data[strcspn(token.data, "\n")] = '\0';
		secret_code_make(token.data, code);
		buf_addf(out, "login#code=%s", code);
		explicit_bzero(token.data, token.len);
	}
	buf_done(&token);
	free(path);
	return r;
}

/* The code lives for some minutes and logs in once: a URL in a shell's history
 * opens nothing later. */
static int
run_web(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct buf url = BUF_INIT;
	struct err err = ERR_INIT;
	struct conf *conf = web_conf_of(ctl, &err);
	int r = -1;

	if (conf != NULL) {
		buf_adds(&url, conf->web.tls_cert[0] != '\0' ? "https://"
							     : "http://");
		r = web_add_host(&conf->web, &url, &err);
		buf_addf(&url, "%s/", conf->web.prefix);
		if (r == 0)
			r = web_add_code(conf, &url, &err);
	}
	if (r >= 0 && ctl->globals.json)
		print_json_line(
		    json_pack("{s:s,s:b}", "url", url.data, "code", r == 1));
	else if (r >= 0)
		puts(url.data);
	if (r == 1 && !ctl->globals.quiet)
		fprintf(stderr, "It logs in once, within %d minutes.\n",
			SECRET_CODE_LIFE_S / 60);
	conf_free(conf);
	buf_done(&url);
	return r >= 0 ? 0 : complain_of_err(ctl, &err);
}

/* The server keeps the digest only: the file of tokens is of no use to a
 * thief. */
static int
run_web_token(struct ctl *ctl, int argc, char **argv, void *options)
{
	char token[SECRET_TEXT_SIZE], digest[SECRET_HEX_SIZE];
	enum web_role role;
	struct err err;

	if (!users_name_valid(argv[0])) {
		err_set(&err, ERR_DATA,
			"\"%.64s\" is not a name: printable characters without "
			"spaces and colons",
			argv[0]);
		return complain_of_err(ctl, &err);
	}
	if (users_role(argv[1], &role) != 0) {
		err_set(&err, ERR_DATA,
			"\"%.64s\" is not viewer, operator or metrics",
			argv[1]);
		return complain_of_err(ctl, &err);
	}
	secret_make(token);
	secret_digest(token, digest);
	if (ctl->globals.json) {
		print_json_line(json_pack("{s:s,s:s,s:s,s:s}", "name", argv[0],
					  "role", argv[1], "token", token,
					  "sha256", digest));
		return 0;
	}
	/* The line may be appended to the file; the token is seen only here. */
	printf("%s %s %s\n", argv[0], argv[1], digest);
	fprintf(stderr,
		"The token, which is not shown again: %s\n"
		"Append the line to the file of [web] tokens.\n",
		token);
	return 0;
}

const struct verb verb_web = {
    .name = "web",
    .summary = "Print the URL of flowrra-web, which logs in",
    .usage = "",
    .run = run_web,
};

const struct verb verb_web_token = {
    .name = "web token",
    .summary = "Make a token for the API",
    .usage = "NAME viewer|operator|metrics",
    .min_args = 2,
    .max_args = 2,
    .run = run_web_token,
};
