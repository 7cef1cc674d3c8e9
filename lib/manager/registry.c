/* SPDX-License-Identifier: MIT */
/* The tasks that workers have registered. Others may write to the same server:
 * an entry that cannot be understood does not hide the others. */
#include "manager/registry.h"

#include "client/client.h"
#include "client/load.h"
#include "client/registry.h"
#include "manager/member.h"
#include "manager/query.h"
#include "util/err.h"
#include "util/pending.h"

/* A query whose answer is made on the loop, entry by entry. */
struct registry_query {
	struct query q;
	json_t *list;
	bool failed; /* no memory */
};

/* The entry with its name in it, which is told last by the module, but comes
 * first here. NULL: the text is not a JSON object. */
static json_t *
entry_json(struct slice name, struct slice text, struct err *err)
{
	json_t *said = load_json(text, err);
	json_t *entry = json_object(), *label;

	label = json_stringn(name.p, name.len);
	if (label == NULL)
		label = json_string("?");
	json_object_set_new(entry, "name", label);
	if (json_is_object(said)) {
		json_object_del(said, "name");
		json_object_update(entry, said);
		json_decref(said);
		return entry;
	}
	if (said != NULL)
		err_set(err, ERR_DATA, "not a JSON object");
	json_decref(said);
	json_decref(entry);
	return NULL;
}

/* An entry that cannot be read, so that its name is shown all the same. */
static json_t *
bad_entry(struct slice name, const struct err *why)
{
	json_t *label = json_stringn(name.p, name.len);

	return json_pack("{s:o,s:o}", "name",
			 label != NULL ? label : json_string("?"), "fault",
			 member_of_text(why->msg));
}

/* On the loop; `names` and `values` are the store's until it returns. */
static void
on_entries(const struct slice *names, const struct slice *values, size_t n,
	   const struct err *err, void *arg)
{
	struct registry_query *r = arg;
	struct err why = ERR_INIT;
	json_t *entry;
	size_t i;

	for (i = 0; i < n; i++) {
		entry = entry_json(names[i], values[i], &why);
		if (entry == NULL)
			entry = bad_entry(names[i], &why);
		if (json_array_append_new(r->list, entry) != 0)
			r->failed = true;
	}
	query_end(&r->q, err);
}

static void
send_registry(struct query *q)
{
	broker_registry(q->client->broker, on_entries,
			container_of(q, struct registry_query, q));
}

/* One question for all of them: a fleet has hundreds, each some hundred bytes.
 */
json_t *
registry_list(struct flowrra_client *c, struct err *err)
{
	struct registry_query r = {.q = {.client = c, .send = send_registry},
				   .list = json_array()};

	if (client_check(c, err) == 0 && query_run(&r.q, err) == 0) {
		if (!r.failed)
			return r.list;
		err_nomem(err);
	}
	json_decref(r.list);
	return NULL;
}

/* The message has close names: most users who ask for an unknown task have
 * mistyped it. */
json_t *
registry_show(struct flowrra_client *c, const char *name, struct err *err)
{
	struct query q = {
	    .client = c, .send = query_send_registered, .key = slice_of(name)};
	json_t *entry;

	if (client_check(c, err) != 0 || query_run(&q, err) != 0)
		return NULL;
	if (!q.present) {
		registry_unknown(c, name, ERR_NOT_FOUND, err);
		return NULL;
	}
	entry = entry_json(slice_of(name),
			   (struct slice){q.value.data, q.value.len}, err);
	buf_done(&q.value);
	if (entry == NULL)
		err_prefix(err, "cannot parse the registration of task \"%s\"",
			   name);
	return entry;
}
