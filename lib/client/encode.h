/* SPDX-License-Identifier: MIT */
/* From a request to what is sent: the task and its pending record. */
#ifndef CLIENT_ENCODE_H
#define CLIENT_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/unique.h"
#include "store/steps.h"
#include "util/buf.h"

struct err;
struct flowrra_client;
struct flowrra_request;

/* Where the parts of one task lie in a buffer that may still move. */
struct encoded {
	size_t id, id_len;	 /* ends in a NUL */
	size_t queue;		 /* ends in a NUL */
	size_t bytes, bytes_len; /* the task, JSON */
	size_t record, record_len;
	bool derived;		   /* as in broker.h */
	size_t unique, unique_len; /* the key; empty: none */
	int64_t unique_s;
	enum unique_until unique_until; /* as in broker.h */
	bool debounces;
	int32_t priority;
	int64_t delay_ms, at_ms; /* as in broker.h */
	bool exclusive;
	size_t flow, flow_len; /* as in broker.h; empty: none */
	enum flow_role role;
	struct steps_after
	    own; /* what the request says; the caller's to free */
	/* As in broker.h; set by the caller. */
	const struct broker_after *after;
	size_t n_after;
	bool follows;
	struct slice blob_name, blob;
};

struct encoder {
	struct flowrra_client *client;
	const char *reply_to; /* as in results/results.h, or NULL */
	bool adhoc; /* NAME_ADHOC may be submitted: of flowrractl run */
	struct buf *out;
};

/* Checks a request, fills in what is registered and configured, and appends
 * its parts to `out`, which stays as it was on failure. */
int encode_request(const struct encoder *encoder,
		   const struct flowrra_request *request, struct encoded *ret,
		   struct err *err);

/* Where the task goes unless its module says otherwise: for registry_find(). */
const char *encode_likely_queue(const struct flowrra_request *request);

#endif
