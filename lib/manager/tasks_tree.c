/* SPDX-License-Identifier: MIT */
/*
 * A task with those that it came from and that came from it.
 *
 * Each says which task submitted it and with which one that began, so the lists are
 * searched for all that began with the same. What they say was written by others: a
 * parent may be gone, or two may each be the other's; whatever is found is told once.
 */
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/tasks.h"
#include "util/err.h"

/* More than a person looks through. */
#define TREE_MAX 10000

/* A task that waits to be told, with its depth. */
struct tree_next {
	const char *id;
	size_t depth;
};

struct tree {
	json_t *records;	/* by ID */
	json_t *children;	/* by the parent's ID: arrays of IDs */
	json_t *rows;		/* the answer */
	struct tree_next *open; /* a stack */
	size_t n_open;
};

/* --- what there is --------------------------------------------------------- */

/* One that moves meanwhile may be in several lists: the last one counts. */
static int
tree_take_list(struct tree *t, json_t *list, struct err *err)
{
	json_t *one;
	size_t i;
	int r = 0;

	json_array_foreach (list, i, one)
		if (member_text(one, "task_id") != NULL &&
		    json_object_set(t->records, member_text(one, "task_id"),
				    one) != 0)
			r = err_nomem(err);
	json_decref(list);
	return r;
}

/* In the order in which tasks move. */
static int
tree_find(struct tree *t, struct flowrra_client *c, const char *root,
	  struct tasks_tree *tree, struct err *err)
{
	static const enum tasks_state states[] = {
	    TASKS_PENDING, TASKS_RUNNING, TASKS_COMPLETED, TASKS_FAILED};
	struct tasks_query query;
	json_t *list;
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		query = (struct tasks_query){.filter = {.root = root},
					     .limit = TREE_MAX,
					     .depth = tree->depth};
		list = tasks_list(c, states[i], &query, err);
		if (list == NULL || tree_take_list(t, list, err) != 0)
			return -1;
		tree->stopped |= query.stopped;
	}
	return 0;
}

/* --- who came from whom ------------------------------------------------------ */

struct tree_node {
	const char *id;
	const json_t *record;
	int64_t submitted_us;
};

static int
earlier_first(const void *a, const void *b)
{
	const struct tree_node *x = a, *y = b;

	if (x->submitted_us != y->submitted_us)
		return x->submitted_us < y->submitted_us ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* One without a parent that is known is a child of "". */
static int
tree_link_one(struct tree *t, const struct tree_node *node)
{
	const char *parent = member_text(node->record, "parent");
	json_t *ids;

	if (parent == NULL || json_object_get(t->records, parent) == NULL)
		parent = "";
	ids = json_object_get(t->children, parent);
	if (ids == NULL) {
		ids = json_array();
		if (json_object_set_new(t->children, parent, ids) != 0)
			return -1;
	}
	return json_array_append_new(ids, json_string(node->id));
}

static int
tree_link(struct tree *t, struct err *err)
{
	const size_t n = json_object_size(t->records);
	struct tree_node *nodes = calloc(n + 1, sizeof(*nodes));
	const char *id;
	json_t *record;
	size_t i = 0;
	int r = 0;

	if (nodes == NULL)
		return err_nomem(err);
	json_object_foreach (t->records, id, record)
		nodes[i++] = (struct tree_node){
		    id, record, member_time_us(record, "submitted_at")};
	qsort(nodes, i, sizeof(*nodes), earlier_first);
	for (i = 0; i < n && r == 0; i++)
		r = tree_link_one(t, &nodes[i]);
	free(nodes);
	return r == 0 ? 0 : err_nomem(err);
}

/* --- the answer --------------------------------------------------------------- */

/* The last one is the next to be told. */
static void
tree_push(struct tree *t, const char *id, size_t depth)
{
	const json_t *ids = json_object_get(t->children, id);
	size_t i;

	for (i = json_array_size(ids); i > 0; i--)
		t->open[t->n_open++] = (struct tree_next){
		    json_string_value(json_array_get(ids, i - 1)), depth};
}

/* A record is taken out of those that are known with its row: none comes twice. */
static int
tree_tell(struct tree *t, struct err *err)
{
	struct tree_next next;
	json_t *record;

	while (t->n_open > 0) {
		next = t->open[--t->n_open];
		record = json_incref(json_object_get(t->records, next.id));
		if (record == NULL)
			continue;
		next.id = member_text(record, "task_id");
		json_object_set_new(record, "depth",
				    json_integer((json_int_t)next.depth));
		json_object_del(t->records, next.id);
		tree_push(t, next.id, next.depth + 1);
		if (json_array_append_new(t->rows, record) != 0)
			return err_nomem(err);
	}
	return 0;
}

/* From those that have no parent on; then what is left, which are circles. */
static int
tree_tell_all(struct tree *t, struct err *err)
{
	const size_t n = json_object_size(t->records);
	void *any;

	t->open = calloc(n + 1, sizeof(*t->open));
	if (t->open == NULL)
		return err_nomem(err);
	tree_push(t, "", 0);
	if (tree_tell(t, err) != 0)
		return -1;
	while ((any = json_object_iter(t->records)) != NULL) {
		t->open[t->n_open++] =
		    (struct tree_next){json_object_iter_key(any), 0};
		if (tree_tell(t, err) != 0)
			return -1;
	}
	return 0;
}

/* The ID that the tree begins with; the caller's to free. NULL with *err. */
static char *
tree_root(struct flowrra_client *c, const char *id, struct err *err)
{
	json_t *record;
	const char *root;
	char *copy = NULL;

	if (!task_id_valid(slice_of(id))) {
		err_set(err, ERR_DATA, "\"%.64s\" is not a valid task ID", id);
		return NULL;
	}
	if ((record = query_record(c, id, err)) == NULL)
		return NULL;
	root = member_text(record, "root");
	if (root == NULL || !task_id_valid(slice_of(root)))
		root = id;
	if (json_is_null(record))
		err_set(err, ERR_NOT_FOUND, "no record of task %s", id);
	else if ((copy = strdup(root)) == NULL)
		err_nomem(err);
	json_decref(record);
	return copy;
}

json_t *
tasks_tree(struct flowrra_client *c, const char *id, struct tasks_tree *tree,
	   struct err *err)
{
	struct tree t = {.records = json_object(),
			 .children = json_object(),
			 .rows = json_array()};
	char *root = tree_root(c, id, err);

	tree->stopped = false;
	if (root == NULL || tree_find(&t, c, root, tree, err) != 0 ||
	    tree_link(&t, err) != 0 || tree_tell_all(&t, err) != 0) {
		json_decref(t.rows);
		t.rows = NULL;
	}
	json_decref(t.records);
	json_decref(t.children);
	free(t.open);
	free(root);
	return t.rows;
}
