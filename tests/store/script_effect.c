/* SPDX-License-Identifier: MIT */
#include "store/script_effect.h"

#include <stdlib.h>
#include <string.h>

#include "util/buf.h"

/* Lists as "a,b"; "-" for nil. */
static void
flatten(const redisReply *reply, struct buf *out)
{
	size_t i;

	switch (reply->type) {
	case REDIS_REPLY_INTEGER:
		buf_addf(out, "%lld", reply->integer);
		break;
	case REDIS_REPLY_NIL:
		buf_adds(out, "-");
		break;
	case REDIS_REPLY_ARRAY:
		for (i = 0; i < reply->elements; i++) {
			buf_adds(out, i > 0 ? "," : "");
			flatten(reply->element[i], out);
		}
		break;
	default:
		buf_add(out, reply->str, reply->len);
		break;
	}
}

/* Takes the reply. */
static void
ck_reply(const struct script_effect *e, const char *question, redisReply *reply,
	 const char *wanted)
{
	struct buf text = BUF_INIT;

	buf_adds(&text, "");
	flatten(reply, &text);
	ck_assert_msg(strcmp(text.data, wanted) == 0,
		      "%s: %s: \"%s\", not \"%s\"", e->what, question,
		      text.data, wanted);
	buf_done(&text);
	freeReplyObject(reply);
}

static void
ck_published(const struct script_effect *e, const char *wanted)
{
	redisReply *reply = script_command("INFO commandstats");
	const char *found = strstr(reply->str, "cmdstat_publish:calls=");
	const int calls =
	    found != NULL ? atoi(found + strlen("cmdstat_publish:calls=")) : 0;

	ck_assert_msg(calls == atoi(wanted), "%s: %d were published", e->what,
		      calls);
	freeReplyObject(reply);
}

void
script_effects_run(const struct script_effect *effects, size_t n)
{
	const struct script_effect *e;
	size_t i;

	script_server_open();
	for (e = effects; e < effects + n; e++) {
		script_make_world(&e->call);
		redis_server_run(script_server, "CONFIG RESETSTAT");
		ck_reply(e, "the call", script_call(&e->call), e->answer);
		for (i = 0; i < 3 && e->then[i][0] != NULL; i++)
			if (strcmp(e->then[i][0], PUBLISHED) == 0)
				ck_published(e, e->then[i][1]);
			else
				ck_reply(e, e->then[i][0],
					 script_command(e->then[i][0]),
					 e->then[i][1]);
	}
	redis_server_stop(script_server);
}
