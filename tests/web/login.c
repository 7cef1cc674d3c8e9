/* SPDX-License-Identifier: MIT */
#include "web/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "suite.h"
#include "util/clock.h"
#include "util/conf.h"
#include "web/secret.h"

const char login_sesame[] =
    "$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW";

struct login login = {.mono_us = 5000000};

static int64_t
login_wall(void)
{
	return login.wall_us;
}

static int64_t
login_mono(void)
{
	return login.mono_us;
}

static const char *
login_get(const void *arg, const char *name)
{
	return web_pairs_get(arg, name);
}

static size_t
login_count(const void *arg, const char *name)
{
	const struct web_pairs *pairs = arg;
	size_t i, n = 0;

	for (i = 0; i < pairs->n; i++)
		n += strcasecmp(pairs->items[i].name, name) == 0;
	return n;
}

const char *
login_file(const char *name)
{
	static char path[4][256];
	static unsigned int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[0]), "%s/%s", login.dir, name);
	return path[turn];
}

void
login_put(const char *name, const char *text)
{
	struct err err;

	ck_assert_int_eq(
	    secret_write(login_file(name), slice_of(text), 0640, &err), 0);
}

int
login_load(struct err *err, const char *a, const char *b, const char *c)
{
	static const struct clock_source clock = {.wall_us = login_wall,
						  .mono_us = login_mono};
	char run[256], state[256];
	const char *settings[] = {run, state, a, b, c, NULL};

	snprintf(run, sizeof(run), "web.runtime_dir=%s/run", login.dir);
	snprintf(state, sizeof(state), "web.state_dir=%s/state", login.dir);
	auth_free(login.auth);
	login.auth = NULL;
	conf_free(login.conf);
	login.conf = NULL;
	ck_assert_msg(conf_load("/dev/null", settings, &login.conf, err) == 0,
		      "%s", err->msg);
	login.wall_us = INT64_C(1800000000000000);
	clock_replace(&clock);
	login.auth = auth_new(login.conf, err);
	login.request = (struct auth_request){.peer = "192.0.2.1",
					      .uid = -1,
					      .header = login_get,
					      .count = login_count,
					      .arg = &login.headers};
	return login.auth != NULL ? 0 : -1;
}

void
login_start(void)
{
	struct err err;

	ck_assert_msg(login_load(&err, NULL, NULL, NULL) == 0, "%s", err.msg);
}

void
login_begin(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(login.dir, sizeof(login.dir), "%s/auth-XXXXXX",
		 tmp != NULL ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(login.dir));
}

void
login_end(void)
{
	char command[160];

	auth_free(login.auth);
	login.auth = NULL;
	conf_free(login.conf);
	login.conf = NULL;
	web_pairs_done(&login.headers);
	clock_replace(NULL);
	snprintf(command, sizeof(command), "rm -rf %s", login.dir);
	ck_assert_int_eq(system(command), 0);
}

void
login_header(const char *name, const char *value)
{
	struct err err;

	ck_assert_int_eq(web_pairs_add(&login.headers, name, value, &err), 0);
}

enum auth_answer
login_ask(void)
{
	const enum auth_answer answer = auth_identify(
	    login.auth, &login.request, &login.who, &login.password);

	web_pairs_done(&login.headers);
	return answer;
}

enum auth_answer
login_ask_with(const char *name, const char *value)
{
	login_header(name, value);
	return login_ask();
}

char *
login_session(void)
{
	struct buf cookie = BUF_INIT;
	struct err err;

	ck_assert_msg(auth_begin_session(login.auth, &login.who, true, &cookie,
					 &err) == 0,
		      "%s", err.msg);
	ck_assert_ptr_nonnull(strstr(cookie.data, "; HttpOnly"));
	ck_assert_ptr_nonnull(strstr(cookie.data, "; SameSite=Strict"));
	ck_assert_ptr_nonnull(strstr(cookie.data, "; Secure"));
	*strchr(cookie.data, ';') = '\0';
	return cookie.data;
}

void
login_tokens(void)
{
	char digest[SECRET_HEX_SIZE], text[256];

	secret_digest(LOGIN_TOKEN, digest);
	snprintf(text, sizeof(text), "# tokens\nci operator %s\n", digest);
	login_put("tokens", text);
}

const char *
login_setting(const char *key, const char *name)
{
	static char text[3][300];
	static unsigned int turn;

	turn = (turn + 1) % 3;
	snprintf(text[turn], sizeof(text[0]), "web.%s=%s/%s", key, login.dir,
		 name);
	return text[turn];
}
