/* SPDX-License-Identifier: MIT */
/*
 * The gateway and users who want too much of it, by mistake or on purpose: none of them
 * can keep others out, or be somebody else.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/gateway_scene.h"

/* A process of another user that has so many connections, each with a part of a
 * request; -1 tells by the pipe that they are there. */
static pid_t
flood(uid_t uid, int n, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX,
				      .sun_path = SOCKET};
	static const char part[] = "POST /api/v1/tasks HTTP/1.1\r\nHost: l";
	int said[2], i, fd;
	pid_t pid;

	ck_assert_int_eq(pipe2(said, O_CLOEXEC), 0);
	if ((pid = fork()) != 0) {
		close(said[1]);
		*ret_fd = said[0];
		return pid;
	}
	if (setgid(uid) != 0 || setuid(uid) != 0)
		_exit(1);
	for (i = 0; i < n; i++) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || connect(fd, (const struct sockaddr *)&address,
				      sizeof(address)) != 0)
			break;
		/* One that is closed on us says so; that is no reason to end. */
		send(fd, part, sizeof(part) - 1, MSG_NOSIGNAL);
	}
	if (write(said[1], "x", 1) == 1)
		pause();
	_exit(0);
}

START_TEST(one_user_s_connections_keep_no_other_out)
{
	struct services *s = services_start(true, EVERYBODY);
	int fd, status;
	pid_t pid;
	char c;

	if (s == NULL)
		return;
	pid = flood((uid_t)atoi(USER), 900, &fd);
	ck_assert_int_eq(read(fd, &c, 1), 1);
	ck_submits(s, AS_OTHER);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_submits(s, AS_STRANGER);
	services_stop(s);
}
END_TEST

START_TEST(one_user_s_waits_leave_threads_to_others)
{
	struct services *s = services_start(true, EVERYBODY);
	struct run *waits[24];
	size_t i;

	if (s == NULL)
		return;
	ck_run(run(s->w, AS_STRANGER "flowrractl submit echo --delay 1h --id "
				     "later"),
	       0, "uid" USER ":later\n");
	for (i = 0; i < 24; i++)
		waits[i] = run_start(s->w, AS_STRANGER "flowrractl wait later");
	for (i = 0; i < 5; i++)
		ck_submits(s, AS_OTHER);
	ck_run(run(s->w, AS_STRANGER "flowrractl cancel later"), 0, "");
	for (i = 0; i < 24; i++)
		ck_assert_int_eq(run_end(s->w, waits[i])->status, 1);
	services_stop(s);
}
END_TEST

START_TEST(more_than_the_rate_is_put_off_or_refused)
{
	struct services *s =
	    services_start(true, EVERYBODY "\\nsubmit_rate = 20");
	struct world *w;

	if (s == NULL)
		return;
	w = s->w;
	ck_run(run(w, "yes '{\"name\":\"echo\"}' | head -250 >lines"), 0, "");
	/* At once they are refused, in parts they take some seconds. */
	ck_run(run(w, AS_STRANGER CURL_STATUS
		   "-H 'Content-Type: application/x-ndjson' --data-binary "
		   "@lines http://localhost/api/v1/tasks/batch"),
	       0, "413");
	ck_run(run(w, "(" AS_STRANGER
		      "flowrractl submit --stdin) <lines | grep -c uid"),
	       0, "250\n");
	ck_run(run(w, "head -40 lines | (" AS_STRANGER
		      "flowrractl submit --stdin) | grep -c uid"),
	       0, "40\n");
	/* It is of each user. */
	ck_run(run(w, "head -200 lines | (" AS_OTHER
		      "flowrractl submit --stdin) | grep -c uid"),
	       0, "200\n");
	services_stop(s);
}
END_TEST

/* Beyond what the server takes in one piece, and beyond what any would take. */
START_TEST(lines_that_are_too_long_take_no_others_along)
{
	struct services *s = services_start(true, EVERYBODY);
	struct world *w;

	if (s == NULL)
		return;
	w = s->w;
	ck_run(
	    run(w,
		"line() { printf '{\"name\":\"echo\",\"args\":[\"'; head -c $1 "
		"/dev/zero | tr '\\0' $2; echo '\"]}'; }; (line 1 a; line "
		"17000000 x; line 1 b; line 51000000 x; line 1 c) >lines"),
	    0, "");
	ck_complains(run(w, AS_STRANGER "flowrractl submit --stdin --wait "
					"<lines >out"),
		     65, "line 4: longer than");
	ck_run(run(w, "sed 's/^[^\t]*\t//' out"), 0,
	       "{\"args\":[\"a\"],\"kwargs\":{}}\n\n"
	       "{\"args\":[\"b\"],\"kwargs\":{}}\n\n"
	       "{\"args\":[\"c\"],\"kwargs\":{}}\n");
	services_stop(s);
}
END_TEST

/* Root in it, and no other user outside of it. */
START_TEST(a_user_namespace_gives_no_other_rights)
{
	struct services *s = services_start(true, EVERYBODY);

	if (s == NULL)
		return;
	if (run(s->w, AS_STRANGER "unshare -r true")->status == 0) {
		ck_run(run(s->w, AS_STRANGER
			   "unshare -r flowrractl submit echo 1 --id ns"),
		       0, "uid" USER ":ns\n");
		ck_complains(run(s->w, AS_STRANGER
				 "unshare -r flowrractl queue pause "
				 "io"),
			     77, "");
	}
	services_stop(s);
}
END_TEST

START_TEST(one_user_s_wrong_tokens_keep_no_other_out)
{
#define WRONG_TOKEN                                                            \
	CURL_STATUS "-H 'Authorization: Bearer x' http://localhost/api/v1/me"
	struct services *s = services_start(true, EVERYBODY);
	int i;

	if (s == NULL)
		return;
	for (i = 0; i < 5; i++)
		ck_run(run(s->w, AS_STRANGER WRONG_TOKEN), 0, "401");
	ck_run(run(s->w, AS_STRANGER WRONG_TOKEN), 0, "429");
	ck_run(run(s->w, AS_OTHER WRONG_TOKEN), 0, "401");
	ck_submits(s, AS_STRANGER);
	services_stop(s);
#undef WRONG_TOKEN
}
END_TEST

/* More than a fixed place would hold. */
START_TEST(the_last_of_many_groups_counts)
{
	struct services *s = services_start(true, "peers = @5299:submitter");

	if (s == NULL)
		return;
	ck_submits(s, AS("--groups=$(seq -s , 5000 5299)"));
	ck_submits_not(s, AS("--groups=$(seq -s , 5000 5298)"), 77,
		       "[web] peers");
	services_stop(s);
}
END_TEST

START_TEST(a_poor_environment_is_enough)
{
	static const char poor[] =
	    "env -i PATH=\"$PATH\" LC_ALL=C TZ=no/where setpriv --reuid=" USER
	    " --regid=" USER " --clear-groups flowrractl ";
	struct services *s = services_start(true, EVERYBODY);
	struct world *w;

	if (s == NULL)
		return;
	w = s->w;
	ck_run(run(w, "ulimit -n 20; %ssubmit echo é --id a --wait", poor), 0,
	       "{\"args\":[\"é\"],\"kwargs\":{}}\n");
	/* The socket is not where output would be. */
	ck_run(run(w, "%sresult a <&- 2>&-", poor), 0,
	       "{\"args\":[\"é\"],\"kwargs\":{}}\n");
	ck_complains(run(w, "%sresult a <&- >&-", poor), 71, "standard output");
	ck_run(run(w, "%sresult a", poor), 0,
	       "{\"args\":[\"é\"],\"kwargs\":{}}\n");
	services_stop(s);
}
END_TEST

SUITE("gateway-hostile")
{
	SUITE_TIMEOUT(180);
	TEST(one_user_s_connections_keep_no_other_out);
	TEST(one_user_s_waits_leave_threads_to_others);
	TEST(more_than_the_rate_is_put_off_or_refused);
	TEST(lines_that_are_too_long_take_no_others_along);
	TEST(a_user_namespace_gives_no_other_rights);
	TEST(one_user_s_wrong_tokens_keep_no_other_out);
	TEST(the_last_of_many_groups_counts);
	TEST(a_poor_environment_is_enough);
}
