/* SPDX-License-Identifier: MIT */
/*
 * Logging in: AUTH, CLIENT SETNAME and ID, SELECT, ROLE and PING, sent together without
 * waiting (one round trip), and what their answers mean. A table holds them in
 * order: AUTH first, since nothing else works without it; PING last, since its
 * answer ends the login.
 */
#include <inttypes.h>
#include <string.h>

#include "redis/conn.h"
#include "util/err.h"

#define ARGS_MAX 3    /* AUTH, a user, a password */
#define TEXT_SIZE 200 /* as in reply.c */

struct step {
	/* Fills argv and returns how many there are; 0: not needed. */
	size_t (*args)(const struct redis *r, struct slice argv[ARGS_MAX]);
	/* Looks at an error reply: 0 if it does not matter, else -1 with *err;
	 * ERR_REFUSED if another try is of no use. */
	int (*judge)(const struct redis_reply *reply, struct err *err);
	/* The same for any other reply, or NULL. */
	int (*take)(struct redis *r, const struct redis_reply *reply,
		    struct err *err);
};

/*
 * Errors that any command can get, also before AUTH. DENIED is protected mode;
 * the limit on clients is sent without being asked and answers whatever was
 * first. Waiting helps against all but NOAUTH.
 */
static int
judge_any(const struct redis_reply *reply, struct err *err)
{
	char text[TEXT_SIZE];

	redis_reply_text(reply, text, sizeof(text));
	if (redis_reply_is_error(reply, "DENIED") ||
	    redis_reply_is_error(reply, "LOADING") ||
	    redis_reply_is_error(reply, "MASTERDOWN") ||
	    redis_reply_is_error(reply, "BUSY") ||
	    redis_reply_is_error(reply, "ERR max number of clients reached"))
		return err_set(err, ERR_UNAVAILABLE, "not ready: %s", text);
	if (redis_reply_is_error(reply, "NOAUTH"))
		return err_set(err, ERR_REFUSED,
			       "the server requires a password; put it into "
			       "the URL: redis://:password@host");
	return 0;
}

static size_t
auth_args(const struct redis *r, struct slice argv[ARGS_MAX])
{
	size_t n = 0;

	if (r->url.password == NULL)
		return 0;
	argv[n++] = SLICE("AUTH");
	if (r->url.user != NULL)
		argv[n++] = slice_of(r->url.user);
	argv[n++] = slice_of(r->url.password);
	return n;
}

/*
 * The server's own text is not repeated: a server that does not know the
 * command quotes its arguments, and with them the password. The texts compared
 * below differ between versions of Redis, hence the general message for all
 * others.
 */
static int
judge_auth(const struct redis_reply *reply, struct err *err)
{
	const char *why = "the server does not accept our AUTH command";

	if (judge_any(reply, err) != 0)
		return -1;
	if (redis_reply_is_error(reply, "WRONGPASS") ||
	    redis_reply_is_error(reply, "ERR invalid password"))
		why = "wrong user or password";
	else if (redis_reply_is_error(reply, "ERR AUTH") ||
		 redis_reply_is_error(reply, "ERR Client sent AUTH,"))
		why = "the URL has a password, but none is configured on the "
		      "server: remove it from the URL, or set requirepass or "
		      "an ACL user";
	else if (redis_reply_is_error(reply, "ERR wrong number of arguments"))
		why = "the server is older than Redis 6 and does not support "
		      "users: remove the user from the URL";
	return err_set(err, ERR_REFUSED, "%s", why);
}

static size_t
name_args(const struct redis *r, struct slice argv[ARGS_MAX])
{
	if (r->client_name == NULL)
		return 0;
	argv[0] = SLICE("CLIENT");
	argv[1] = SLICE("SETNAME");
	argv[2] = slice_of(r->client_name);
	return 3;
}

static size_t
id_args(const struct redis *r, struct slice argv[ARGS_MAX])
{
	if (!r->options.want_id)
		return 0;
	argv[0] = SLICE("CLIENT");
	argv[1] = SLICE("ID");
	return 2;
}

static int
take_id(struct redis *r, const struct redis_reply *reply, struct err *err)
{
	r->client_id = redis_reply_integer(reply);
	return 0;
}

static size_t
select_args(const struct redis *r, struct slice argv[ARGS_MAX])
{
	if (r->url.db == 0)
		return 0;
	argv[0] = SLICE("SELECT");
	argv[1] = slice_of(r->db);
	return 2;
}

static int
judge_select(const struct redis_reply *reply, struct err *err)
{
	char text[TEXT_SIZE];

	if (judge_any(reply, err) != 0)
		return -1;
	redis_reply_text(reply, text, sizeof(text));
	return err_set(err, ERR_REFUSED,
		       "cannot select the database in the URL: %s", text);
}

static size_t
role_args(const struct redis *r, struct slice argv[ARGS_MAX])
{
	argv[0] = SLICE("ROLE");
	return 1;
}

/*
 * A replica answers ("slave", host, port, …) of its master. It takes no tasks,
 * and shows records late: nothing that we do is right on it. After a failover it
 * may be the master itself, so we come back.
 */
static int
take_role(struct redis *r, const struct redis_reply *reply, struct err *err)
{
	const struct slice role = redis_reply_string(redis_reply_at(reply, 0));
	const bool is_sentinel = slice_eq(role, SLICE("sentinel"));
	char host[TEXT_SIZE];

	if (is_sentinel && !r->options.to_sentinel)
		return err_set(err, ERR_REFUSED,
			       "it is a Sentinel; write "
			       "redis+sentinel://HOSTS/NAME in the URL");
	if (!is_sentinel && r->options.to_sentinel)
		return err_set(err, ERR_UNAVAILABLE, "it is not a Sentinel");
	if (!slice_eq(role, SLICE("slave")) || r->options.replica_too)
		return 0;
	if (redis_find_seeks(r))
		return err_set(err, ERR_UNAVAILABLE, "it is a replica");
	redis_reply_text(redis_reply_at(reply, 1), host, sizeof(host));
	return err_set(err, ERR_UNAVAILABLE,
		       "the server is a replica, which accepts no tasks; set "
		       "the URL to its master, %s:%" PRId64,
		       host, redis_reply_integer(redis_reply_at(reply, 2)));
}

/* PING shows whether the server is ready: while it loads its data, AUTH and
 * SELECT work but PING fails with LOADING. */
static size_t
ping_args(const struct redis *r, struct slice argv[ARGS_MAX])
{
	argv[0] = SLICE("PING");
	return 1;
}

/* judge_any ignores other errors: a client name that is refused, or a user
 * without the permission for CLIENT ID, ROLE or PING, does no harm. */
static const struct step steps[] = {
    {auth_args, judge_auth, NULL},     {name_args, judge_any, NULL},
    {id_args, judge_any, take_id},     {select_args, judge_select, NULL},
    {role_args, judge_any, take_role}, {ping_args, judge_any, NULL},
};
#define LAST (&steps[sizeof(steps) / sizeof(steps[0]) - 1])

static void
on_step(struct redis *r, const struct redis_reply *reply, void *arg)
{
	const struct step *step = arg;
	struct err err;

	if (reply == NULL)
		return; /* reported where the connection broke */
	if (redis_reply_type(reply) == REDIS_ERROR
		? step->judge(reply, &err) != 0
		: step->take != NULL && step->take(r, reply, &err) != 0)
		redis_conn_fail(r, &err);
	else if (step == LAST)
		redis_conn_up(r);
}

int
redis_login(struct redis *r)
{
	struct slice argv[ARGS_MAX];
	struct redis_args part = {.v = argv};
	const struct step *step;

	r->client_id = 0;
	for (step = steps; step <= LAST; step++) {
		const struct redis_due due = {
		    .on_reply = on_step,
		    .arg = (void *)(uintptr_t)step,
		};

		part.n = step->args(r, argv);
		if (part.n != 0 && redis_conn_send(r, due, &part, 1) != 0)
			return -1;
	}
	return 0;
}
