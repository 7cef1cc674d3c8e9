/* SPDX-License-Identifier: MIT */
/*
 * The answers of the Python package's routes, recorded while it ran (seed/README),
 * and ours to the same requests in the same states: same status, same members,
 * same types, same values. Where ours are others on purpose, a row of `meant` says
 * so, and why; a row that is not needed any more is an error.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "web/crew.h"
#include "web/desk.h"

/* --- what differs on purpose ----------------------------------------------- */

/* `step` is a pattern for the names of steps, `path` one for the places in the
 * answer ("status": not in it); `ours` is our value as JSON. */
static const struct meant {
	const char *adapter, *step, *path, *ours, *why;
} meant[] = {
    /* Only a browser has to say that it is JSON: tests/e2e/web_test.c. */
    {"flask", "cron, plain text", "*", NULL, "it is read"},
    {"fastapi", "cron, plain text", "*", NULL, "it is read"},

    /* Slashes: each adapter has one form, ours are good for all. */
    {"flask", "cron, the other slash", "status", "201", "404 there"},
    {"flask", "*the other slash", "status", "200", "404 there"},
    {"fastapi", "cron, the other slash", "status", "201", "a redirection"},
    {"fastapi", "*the other slash", "status", "200", "a redirection"},
    {"django", "*the other slash", "status", "200", "a redirection"},

    /* FastAPI's own habits; ours are those of the other two. */
    {"fastapi", "cron, the same again", "status", "201", "made: 201"},
    {"fastapi", "cron, the least", "status", "201", "made: 201"},
    {"fastapi", "cron, disabled", "status", "201", "made: 201"},
    {"fastapi", "cron, members *", "status", "201", "made: 201"},
    {"fastapi", "cron", "status", "201", "made: 201"},
    {"fastapi", "cron, *", "status", "400", "422, or 500 of an exception"},
    {"fastapi", "*able, absent", "status", "400", "500 of an exception"},
    {"fastapi", "*", "/detail", NULL, "errors are \"error\" in the others"},
    {"fastapi", "*", "/error", NULL, "errors are \"error\" in the others"},
    {"fastapi", "schedules, enabled_only=*", "status", "400", "422"},

    /* Texts of Python's exceptions; ours say what to mend. */
    {"flask", "cron, *", "/error", NULL, "an exception's text"},
    {"flask", "cron, an object for args", "status", "400",
     "stored as no arguments there"},
    {"flask", "cron, a* for *", "status", "400",
     "stored there, and no scheduler can read it"},
    {"flask", "cron, a* for *", "/schedule_id", NULL, "it is refused"},
    {"fastapi", "cron, a* for *", "/schedule_id", NULL,
     "taken for another type there; refused"},

    /* What is not a truth is false there; here it is a mistake. */
    {"flask", "schedules, enabled_only=", "*", NULL, "an error"},
    {"flask", "schedules, enabled_only=maybe", "*", NULL, "an error"},
    {"django", "schedules, enabled_only=", "*", NULL, "an error"},
    {"django", "schedules, enabled_only=maybe", "*", NULL, "an error"},
    /* "1" is true for FastAPI and ours. */
    {"flask", "schedules, enabled_only=1", "", NULL, "one is disabled"},

    /* One process there; here the application is all workers that live. */
    {"*", "stats, stopped", "/executors/*", "null", "no worker lives"},
    {"*", "health, stopped", "/components/app/*", NULL, "its store is up"},
    {"*", "health, stopped", "/components/cpu_executor", "null",
     "no worker lives"},
    {"*", "health, stopped", "/components/*/message", NULL,
     "ours says why it is not running"},
    {"*", "health, stopped", "/components/scheduler/healthy", "true",
     "no schedule is enabled, so none is needed"},
    {"*", "task*", "/module", "null", "no Python module"},
    {"*", "task*", "/qualname", "null", "no Python function"},

    /* Forms of what is the same. */
    {"*", "schedule*", "*/schedule", "\"300.0\"",
     "300.0 and 300 are different schedules there"},
    {"*", "schedule*", "*/schedule", "\"2096-01-01T12:30:00.000000+00:00\"",
     "with its offset"},

    /* Answered by the frame, which a desk has not: tests/e2e/web_test.c. */
    {"fastapi", "*, POST", "", NULL, "no route"},
    {"django", "*, POST", "", NULL, "no route"},
    {"fastapi", "no such route", "", NULL, "no route"},

    {"django", "stats, POST", "status", "405", "any method is GET there"},
    /* Django's table has no DELETE, and looks for a schedule "cron". */
    {"django", "cron*", "skip", NULL, "404 there"},
    {"django", "delete*", "status", "200", "404, or a redirection"},
    {"django", "delete*", "/*", NULL, "its answer is that of GET"},
    {"django", "schedule, deleted", "status", "404", "it is deleted"},
    {"django", "schedule, deleted", "/*", NULL, "it is deleted"},
};

#define N_MEANT (sizeof(meant) / sizeof(meant[0]))

/* --- a player of records -------------------------------------------------------- */

struct player {
	struct desk *d;
	const char *adapter;
	const char *step;
	json_t *ids; /* theirs: ours */
	struct crew crew;
	char *waiting; /* a task */
	bool needed[N_MEANT];
};

static bool
player_means(struct player *p, const char *path, const json_t *ours)
{
	char *text = ours != NULL ? json_dumps(ours, JSON_ENCODE_ANY) : NULL;
	bool found = false;
	size_t i;

	for (i = 0; i < N_MEANT && !found; i++) {
		if (fnmatch(meant[i].adapter, p->adapter, 0) != 0 ||
		    fnmatch(meant[i].step, p->step, 0) != 0 ||
		    fnmatch(meant[i].path, path, 0) != 0 ||
		    (meant[i].ours != NULL &&
		     (text == NULL || strcmp(meant[i].ours, text) != 0)))
			continue;
		found = p->needed[i] = true;
	}
	free(text);
	return found;
}

static void
player_differs(struct player *p, const char *path, const json_t *theirs,
	       const json_t *ours)
{
	char *theirs_text, *ours_text;

	if (player_means(p, path, ours))
		return;
	theirs_text =
	    theirs != NULL ? json_dumps(theirs, JSON_ENCODE_ANY) : NULL;
	ours_text = ours != NULL ? json_dumps(ours, JSON_ENCODE_ANY) : NULL;
	ck_abort_msg("%s: \"%s\": %s: theirs is %s, ours %s", p->adapter,
		     p->step, path,
		     theirs_text != NULL ? theirs_text : "absent",
		     ours_text != NULL ? ours_text : "absent");
}

static void
compare_status(struct player *p, int theirs)
{
	json_t *is = json_integer(theirs), *own = json_integer(p->d->status);

	if (!json_equal(is, own))
		player_differs(p, "status", is, own);
	json_decref(is);
	json_decref(own);
}

/* Times are those of the recording. Ours have an offset, theirs have none, or are
 * as in mail; all are texts, or null. */
static bool
is_time(const char *path)
{
	static const char *const names[] = {"timestamp", "created_at",
					    "updated_at", "next_run_at",
					    "last_run_at"};
	const char *name = strrchr(path, '/');
	size_t i;

	for (i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name + 1, names[i]) == 0)
			return true;
	return false;
}

static bool
is_type_same(const json_t *theirs, const json_t *ours)
{
	return json_typeof(theirs) == json_typeof(ours) ||
	       (json_is_boolean(theirs) && json_is_boolean(ours));
}

static bool
is_value_same(struct player *p, const char *path, const json_t *theirs,
	      const json_t *ours)
{
	const json_t *id;
	int64_t us;

	if (!json_is_string(theirs))
		return json_equal(theirs, ours);
	if (is_time(path))
		return clock_parse(json_string_value(ours), &us, NULL) == 0;
	id = json_object_get(p->ids, json_string_value(theirs));
	return json_equal(id != NULL ? id : theirs, ours);
}

/* The element of ours that is theirs: lists are in orders of their own. */
static const json_t *
element_of(struct player *p, const json_t *ours, const json_t *theirs,
	   size_t at)
{
	const char *key = json_object_get(theirs, "id") != NULL ? "id" : "name";
	const json_t *id = json_object_get(theirs, key), *mapped;
	json_t *one;
	size_t i;

	if (id == NULL)
		return json_array_get(ours, at);
	mapped = json_object_get(p->ids, json_string_value(id));
	json_array_foreach (ours, i, one)
		if (json_equal(json_object_get(one, key),
			       mapped != NULL ? mapped : id))
			return one;
	return NULL;
}

static void compare(struct player *p, const char *path, const json_t *theirs,
		    const json_t *ours);

static void
compare_objects(struct player *p, const char *path, const json_t *theirs,
		const json_t *ours)
{
	char inner[200];
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)theirs, name, value) {
		snprintf(inner, sizeof(inner), "%s/%s", path, name);
		compare(p, inner, value, json_object_get(ours, name));
	}
	json_object_foreach ((json_t *)ours, name, value) {
		snprintf(inner, sizeof(inner), "%s/%s", path, name);
		if (json_object_get(theirs, name) == NULL)
			player_differs(p, inner, NULL, value);
	}
}

static void
compare(struct player *p, const char *path, const json_t *theirs,
	const json_t *ours)
{
	char inner[200];
	json_t *value;
	size_t i;

	if (ours == NULL || !is_type_same(theirs, ours)) {
		player_differs(p, path, theirs, ours);
	} else if (json_is_object(theirs)) {
		compare_objects(p, path, theirs, ours);
	} else if (json_is_array(theirs)) {
		if (json_array_size(theirs) != json_array_size(ours)) {
			player_differs(p, path, theirs, ours);
			return;
		}
		json_array_foreach (theirs, i, value) {
			snprintf(inner, sizeof(inner), "%s/%zu", path, i);
			compare(p, inner, value, element_of(p, ours, value, i));
		}
	} else if (!is_value_same(p, path, theirs, ours)) {
		player_differs(p, path, theirs, ours);
	}
}

/* --- states ------------------------------------------------------------------ */

/* The package has no route for it; ours makes it. */
static void
player_make(struct player *p, const json_t *make)
{
	char target[80], *body = json_dumps(json_object_get(make, "body"), 0);

	snprintf(target, sizeof(target), "/api/schedules/%s",
		 json_string_value(json_object_get(make, "type")));
	ck_assert_msg(desk_ask(p->d, "POST", target, body) == 201, "%s: %s",
		      body, p->d->bytes.data);
	json_object_set(p->ids,
			json_string_value(json_object_get(make, "schedule_id")),
			desk_at(p->d, "schedule_id", NULL));
	free(body);
}

/* Nobody claims it, so it waits until it is cancelled. */
static void
player_wait(struct player *p, bool waits)
{
	char target[120];

	if (waits) {
		ck_assert_ptr_null(p->waiting);
		p->waiting = desk_submit(p->d, "hold", "[2]", "io");
		return;
	}
	snprintf(target, sizeof(target), "/api/v1/tasks/%s/cancel", p->waiting);
	ck_assert_uint_eq(desk_ask(p->d, "POST", target, "{}"), 200);
	free(p->waiting);
	p->waiting = NULL;
}

static void
player_enter(struct player *p, const json_t *state)
{
	const json_t *make = json_object_get(state, "make");
	const json_t *waiting = json_object_get(state, "waiting");

	if (make != NULL) {
		player_make(p, make);
	} else if (waiting != NULL) {
		ck_assert_uint_le(json_array_size(waiting), 1);
		player_wait(p, json_array_size(waiting) == 1);
	} else {
		ck_assert_ptr_nonnull(json_object_get(state, "workers"));
		crew_open(p->d, &p->crew);
		crew_beat(&p->crew);
	}
}

/* --- playing ----------------------------------------------------------------- */

/* The path with our ids for theirs. */
static void
player_target(struct player *p, const char *path, char *ret, size_t size)
{
	const char *theirs, *at;
	json_t *ours;

	snprintf(ret, size, "%s", path);
	json_object_foreach (p->ids, theirs, ours)
		if ((at = strstr(path, theirs)) != NULL)
			snprintf(ret, size, "%.*s%s%s", (int)(at - path), path,
				 json_string_value(ours), at + strlen(theirs));
}

/* A new schedule of theirs is that of ours which the same request made. */
static void
player_learn(struct player *p, const json_t *answer)
{
	const char *theirs =
	    json_string_value(json_object_get(answer, "schedule_id"));
	json_t *ours = desk_at(p->d, "schedule_id", NULL);

	if (theirs != NULL && ours != NULL &&
	    json_object_get(p->ids, theirs) == NULL)
		json_object_set(p->ids, theirs, ours);
}

static void
player_ask(struct player *p, const json_t *step)
{
	const json_t *answer = json_object_get(step, "answer");
	const char *type =
	    json_string_value(json_object_get(step, "content_type"));
	char target[300];

	if (player_means(p, "skip", NULL))
		return;
	player_target(p, json_string_value(json_object_get(step, "path")),
		      target, sizeof(target));
	if (type != NULL)
		desk_header(p->d, "Content-Type", type);
	desk_ask(p->d, json_string_value(json_object_get(step, "method")),
		 target, json_string_value(json_object_get(step, "body")));
	compare_status(
	    p, (int)json_integer_value(json_object_get(step, "status")));
	player_learn(p, answer);
	if (answer != NULL)
		compare(p, "", answer, p->d->answer);
}

static void
player_play(struct player *p, const json_t *steps)
{
	json_t *step;
	size_t i;

	json_array_foreach (steps, i, step) {
		p->step = json_string_value(json_object_get(step, "name"));
		crew_keep(&p->crew);
		if (json_object_get(step, "state") != NULL)
			player_enter(p, json_object_get(step, "state"));
		else
			player_ask(p, step);
	}
	ck_assert_uint_gt(i, 50);
}

static void
player_check_table(const struct player *p)
{
	size_t i;

	for (i = 0; i < N_MEANT; i++)
		if (fnmatch(meant[i].adapter, p->adapter, 0) == 0)
			ck_assert_msg(
			    p->needed[i], "%s: \"%s\": %s differs no more",
			    meant[i].adapter, meant[i].step, meant[i].path);
}

START_TEST(each_answer_is_that_of_the_package_or_differs_on_purpose)
{
	static const char *const adapters[] = {"flask", "fastapi", "django"};
	struct player p = {.d = desk_open((enum desk_store)(_i % 2)),
			   .adapter = adapters[_i / 2],
			   .ids = json_object()};
	json_error_t error;
	json_t *recorded;
	char file[80];

	snprintf(file, sizeof(file), "tests/web/seed/%s.json", p.adapter);
	recorded = json_load_file(file, 0, &error);
	ck_assert_msg(recorded != NULL, "%s:%d: %s", file, error.line,
		      error.text);
	/* The package's scheduler has its database before anybody looks. */
	desk_get(p.d, "/api/schedules");
	crew_visit(p.d, &p.crew);
	player_play(&p, json_object_get(recorded, "steps"));
	player_check_table(&p);
	crew_close(&p.crew);
	json_decref(recorded);
	json_decref(p.ids);
	desk_close(p.d);
}
END_TEST

SUITE("web-recorded")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(each_answer_is_that_of_the_package_or_differs_on_purpose, 0,
		  3 * DESK_N_STORES);
}
