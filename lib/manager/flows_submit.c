/* SPDX-License-Identifier: MIT */
/*
 * Submitting a workflow as a whole.
 *
 * Its steps are encoded before it is begun: a name that nobody has registered, or a
 * bad value, is found while nothing is stored. Then they go in batches, each behind
 * the steps that it comes after. Until the workflow is sealed none of them is
 * released: what fails in between is cancelled.
 */
#include "manager/flows_submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "manager/flow_file.h"
#include "manager/flows.h"
#include "util/err.h"

/* As of submit --stdin. */
#define BATCH_STEPS 512

struct sending {
	struct flowrra_client *client;
	const struct flows_submission *s;
	struct flowrra_batch **batches;
	size_t n_batches;
};

/* The first error counts, each is told. */
static void
sending_refuse(struct sending *x, size_t step, const char *id,
	       const struct flowrra_error *error, struct err *err)
{
	if (err->code == ERR_NONE)
		err_set(err, err_of_exit_status(error->code), "step %s: %s", id,
			error->message);
	x->s->refused(x->s->arg, step, error->message);
}

static int
sending_encode(struct sending *x, struct err *err)
{
	const size_t n_batches = (x->s->n + BATCH_STEPS - 1) / BATCH_STEPS;
	struct flowrra_error error;
	size_t i;

	if ((x->batches = calloc(n_batches + 1, sizeof(void *))) == NULL)
		return err_nomem(err);
	for (; x->n_batches < n_batches; x->n_batches++)
		if (flowrra_batch_new(x->client, &x->batches[x->n_batches],
				      &error) != 0)
			return err_set(err, err_of_exit_status(error.code),
				       "%s", error.message);
	for (i = 0; i < x->s->n; i++)
		if (flowrra_batch_add(x->batches[i / BATCH_STEPS],
				      x->s->steps[i], &error) != 0) {
			sending_refuse(x, i, x->s->steps[i]->id, &error, err);
			/* The others would wait as long for a server. */
			if (error.code == FLOWRRA_UNAVAILABLE)
				break;
		}
	return err->code == ERR_NONE ? 0 : -1;
}

/* One after the other: a step must be there before one that comes after it. */
static int
sending_send(struct sending *x, struct err *err)
{
	struct flowrra_error error;
	size_t i, k;

	for (i = 0; i < x->n_batches && err->code == ERR_NONE; i++) {
		if (flowrra_batch_send(x->batches[i], &error) != 0 ||
		    flowrra_batch_wait(x->batches[i], &error) != 0)
			return err_set(err, err_of_exit_status(error.code),
				       "%s", error.message);
		for (k = 0; k < flowrra_batch_count(x->batches[i]); k++)
			if (flowrra_batch_answer(x->batches[i], k, &error) != 0)
				sending_refuse(
				    x, i * BATCH_STEPS + k,
				    flowrra_batch_id(x->batches[i], k), &error,
				    err);
	}
	return err->code == ERR_NONE ? 0 : -1;
}

static void
sending_done(struct sending *x)
{
	size_t i;

	for (i = 0; i < x->n_batches; i++)
		flowrra_batch_free(x->batches[i]);
	free(x->batches);
}

/* It has begun; what cannot be cancelled now, its life ends. */
static int
sending_seal(struct sending *x, const char *id, struct err *err)
{
	json_t *sealed = NULL;

	if (sending_send(x, err) != 0) {
		json_decref(flows_cancel(x->client, id, NULL));
		return -1;
	}
	if ((sealed = flows_seal(x->client, id, err)) == NULL)
		return err->code != ERR_UNAVAILABLE
			   ? -1
			   : err_hint(err,
				      "workflow %s may run all the same: see "
				      "workflow show",
				      id);
	json_decref(sealed);
	return 0;
}

/* One step after the other, up to the first that is refused. */
static int
submit_by_way(const struct flows_submission *s, const struct flows_begin *begin,
	      struct err *err)
{
	size_t i;
	int r = s->way->begin(s->way_arg, begin, err);

	if (r != 0)
		return -1;
	for (i = 0; i < s->n && r == 0; i++)
		if ((r = s->way->add(s->way_arg, s->steps[i], err)) != 0)
			s->refused(s->arg, i, err->msg);
	if (r == 0)
		return s->way->seal(s->way_arg, begin->id, err);
	s->way->cancel(s->way_arg, begin->id, &(struct err)ERR_INIT);
	return err_prefix(err, "step %s", s->steps[i - 1]->id);
}

int
flows_submit(struct flowrra_client *c, const struct flows_submission *s,
	     struct err *err)
{
	struct flows_begin begin = *s->begin;
	struct sending x = {.client = c, .s = s};
	char id[TASK_FLOW_MAX + 1];
	int r = -1;

	begin.whole = true;
	err->code = ERR_NONE;
	if (s->way != NULL)
		return submit_by_way(s, &begin, err);
	if (sending_encode(&x, err) == 0 &&
	    flows_begin(c, &begin, id, err) == 0)
		r = sending_seal(&x, id, err);
	sending_done(&x);
	return r;
}

/* --- files ----------------------------------------------------------------- */

struct file_sending {
	const struct flow_file *file;
	const struct flows_submission *s;
};

static void
on_file_step_refused(void *arg, size_t step, const char *why)
{
	const struct file_sending *f = arg;

	f->s->refused(f->s->arg, f->file->order[step], why);
}

int
flows_submit_file(struct flowrra_client *c, const struct flow_file *file,
		  const struct flows_submission *s, struct err *err)
{
	struct file_sending f = {file, s};
	const struct flowrra_request **steps =
	    calloc(file->n + 1, sizeof(void *));
	struct flows_begin begin = *s->begin;
	const struct flows_submission whole = {.begin = &begin,
					       .steps = steps,
					       .n = file->n,
					       .refused = on_file_step_refused,
					       .arg = &f,
					       .way = s->way,
					       .way_arg = s->way_arg};
	size_t i;
	int r;

	if (steps == NULL)
		return err_nomem(err);
	for (i = 0; i < file->n; i++)
		steps[i] = &file->steps[file->order[i]].request;
	if (begin.label == NULL)
		begin.label = file->label;
	if (begin.on_failure == NULL)
		begin.on_failure = file->on_failure;
	if (begin.life_s == 0)
		begin.life_s = file->life_s;
	r = flows_submit(c, &whole, err);
	free(steps);
	return r;
}
