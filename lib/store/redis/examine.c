/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: what its user may not do, where it is another server than
 * the broker (whose rights are rights.c's and admin_examine.c's).
 *
 * The script has no line of flags, so the server's version is of no concern.
 */
#include <stdlib.h>

#include "store/redis/results.h"
#include "store/redis/rights.h"
#include "store/redis/scripts.h"

static struct rrights
rexamine_rights(const struct rresults *r, bool all)
{
	/* The keys of queues are in no right of the records. */
	return (struct rrights){
	    .user = r->url.user, .records = true, .all = all};
}

static void
rexamine_ask(struct rresults *r, bool all, struct redis_request *request)
{
	const struct rrights of = rexamine_rights(r, all);
	const struct redis_args args = rrights_args(&of);

	if (args.v != NULL)
		rresults_eval(request, &rscripts[SCRIPT_RIGHTS],
			      (struct redis_args){NULL, 0}, args);
	else
		redis_request_later(request);
	free((void *)(uintptr_t)args.v);
}

/* --- a worker ------------------------------------------------------------ */

static void
rexamine_tell(const struct err *what, void *arg)
{
	struct rresults *r = arg;

	r->opt.on_state(true, false, what, r->opt.arg);
}

/* Once for as long as the same number is missing: a connection that breaks
 * often is not news. */
static void
rexamine_on_worker(struct redis_request *request,
		   const struct redis_reply *reply)
{
	struct rresults_request *call =
	    container_of(request, struct rresults_request, request);
	struct rresults *r = call->results;
	const struct rrights of = rexamine_rights(r, false);
	const size_t n = rrights_missing(reply);

	free(call);
	if (redis_fault(reply) == REDIS_FAULT_LOST || n == r->missing)
		return;
	r->missing = n;
	rrights_warn(&of, reply, r->url_name, rexamine_tell, r);
}

void
rexamine_up(struct rresults *r)
{
	struct rresults_request *call;

	if (r->opt.examine &&
	    (call = rresults_request_new(r, rexamine_on_worker, NULL)) != NULL)
		rexamine_ask(r, false, &call->request);
}

/* --- an operator --------------------------------------------------------- */

/* The texts of a finding, in one buffer each. */
struct rexamine_texts {
	struct buf what, remedy;
};

static void
rexamine_answer(struct rresults_request *call, struct rexamine_texts *texts,
		struct results_finding *findings, size_t n)
{
	struct err err;
	size_t i;

	for (i = 0; i < n; i++) {
		if (texts[i].what.failed || texts[i].remedy.failed) {
			err_nomem(&err);
			call->on_findings(NULL, 0, &err, call->arg);
			return;
		}
		findings[i] = (struct results_finding){texts[i].what.data,
						       texts[i].remedy.data};
	}
	call->on_findings(findings, n, NULL, call->arg);
}

static void
rexamine_on_doctor(struct redis_request *request,
		   const struct redis_reply *reply)
{
	struct rresults_request *call =
	    container_of(request, struct rresults_request, request);
	const struct rrights of = rexamine_rights(call->results, true);
	const size_t n = rrights_missing(reply);
	struct rexamine_texts *texts = calloc(n + 1, sizeof(*texts));
	struct results_finding *findings = calloc(n + 1, sizeof(*findings));
	struct err err;
	size_t i, told = 0;

	for (i = 0; texts != NULL && i < n; i++) {
		rrights_describe(&of, reply, i, &texts[told].what,
				 &texts[told].remedy);
		if (texts[told].what.len == 0)
			continue;
		buf_addc(&texts[told].what, '\0');
		buf_addc(&texts[told++].remedy, '\0');
	}
	if (texts == NULL || findings == NULL) {
		err_nomem(&err);
		call->on_findings(NULL, 0, &err, call->arg);
	} else if (redis_fault(reply) == REDIS_FAULT_LOST) {
		redis_fault_err(call->results->redis, "examining", reply, &err);
		call->on_findings(NULL, 0, &err, call->arg);
	} else {
		rexamine_answer(call, texts, findings, told);
	}
	for (i = 0; texts != NULL && i < n; i++) {
		buf_done(&texts[i].what);
		buf_done(&texts[i].remedy);
	}
	free(texts);
	free(findings);
	free(call);
}

void
rresults_examine(struct results *results, results_findings_fn *on_findings,
		 void *arg)
{
	struct rresults *r = (struct rresults *)results;
	struct rresults_request *call =
	    rresults_request_new(r, rexamine_on_doctor, arg);
	struct err err;

	if (call == NULL) {
		err_nomem(&err);
		on_findings(NULL, 0, &err, arg);
		return;
	}
	call->on_findings = on_findings;
	rexamine_ask(r, true, &call->request);
}
