/* SPDX-License-Identifier: MIT */
/* workflow submit: a workflow that a file describes, and chain: one that the
 * command line does. Both run as a whole, or not at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/flow_file.h"
#include "manager/flows.h"
#include "manager/flows_submit.h"
#include "manager/request.h"
#include "result.h"
#include "submit.h"
#include "text_file.h"
#include "util/argv_template.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/uuid.h"
#include "verb.h"
#include "workflow.h"

struct submit_options {
	struct flows_begin begin;
	bool wait;
	double timeout_s;
	bool check;
};

static void
submit_init(void *options)
{
	((struct submit_options *)options)->timeout_s = -1;
}

#define OPTION(...) VERB_OPTION(struct submit_options, 0, __VA_ARGS__)
#define WHOLE_OPTIONS                                                          \
	OPTION("id", "ID", TEXT, begin.id, 0, 0,                               \
	       "its ID, refused if in use; a new UUID by default"),            \
	    OPTION("label", "TEXT", TEXT, begin.label, 0, 0,                   \
		   "a text for people"),                                       \
	    OPTION("life", "DURATION", SECONDS, begin.life_s, 1,               \
		   FLOW_LIFE_MAX_S, "keep it for so long after its end"),      \
	    OPTION("wait", NULL, FLAG, wait, 0, 0, "wait until it has ended"), \
	    OPTION("wait-timeout", "DURATION", SECONDS, timeout_s, 0,          \
		   WORKFLOW_WAIT_MAX_S, "wait at most this long")

static const struct option_spec submit_options[] = {
    OPTION("on-failure", "POLICY", TEXT, begin.on_failure, 0, 0,
	   "when a step fails: continue (the default), or cancel the rest"),
    OPTION("check", NULL, FLAG, check, 0, 0,
	   "check the file, and submit nothing"),
    WHOLE_OPTIONS,
};

/* Before anything is read or asked. The ID is made here, since those of the steps
 * begin with it. */
static int
prepare(struct submit_options *o, char made[UUID_TEXT_SIZE], struct err *err)
{
	uuid_make(made);
	if (o->begin.id == NULL)
		o->begin.id = made;
	if (!flow_id_valid(slice_of(o->begin.id)))
		return err_set(err, ERR_DATA,
			       "\"%.64s\" is not a valid ID of a workflow: 1 "
			       "to %d of the characters A-Z a-z 0-9 _ . -",
			       o->begin.id, TASK_FLOW_MAX);
	if (o->timeout_s >= 0 && !o->wait)
		return err_set(err, ERR_USAGE, "--wait-timeout needs --wait");
	return 0;
}

static void
print_workflow(struct ctl *ctl, const char *id)
{
	if (ctl->globals.json)
		print_json_line(json_pack("{s:s}", "workflow", id));
	else
		puts(id);
}

/* Within a task, by its worker. */
static void
go_near(const struct ctl *ctl, struct flows_submission *s)
{
	if (ctl->own == NULL)
		return;
	s->way = &workflow_way;
	s->way_arg = ctl->own;
}

/* --- a file ------------------------------------------------------------------ */

struct source {
	struct ctl *ctl;
	const char *name;
	const struct flow_file *file;
};

static void
tell(void *arg, int line, const char *text)
{
	const struct source *s = arg;

	text_file_complain(s->ctl, s->name, line, text);
}

static void
on_refused(void *arg, size_t step, const char *why)
{
	const struct source *s = arg;
	const struct flow_file_step *one = &s->file->steps[step];
	struct err e;

	err_set(&e, ERR_DATA, "step \"%s\": %s", one->name, why);
	text_file_complain(s->ctl, s->name, one->line, e.msg);
}

static int
submit_file(struct ctl *ctl, const struct submit_options *o,
	    const struct flow_file *file, struct source *source)
{
	struct flows_submission s = {
	    .begin = &o->begin, .refused = on_refused, .arg = source};
	struct err err = ERR_INIT;
	int status;

	if ((status = ctl_open_near(ctl)) != 0)
		return status;
	if (o->wait && ctl_need_store(ctl, "--wait", &err) != 0)
		return complain_of_err(ctl, &err);
	go_near(ctl, &s);
	if (flows_submit_file(ctl->client, file, &s, &err) != 0)
		return complain_of_err(ctl, &err);
	if (o->wait)
		return workflow_wait(ctl, o->begin.id, o->timeout_s, false);
	print_workflow(ctl, o->begin.id);
	return 0;
}

/* The file is checked as a whole before a server is asked. */
static int
run_submit(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct flowrra_request base = FLOWRRA_REQUEST_INIT;
	struct submit_options *o = options;
	struct flow_file file = {.n = 0};
	struct source source = {ctl, argv[0], &file};
	struct err err = ERR_INIT;
	struct buf text = BUF_INIT;
	char made[UUID_TEXT_SIZE];
	int status;

	if (prepare(o, made, &err) != 0)
		return complain_of_err(ctl, &err);
	submit_take_trace(&base);
	status = text_file_read(ctl, argv[0], &text);
	if (status == 0 && flow_file_read(&file, text.data, o->begin.id, &base,
					  tell, &source, &err) != 0) {
		complain(ctl, "nothing was submitted");
		status = err_exit_status(err.code);
	}
	if (status == 0 && !o->check)
		status = submit_file(ctl, o, &file, &source);
	flow_file_done(&file);
	buf_done(&text);
	return status;
}

const struct verb verb_workflow_submit = {
    .name = "workflow submit",
    .summary = "Submit a workflow that a file describes",
    .usage = "FILE [OPTION...]",
    .options = submit_options,
    .n_options = sizeof(submit_options) / sizeof(submit_options[0]),
    .options_size = sizeof(struct submit_options),
    .init = submit_init,
    .min_args = 1,
    .max_args = 1,
    .words = WORD_ANY,
    .run = run_submit,
};

/* --- chain ------------------------------------------------------------------- */

/* A task of the chain, as words. */
struct link {
	struct flowrra_request request;
	struct buf words; /* each with a NUL behind it */
	const char **texts;
	size_t n;
	struct buf args, after;
	char id[TASK_ID_MAX + 1];
};

struct chain {
	struct ctl *ctl;
	const struct submit_options *o;
	struct link *links;
	size_t n;
};

static void
chain_done(struct chain *c)
{
	struct link *l;

	for (l = c->links; l < c->links + c->n; l++) {
		buf_done(&l->words);
		buf_done(&l->args);
		buf_done(&l->after);
		free(l->texts);
	}
	free(c->links);
}

static int
no_placeholder(void *arg, const struct argv_template_placeholder *p,
	       struct buf *out, struct err *err)
{
	return err_set(err, ERR_DATA,
		       "braces mean nothing here; put JSON into single quotes");
}

/* Their places in `words`, which moves while it grows, and then themselves. */
static int
link_fill(struct link *l, const struct argv_template *t, size_t *at,
	  struct err *err)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		at[i] = l->words.len;
		if (argv_template_fill(t, i, no_placeholder, NULL, &l->words,
				       err) != 0)
			return -1;
		buf_addc(&l->words, '\0');
	}
	if (l->words.failed)
		return err_nomem(err);
	for (i = 0; i < l->n; i++)
		l->texts[i] = l->words.data + at[i];
	return 0;
}

/* "fetch 'a b'" is fetch and "a b". */
static int
link_split(struct link *l, const char *text, struct err *err)
{
	struct argv_template *t = argv_template_parse(text, err);
	size_t *at;
	int r;

	if (t == NULL) {
		/* It is no file of ours that is wrong. */
		err->code = ERR_DATA;
		return -1;
	}
	l->n = argv_template_count(t);
	at = calloc(l->n + 1, sizeof(*at));
	l->texts = calloc(l->n + 1, sizeof(void *));
	r = at != NULL && l->texts != NULL ? link_fill(l, t, at, err)
					   : err_nomem(err);
	argv_template_free(t);
	free(at);
	return r == 0 && l->n == 0 ? err_set(err, ERR_DATA, "missing task name")
				   : r;
}

/* The result of the one before, and then what was typed. */
static int
link_arguments(const struct chain *c, struct link *l, const struct link *before,
	       struct err *err)
{
	enum request_words how = REQUEST_JSON;
	size_t i;

	l->request.name = l->texts[0];
	if (c->ctl->client != NULL &&
	    request_words_of(c->ctl->client, &l->request, &how, err) != 0)
		return -1;
	buf_addc(&l->args, '[');
	if (before != NULL) {
		buf_addf(&l->args, "{\"$from\":\"%s\"}", before->id);
		buf_addf(&l->after, "[\"%s:success\"]", before->id);
		l->request.after = l->after.data;
	}
	for (i = 1; i < l->n; i++) {
		if (i > 1 || before != NULL)
			buf_addc(&l->args, ',');
		if (request_argument(l->texts[i], how, &l->args, err) != 0)
			return err_prefix(err, "argument %zu", i);
	}
	buf_addc(&l->args, ']');
	l->request.args = l->args.data;
	return l->args.failed || l->after.failed ? err_nomem(err) : 0;
}

static int
chain_read(struct chain *c, char **argv, struct err *err)
{
	static const struct flowrra_request none = FLOWRRA_REQUEST_INIT;
	struct link *l;
	size_t i;

	for (i = 0; i < c->n; i++) {
		l = &c->links[i];
		l->request = none;
		submit_take_trace(&l->request);
		snprintf(l->id, sizeof(l->id), "%s.%zu", c->o->begin.id, i + 1);
		l->request.id = l->id;
		l->request.flow = c->o->begin.id;
		if (link_split(l, argv[i], err) != 0 ||
		    link_arguments(c, l, i > 0 ? l - 1 : NULL, err) != 0)
			return err_prefix(err, "task %zu", i + 1);
	}
	return 0;
}

/* What is wrong with a task, the error says, too. */
static void
on_link_refused(void *arg, size_t step, const char *why)
{
}

static int
chain_submit(const struct chain *c, struct err *err)
{
	const struct flowrra_request **steps = calloc(c->n + 1, sizeof(void *));
	struct flows_submission s = {.begin = &c->o->begin,
				     .steps = steps,
				     .n = c->n,
				     .refused = on_link_refused};
	size_t i;
	int r;

	if (steps == NULL)
		return err_nomem(err);
	for (i = 0; i < c->n; i++)
		steps[i] = &c->links[i].request;
	go_near(c->ctl, &s);
	r = flows_submit(c->ctl->client, &s, err);
	free(steps);
	return r;
}

/* With --wait, the result of the last task is that of the chain. */
static int
run_chain(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct submit_options *o = options;
	struct chain c = {.ctl = ctl, .o = o, .n = (size_t)argc};
	struct err err = ERR_INIT;
	char made[UUID_TEXT_SIZE];
	int status;

	if (prepare(o, made, &err) != 0)
		return complain_of_err(ctl, &err);
	if ((status = ctl_open_near(ctl)) != 0)
		return status;
	if ((c.links = calloc(c.n, sizeof(*c.links))) == NULL) {
		err_nomem(&err);
		return complain_of_err(ctl, &err);
	}
	if (chain_read(&c, argv, &err) != 0 || chain_submit(&c, &err) != 0)
		status = complain_of_err(ctl, &err);
	else if (o->wait)
		status = print_when_finished(ctl, c.links[c.n - 1].id,
					     o->timeout_s, false);
	else
		print_workflow(ctl, o->begin.id);
	chain_done(&c);
	return status;
}

static const struct option_spec chain_options[] = {WHOLE_OPTIONS};

const struct verb verb_chain = {
    .name = "chain",
    .summary = "Run tasks one after the other, each with the result before it",
    .usage = "'NAME [ARG...]'... [OPTION...]",
    .options = chain_options,
    .n_options = sizeof(chain_options) / sizeof(chain_options[0]),
    .options_size = sizeof(struct submit_options),
    .init = submit_init,
    .min_args = 1,
    .max_args = -1,
    .words = WORD_ANY,
    .run = run_chain,
};
