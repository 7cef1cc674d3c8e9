/* SPDX-License-Identifier: MIT */
/* Who may come in: hosts, proxies, other sites. */
#include <stdio.h>
#include <string.h>

#include "suite.h"
#include "util/clock.h"
#include "util/err.h"
#include "web/access.h"

/* --- hosts ----------------------------------------------------------------- */

static const struct {
	const char *host;
	bool good;
} hosts[] = {
    {"localhost", true},
    {"localhost:7480", true},
    {"LOCALHOST", true},
    {"x.localhost:1", true},
    {"127.0.0.1:7480", true},
    {"127.9.9.9", true},
    {"[::1]:7480", true},
    {"tasks.example.com", true},
    {"tasks.example.com.", true},
    {"TASKS.example.com:443", true},
    {"a.wild.example", true},
    {"a.b.wild.example", true},
    {"wild.example", false},
    {"evilwild.example", false},
    {"example.com", false},
    {"evil.com", false},
    {"localhost.evil.com", false},
    {"127.0.0.1.evil.com", false},
    {"128.0.0.1", false},
    {"0.0.0.0", false},
    {"[::2]", false},
    {"[::1", false},
    {"[::1]x", false},
    {"localhost:x", false},
    {"localhost:80:80", false},
    {"", false},
    {":80", false},
    {"user@localhost", false},
};

START_TEST(only_names_of_this_server_are_taken_for_a_host)
{
	static char *const own[] = {(char *)"tasks.example.com",
				    (char *)"*.wild.example", NULL};

	ck_assert_msg(access_host(hosts[_i].host, own) == hosts[_i].good, "%s",
		      hosts[_i].host);
	ck_assert(!access_host(NULL, own));
}
END_TEST

/* --- proxies --------------------------------------------------------------- */

START_TEST(a_proxy_is_an_address_a_network_or_the_unix_socket)
{
	static char *const proxies[] = {(char *)"10.0.0.0/8", (char *)"::1",
					(char *)"192.0.2.128/25",
					(char *)"unix", NULL};
	static char *const none[] = {NULL};
	static const char *const good[] = {"10.255.0.1", "::1", "192.0.2.200",
					   "unix", "::ffff:10.1.2.3"};
	static const char *const bad[] = {"11.0.0.1",  "::2", "192.0.2.127",
					  "127.0.0.1", "",    "x"};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(access_is_proxy(good[i], -1, proxies), "%s",
			      good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!access_is_proxy(bad[i], -1, proxies), "%s",
			      bad[i]);
	ck_assert(!access_is_proxy("unix", -1, none));
}
END_TEST

START_TEST(one_system_user_of_the_unix_socket_is_a_proxy_others_are_not)
{
	char own[64], number[32];
	char *const by_name[] = {(char *)"unix:root", NULL};
	char *const by_number[] = {number, NULL};
	char *const none[] = {(char *)"unix:no-such-user", NULL};
	struct err err;

	snprintf(number, sizeof(number), "unix:%d", 4711);
	snprintf(own, sizeof(own), "unix");
	ck_assert(access_is_proxy(own, 0, by_name));
	ck_assert(!access_is_proxy(own, 4711, by_name));
	ck_assert(!access_is_proxy(own, -1, by_name));
	ck_assert(access_is_proxy(own, 4711, by_number));
	ck_assert(!access_is_proxy(own, 0, by_number));
	/* No address is called so. */
	ck_assert(!access_is_proxy("unix:root", 0, by_name));
	ck_assert_int_eq(access_check_proxies(by_name, &err), 0);
	ck_assert_int_eq(access_check_proxies(none, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "no-such-user"));
	ck_assert(!access_has_tcp_proxy(by_name));
}
END_TEST

START_TEST(a_proxy_that_is_no_address_is_refused)
{
	static const char *const bad[] = {
	    "10.0.0.0/33", "::/129",	 "proxy",      "10.0.0",
	    "10.0.0.1/",   "10.0.0.1/x", "10.0.0.1/8x"};
	struct err err;
	char *list[] = {NULL, NULL};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		list[0] = (char *)bad[i];
		ck_assert_msg(access_check_proxies(list, &err) == -1, "%s",
			      bad[i]);
		ck_assert_int_eq(err.code, ERR_CONFIG);
	}
}
END_TEST

static const struct {
	const char *peer, *forwarded, *client;
} clients[] = {
    {"192.0.2.1", NULL, "192.0.2.1"},
    /* Anybody may send it: it counts from a proxy only. */
    {"192.0.2.1", "1.1.1.1", "192.0.2.1"},
    {"unix", "1.1.1.1", "1.1.1.1"},
    {"unix", "6.6.6.6, 1.1.1.1", "1.1.1.1"},
    {"unix", "6.6.6.6, 1.1.1.1, 10.0.0.9", "1.1.1.1"},
    {"10.0.0.1", " 1.1.1.1 ,10.0.0.2", "1.1.1.1"},
    {"unix", "10.0.0.1", "10.0.0.1"},
    {"unix", "", "unix"},
    {"unix", ",,", "unix"},
    /* With a port, of which a client has many; and what is not an address. */
    {"unix", "6.6.6.6, 1.1.1.1:4711", "1.1.1.1"},
    {"unix", "[2001:db8::7]:4711", "2001:db8::7"},
    {"unix", "1.1.1.1, unknown", "unix"},
    {"unix", "1.1.1.1, unix", "unix"},
};

START_TEST(the_client_of_a_proxy_is_the_last_that_no_proxy_is)
{
	static char *const proxies[] = {(char *)"10.0.0.0/8", (char *)"unix",
					NULL};
	char text[ACCESS_PEER_SIZE];

	access_client(clients[_i].peer, -1, clients[_i].forwarded, proxies,
		      text);
	ck_assert_str_eq(text, clients[_i].client);
}
END_TEST

/* --- other sites ------------------------------------------------------------ */

#define JSON "application/json"

static const struct {
	const char *what;
	struct csrf_request request;
	bool good, type;
} sites[] = {
    {"a look", {.ambient = true, .fetch_site = "cross-site"}, true, false},
    {"a bearer token",
     {.writes = true, .body = true, .fetch_site = "cross-site"},
     true,
     false},
    {"the page",
     {.writes = true,
      .ambient = true,
      .body = true,
      .fetch_site = "same-origin",
      .type = JSON "; charset=utf-8"},
     true,
     false},
    {"another site",
     {.writes = true,
      .ambient = true,
      .body = true,
      .fetch_site = "cross-site",
      .type = JSON},
     false,
     false},
    {"another name of the site",
     {.writes = true,
      .ambient = true,
      .body = true,
      .fetch_site = "same-site",
      .type = JSON},
     false,
     false},
    {"typed into the address line",
     {.writes = true,
      .ambient = true,
      .body = true,
      .fetch_site = "none",
      .type = JSON},
     false,
     false},
    {"its own origin does not help against Sec-Fetch-Site",
     {.writes = true,
      .ambient = true,
      .body = true,
      .fetch_site = "cross-site",
      .origin = "http://h",
      .host = "h",
      .type = JSON},
     false,
     false},
    {"an old browser",
     {.writes = true,
      .ambient = true,
      .body = true,
      .origin = "http://h:7480",
      .host = "h:7480",
      .type = JSON},
     true,
     false},
    {"an old browser, another site",
     {.writes = true,
      .ambient = true,
      .body = true,
      .origin = "http://evil",
      .host = "h:7480",
      .type = JSON},
     false,
     false},
    {"another scheme",
     {.writes = true,
      .ambient = true,
      .body = true,
      .tls = true,
      .origin = "http://h",
      .host = "h",
      .type = JSON},
     false,
     false},
    {"a sandboxed frame",
     {.writes = true,
      .ambient = true,
      .body = true,
      .origin = "null",
      .host = "h",
      .type = JSON},
     false,
     false},
    {"the port that https implies",
     {.writes = true,
      .ambient = true,
      .body = true,
      .tls = true,
      .origin = "https://h",
      .host = "h:443",
      .type = JSON},
     true,
     false},
    {"no word of where it comes from",
     {.writes = true, .ambient = true, .body = true, .type = JSON},
     false,
     false},
    {"curl on the Unix socket",
     {.writes = true,
      .ambient = true,
      .peer = true,
      .body = true,
      .type = JSON},
     true,
     false},
    {"a browser on the Unix socket, by a careless proxy",
     {.writes = true,
      .ambient = true,
      .peer = true,
      .body = true,
      .origin = "http://evil",
      .host = "h",
      .type = JSON},
     false,
     false},
    {"a form",
     {.writes = true,
      .ambient = true,
      .body = true,
      .fetch_site = "same-origin",
      .type = "text/plain"},
     false,
     true},
    {"a form that looks like JSON",
     {.writes = true,
      .ambient = true,
      .body = true,
      .fetch_site = "same-origin",
      .type = "text/plain; application/json"},
     false,
     true},
    {"no type",
     {.writes = true,
      .ambient = true,
      .body = true,
      .fetch_site = "same-origin"},
     false,
     true},
    {"lines of JSON",
     {.writes = true,
      .ambient = true,
      .body = true,
      .fetch_site = "same-origin",
      .type = "application/x-ndjson"},
     true,
     false},
    {"the port of the scheme",
     {.writes = true,
      .ambient = true,
      .origin = "http://a.example",
      .host = "a.example:80"},
     true,
     false},
    {"another port of the host",
     {.writes = true,
      .ambient = true,
      .origin = "http://a.example",
      .host = "a.example:81"},
     false,
     false},
    {"a DELETE has no body",
     {.writes = true, .ambient = true, .fetch_site = "same-origin"},
     true,
     false},
};

START_TEST(a_change_comes_from_our_pages_or_with_a_token)
{
	bool type;
	const bool good = csrf_refuses(&sites[_i].request, &type) == NULL;

	ck_assert_msg(good == sites[_i].good, "%s", sites[_i].what);
	ck_assert_msg(type == sites[_i].type, "%s", sites[_i].what);
}
END_TEST

#define N(table) (sizeof(table) / sizeof((table)[0]))

SUITE("web-access")
{
	TEST_LOOP(only_names_of_this_server_are_taken_for_a_host, 0, N(hosts));
	TEST(a_proxy_is_an_address_a_network_or_the_unix_socket);
	TEST(one_system_user_of_the_unix_socket_is_a_proxy_others_are_not);
	TEST(a_proxy_that_is_no_address_is_refused);
	TEST_LOOP(the_client_of_a_proxy_is_the_last_that_no_proxy_is, 0,
		  N(clients));
	TEST_LOOP(a_change_comes_from_our_pages_or_with_a_token, 0, N(sites));
}
