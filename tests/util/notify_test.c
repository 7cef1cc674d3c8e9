/* SPDX-License-Identifier: MIT */
/* Messages to a service manager that the test plays. */
#include "util/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "suite.h"

/* A socket in an abstract space or at a path, where messages arrive. */
static int
manager(const char *name)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	const size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	memcpy(sun.sun_path, name, len);
	if (name[0] == '@')
		sun.sun_path[0] = '\0';
	ck_assert_int_eq(
	    bind(fd, (struct sockaddr *)&sun,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
			     (name[0] != '@'))),
	    0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void
expect(int fd, const char *want)
{
	char text[128] = "";

	ck_assert_int_ge(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), 0);
	ck_assert_str_eq(text, want);
}

START_TEST(a_message_arrives_at_a_path)
{
	char dir[] = "/tmp/flowrra-XXXXXX", path[64];
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/notify", dir);
	fd = manager(path);
	ck_assert(notify_wanted());
	ck_assert_int_eq(notify_send("READY=1\nSTATUS=x"), 0);
	expect(fd, "READY=1\nSTATUS=x");
	unlink(path);
	/* Nobody is there any more. */
	ck_assert_int_eq(notify_send("READY=1"), -1);
	rmdir(dir);
}
END_TEST

START_TEST(a_message_arrives_at_an_abstract_name)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "@flowrra-test-%ld", (long)getpid());
	fd = manager(name);
	ck_assert_int_eq(notify_send("READY=1"), 0);
	expect(fd, "READY=1");
}
END_TEST

START_TEST(a_full_socket_is_not_waited_for)
{
	char name[64];
	int fd, n = 0;

	snprintf(name, sizeof(name), "@flowrra-test-%ld", (long)getpid());
	fd = manager(name);
	while (n < 100000 && notify_send("WATCHDOG=1") == 0)
		n++;
	ck_assert_int_lt(n, 100000);
	expect(fd, "WATCHDOG=1");
	ck_assert_int_eq(notify_send("READY=1"), 0);
}
END_TEST

START_TEST(what_is_no_address_is_nobody)
{
	static const char *const names[] = {"", "/", "@", "relative",
					    "vsock:2:1234"};
	size_t i;

	unsetenv("NOTIFY_SOCKET");
	ck_assert(!notify_wanted());
	ck_assert_int_eq(notify_send("READY=1"), 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		ck_assert(!notify_wanted());
		ck_assert_int_eq(notify_send("READY=1"), 0);
	}
}
END_TEST

SUITE("notify")
{
	TEST(a_message_arrives_at_a_path);
	TEST(a_message_arrives_at_an_abstract_name);
	TEST(a_full_socket_is_not_waited_for);
	TEST(what_is_no_address_is_nobody);
}
