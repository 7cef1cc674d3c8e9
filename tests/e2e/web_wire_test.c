/* SPDX-License-Identifier: MIT */
/* flowrra-web on the wire: TLS, and what the log has of a change. */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/web_scene.h"

#define JSON "-H 'Content-Type: application/json' "

/* --- TLS ----------------------------------------------------------- */

/* An authority, a server's and a client's certificate of it, and one that
 * nobody has signed. */
static void
make_certificates(struct world *w)
{
	const struct run *r = run(
	    w,
	    "set -e; key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
	    "-nodes'\n"
	    "openssl req -x509 $key -keyout ca.key -out ca.crt -days 2 "
	    "-subj /CN=authority\n"
	    "openssl req -x509 $key -keyout other.key -out other.crt -days 2 "
	    "-subj /CN=other\n"
	    "for n in server client; do\n"
	    "openssl req $key -keyout $n.key -out $n.csr -subj /CN=$n\n"
	    "echo 'subjectAltName=IP:127.0.0.1,DNS:localhost' >$n.ext\n"
	    "openssl x509 -req -in $n.csr -CA ca.crt -CAkey ca.key "
	    "-CAcreateserial -days 2 -extfile $n.ext -out $n.crt\n"
	    "done");

	ck_assert_msg(r->status == 0, "openssl: %.500s", r->err);
}

#define TLS "-o web.tls_cert=server.crt -o web.tls_key=server.key "

/* `curl ARGUMENTS https://…PATH`: its exit status; *ret_status is HTTP's. */
static int
ask_tls(struct site *s, const char *path, const char *arguments,
	int *ret_status)
{
	const struct run *r = run(s->w,
				  "curl -s -m 20 -D head -o body "
				  "-w '%%{http_code}' %s "
				  "https://127.0.0.1:%d%s",
				  arguments, s->port, path);

	*ret_status = (int)strtol(r->out, NULL, 10);
	s->head = world_read(s->w, "head");
	s->body = world_read(s->w, "body");
	return r->status;
}

#define CURL_NOT_TRUSTED 60

START_TEST(with_a_certificate_only_tls_is_spoken)
{
	const struct world_options o = {.embedded = true, .no_worker = true};
	struct world *w = world_start(&o);
	struct site *s;
	const char *url, *code;
	int status;

	make_certificates(w);
	s = site_start(w, TLS);
	ck_assert_int_eq(ask_tls(s, "/healthz", "--cacert ca.crt", &status), 0);
	ck_assert_int_eq(status, 200);
	ck_assert_int_eq(ask_tls(s, "/healthz", "", &status), CURL_NOT_TRUSTED);
	ck_assert_int_eq(ask_tls(s, "/healthz", "--cacert other.crt", &status),
			 CURL_NOT_TRUSTED);
	/* Old versions are not. */
	ck_assert_int_ne(ask_tls(s, "/healthz",
				 "--cacert ca.crt --tls-max 1.1 "
				 "--ciphers DEFAULT@SECLEVEL=0",
				 &status),
			 0);
	ck_assert_int_eq(site_ask(s, "/healthz", "-k"), 0);
	/* The login is https:, and its cookie for that only. */
	url = ctl_ok(w,
		     "web -o web.runtime_dir=%s/run " TLS
		     "-o web.listen=127.0.0.1:%d",
		     world_dir(w), s->port);
	ck_assert_ptr_eq(
	    strstr(url, world_text(w, "https://127.0.0.1:%d/login", s->port)),
	    url);
	code = strstr(url, "#code=") + strlen("#code=");
	ck_assert_int_eq(ask_tls(s, "/api/v1/session",
				 world_text(w,
					    "--cacert ca.crt " JSON
					    "-H 'Origin: https://127.0.0.1:%d' "
					    "-d '{\"code\":\"%s\"}'",
					    s->port, code),
				 &status),
			 0);
	ck_assert_int_eq(status, 200);
	ck_assert_ptr_nonnull(strstr(s->head, "; Secure"));
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(with_an_authority_clients_must_show_a_certificate_of_it)
{
	const struct world_options o = {.embedded = true, .no_worker = true};
	struct world *w = world_start(&o);
	struct site *s;
	int status;

	make_certificates(w);
	s = site_start(w, TLS "-o web.tls_ca=ca.crt");
	ck_assert_int_eq(ask_tls(s, "/healthz",
				 "--cacert ca.crt --cert client.crt "
				 "--key client.key",
				 &status),
			 0);
	ck_assert_int_eq(status, 200);
	ask_tls(s, "/healthz", "--cacert ca.crt", &status);
	ck_assert_int_eq(status, 403);
	ck_assert_ptr_nonnull(strstr(s->body, "certificate"));
	/* Signed by another. A token does not help. */
	ask_tls(s, "/api/v1/me",
		world_text(w,
			   "--cacert ca.crt --cert other.crt --key other.key "
			   "-H 'Authorization: Bearer %s'",
			   s->token),
		&status);
	ck_assert_int_eq(status, 403);
	/* The certificate does not log in. */
	ask_tls(s, "/api/v1/me",
		"--cacert ca.crt --cert client.crt --key client.key", &status);
	ck_assert_int_eq(status, 401);
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(a_wrong_file_or_name_is_told_at_the_start_and_by_the_check)
{
	static const struct {
		const char *settings, *why;
	} bad[] = {
	    {"-o web.tls_cert=nothere -o web.tls_key=server.key",
	     "[web] tls_cert: there is no nothere"},
	    {"-o web.tls_cert=server.crt -o web.tls_key=nothere",
	     "[web] tls_key: there is no nothere"},
	    {"-o web.tls_cert=empty -o web.tls_key=server.key",
	     "[web] tls_cert: empty: no certificates"},
	    {"-o web.tls_cert=server.crt -o web.tls_key=empty",
	     "[web] tls_key: empty: no private key"},
	    {"-o web.tls_cert=server.crt -o web.tls_key=server.crt",
	     "[web] tls_key: server.crt: no private key"},
	    {"-o web.tls_cert=server.crt -o web.tls_key=other.key",
	     "[web] tls_key: other.key: not the key of the certificate"},
	    {TLS "-o web.tls_ca=server.key",
	     "[web] tls_ca: server.key: no certificates"},
	    {"-o web.tls_ca=ca.crt", "[web] tls_ca: needs tls_cert"},
	    {"-o web.users=nothere", "nothere"},
	    {"-o web.tokens=empty -o web.proxies=nobody", "nobody"},
	    {"-o web.peers=root", "[web] peers"},
	};
	const struct world_options o = {.embedded = true, .no_worker = true};
	struct world *w = world_start(&o);
	size_t i, check;

	make_certificates(w);
	world_write(w, "empty", "", 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (check = 0; check < 2; check++)
			ck_complains(run(w,
					 "exec flowrra-web %s "
					 "--config flowrra.conf "
					 "-o web.runtime_dir=%s/run "
					 "-o web.state_dir=%s/state "
					 "-o web.listen=127.0.0.1:0 %s",
					 check == 1 ? "--check" : "",
					 world_dir(w), world_dir(w),
					 bad[i].settings),
				     78, bad[i].why);
	world_stop(w);
}
END_TEST

/* --- the log ------------------------------------------------------- */

/* The record of a line of the log with that action and outcome, or NULL. */
static json_t *
logged_change(struct site *s, const char *action, const char *outcome)
{
	char *line, *rest, *text = world_read(s->w, s->daemon->files[1]);
	json_t *record;

	for (line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		record = json_loads(line, 0, NULL);
		if (strcmp(json_string_value(json_object_get(record, "action"))
			       ?: "",
			   action) == 0 &&
		    strstr(json_string_value(json_object_get(record, "outcome"))
			       ?: "",
			   outcome) != NULL)
			return record;
		json_decref(record);
	}
	return NULL;
}

static void
ck_logged(const json_t *record, const char *name, const char *value)
{
	const char *text =
	    json_string_value(json_object_get(record, name)) ?: "(none)";

	ck_assert_msg(strcmp(text, value) == 0, "%s is %s", name, text);
}

START_TEST(the_log_has_who_has_changed_what)
{
	const struct world_options o = {.embedded = true, .no_worker = true};
	struct world *w = world_start(&o);
	struct site *s = site_start(w, "--log-format json");
	json_t *record;

	ck_assert_int_eq(site_ask_in(s, "/api/v1/queues/io/pause",
				     JSON "-H 'X-Request-ID: mine' -d '{}'"),
			 200);
	WAIT_UNTIL((record = logged_change(s, "queue.pause", "done")) != NULL);
	ck_logged(record, "role", "operator");
	ck_logged(record, "peer", "127.0.0.1");
	ck_logged(record, "target", "io");
	ck_logged(record, "count", "1");
	ck_assert_ptr_nonnull(json_object_get(record, "user"));
	ck_assert_ptr_nonnull(json_object_get(record, "request_id"));
	json_decref(record);
	/* What did not succeed, too. */
	ck_assert_int_eq(
	    site_ask_in(s, "/api/v1/tasks/nothere/cancel", JSON "-d '{}'"),
	    404);
	WAIT_UNTIL((record = logged_change(s, "task.cancel", "nothere")) !=
		   NULL);
	json_decref(record);
	ck_assert_ptr_null(
	    strstr(world_read(w, s->daemon->files[1]), s->token));
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(its_memory_is_in_no_core_file)
{
	const struct world_options o = {.embedded = true, .no_worker = true};
	struct world *w = world_start(&o);
	struct site *s = site_start(w, "");
	const char *const limits =
	    run(w, "grep '^Max core file size' /proc/%d/limits",
		(int)s->daemon->pid)
		->out;

	ck_assert_msg(
	    strstr(limits,
		   "Max core file size        0                    0 ") != NULL,
	    "%s", limits);
	site_stop(s);
	world_stop(w);
}
END_TEST

SUITE("web-wire")
{
	SUITE_TIMEOUT(120);
	TEST(its_memory_is_in_no_core_file);
	TEST(with_a_certificate_only_tls_is_spoken);
	TEST(with_an_authority_clients_must_show_a_certificate_of_it);
	TEST(a_wrong_file_or_name_is_told_at_the_start_and_by_the_check);
	TEST(the_log_has_who_has_changed_what);
}
