/* SPDX-License-Identifier: MIT */
/*
 * Whatever a request shows of who it is: nobody is let in who does not know a
 * token, a password or the key of sessions. The input is a header's value: an
 * Authorization, or after "C" a Cookie, or after "U" the user that a proxy names.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "util/conf.h"
#include "util/err.h"
#include "web/auth.h"
#include "web/secret.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/web-auth-fuzz-XXXXXX";
static struct web_auth *auth;

struct shown {
	const char *name, *value;
};

static void
must(int done)
{
	if (!done)
		abort();
}

static void
leave(void)
{
	char command[sizeof(dir) + 8];

	auth_free(auth);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	must(system(command) == 0);
}

/* The token is not known to the fuzzer, only its digest is here. */
static void
put_files(char tokens[64], char users[64])
{
	static const char digest[] = "ci operator "
				     "0123456789abcdef0123456789abcdef"
				     "0123456789abcdef0123456789abcdef\n";
	static const char hash[] = "alice:$2b$04$abcdefghijklmnopqrstuuinwY/"
				   "tkBVrn3xrxQI/TgnMHhkvl85RW\n";
	struct err err;

	snprintf(tokens, 64, "web.tokens=%s/tokens", dir);
	snprintf(users, 64, "web.users=%s/users", dir);
	must(secret_write(strchr(tokens, '=') + 1, slice_of(digest), 0600,
			  &err) == 0);
	must(secret_write(strchr(users, '=') + 1, slice_of(hash), 0600, &err) ==
	     0);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct conf *conf;
	char run[64], state[64], tokens[64], users[64];
	const char *settings[] = {run,
				  state,
				  tokens,
				  users,
				  "web.proxies=10.0.0.1",
				  "web.user_header=X-Remote-User",
				  NULL};
	struct err err = ERR_INIT;

	must(mkdtemp(dir) != NULL);
	atexit(leave);
	snprintf(run, sizeof(run), "web.runtime_dir=%s", dir);
	snprintf(state, sizeof(state), "web.state_dir=%s", dir);
	put_files(tokens, users);
	must(conf_load("/dev/null", settings, &conf, &err) == 0);
	must((auth = auth_new(conf, &err)) != NULL);
	return 0;
}

static const char *
shown_header(const void *arg, const char *name)
{
	const struct shown *shown = arg;

	return strcasecmp(shown->name, name) == 0 ? shown->value : NULL;
}

static size_t
shown_count(const void *arg, const char *name)
{
	return shown_header(arg, name) != NULL;
}

static struct shown
shown_of(const char *text)
{
	if (text[0] == 'C')
		return (struct shown){"Cookie", text + 1};
	if (text[0] == 'U')
		return (struct shown){"X-Remote-User", text + 1};
	return (struct shown){"Authorization", text};
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), peer[64];
	struct web_identity who = {.kind = WEB_BY_NOTHING};
	struct auth_password password;
	struct shown shown;
	struct auth_request request = {.peer = "192.0.2.1",
				       .uid = -1,
				       .header = shown_header,
				       .count = shown_count,
				       .arg = &shown};

	if (text == NULL)
		return 0;
	shown = shown_of(text);
	/* Nothing was remembered: a name and a password are yet to be checked. */
	must(auth_identify(auth, &request, &who, &password) != AUTH_KNOWN);
	request.peer = "10.0.0.1";
	if (auth_identify(auth, &request, &who, &password) == AUTH_KNOWN)
		must(who.kind == WEB_BY_PROXY && who.role == WEB_VIEWER &&
		     who.user[0] != '\0');
	shown.name = "X-Forwarded-For";
	auth_peer(auth, &request, peer);
	must(strlen(peer) < sizeof(peer));
	free(text);
	return 0;
}
