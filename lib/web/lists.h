/* SPDX-License-Identifier: MIT */
/* What the routes of lists share: filters, cursors, and how either is refused. */
#ifndef WEB_LISTS_H
#define WEB_LISTS_H

#include "manager/page.h"
#include "manager/task_filter.h"
#include "web/web.h"

/* A parameter of the query, and one of the path. */
#define LIST_QUERY(param, kind, text)                                          \
	{                                                                      \
		.name = (param), .type = (kind), .in = WEB_QUERY,              \
		.help = (text)                                                 \
	}
#define LIST_PATH(param, text)                                                 \
	{                                                                      \
		.name = (param), .type = WEB_TEXT, .in = WEB_PATH,             \
		.required = true, .help = (text)                               \
	}
#define LIST_BODY(param, kind, text)                                           \
	{                                                                      \
		.name = (param), .type = (kind), .in = WEB_BODY,               \
		.help = (text)                                                 \
	}

/* Those of a step: page.h. */
#define LIST_PARAMS                                                            \
	LIST_QUERY("cursor", WEB_TEXT,                                         \
		   "\"next\" of the answer before; none: from the beginning"), \
	{                                                                      \
		.name = "limit", .type = WEB_INT, .in = WEB_QUERY, .min = 1,   \
		.max = PAGE_LIMIT_MAX,                                         \
		.help = "at most this many; 50 by default"                     \
	}

#define FILTER_PARAMS                                                          \
	LIST_QUERY("queue", WEB_TEXT, "only tasks of this queue"),             \
	    LIST_QUERY("task", WEB_TEXT, "only tasks with this name"),         \
	    LIST_QUERY("worker", WEB_TEXT, "only tasks that this worker had"), \
	    LIST_QUERY("error", WEB_TEXT, "only with this text in the error"), \
	    LIST_QUERY("reason", WEB_TEXT,                                     \
		       "only with this reason: crashed, "                      \
		       "timeout, failed, cancelled, …"),                       \
	    LIST_QUERY("after", WEB_TIME, "only later than this"),             \
	    LIST_QUERY("before", WEB_TIME, "only earlier than this"),          \
	    {.name = "args.",                                                  \
	     .type = WEB_TEXT,                                                 \
	     .in = WEB_QUERY,                                                  \
	     .prefix = true,                                                   \
	     .help = "only with this argument: args.0, args.user.id"},         \
	{                                                                      \
		.name = "kwargs.", .type = WEB_TEXT, .in = WEB_QUERY,          \
		.prefix = true,                                                \
		.help = "only with this keyword argument: kwargs.user.id"      \
	}

struct lists_filter {
	struct task_filter tasks; /* what it points to is the call's */
	struct task_arg args[TASK_FILTER_ARGS_MAX];
};

/* Reads FILTER_PARAMS. *ret must not move. -1 with *err: 400. */
int lists_read_filter(struct web_call *call, struct lists_filter *ret,
		      struct err *err);
struct page_query lists_read_page(const struct web_call *call);
/* Answers with a list (taken); a cursor that cannot be used is 400. */
int lists_answer(struct web_call *call, const struct page_query *query,
		 json_t *list, struct err *err);
/* task_filter_check(), and whether there can be such a queue. */
int lists_check_filter(const struct task_filter *filter, struct err *err);
bool lists_bad_queue(const struct task_filter *filter);
/* The status and the code that an error is answered with. */
unsigned int web_status_of(const struct err *err);
const char *web_code_of(unsigned int status, const struct err *err);
/* What the client's library says, as ours. Returns -1. */
struct flowrra_error;
int web_client_error(const struct flowrra_error *error, struct err *err);
/* A member of a JSON object of the body that must be a string, or absent. NULL;
 * *ret_bad: it is something else. */
const char *lists_member(const json_t *object, const char *name, bool *ret_bad);

#endif
