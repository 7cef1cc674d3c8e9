/* SPDX-License-Identifier: MIT */
/*
 * The verbs that keep schedules in files: apply and export.
 *
 * Exit status 0 of apply means that the schedules are those of the file: nothing
 * is half done without a word.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/schedule_said.h"
#include "schedule.h"
#include "schedules/schedules.h"
#include "submit.h"
#include "text_file.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

#define PAGE 1000
/* A generated file has the same mistake ten thousand times. */
#define MISTAKES_SHOWN 20

void
schedule_tell(void *arg, int line, const char *text)
{
	const struct schedule_source *source = arg;

	text_file_complain(source->ctl, source->name, line, text);
}

/* --- apply --------------------------------------------------------------- */

/* IDs come from the file, and must not steer the terminal. */
static void
print_ids(const char *before, const char *what, const json_t *ids)
{
	const json_t *id;
	size_t i;

	json_array_foreach (ids, i, id) {
		printf("%s%s ", before, what);
		print_masked(json_string_value(id), 0);
		putchar('\n');
	}
}

/* With what it was and what it is: the log of a deployment then says it all. */
static void
print_changed(const char *before, const json_t *changed)
{
	struct buf text = BUF_INIT;
	const json_t *one;
	size_t i;

	json_array_foreach (changed, i, one) {
		buf_reset(&text);
		schedule_differences_text(json_object_get(one, "fields"),
					  &text);
		printf("%schanged ", before);
		print_masked(json_string_value(json_object_get(one, "id")), 0);
		printf(": ");
		print_masked(text.data != NULL ? text.data : "", 0);
		putchar('\n');
	}
	buf_done(&text);
}

static void
print_applied(struct ctl *ctl, const char *before, json_t *answer)
{
	const json_t *created = json_object_get(answer, "created");
	const json_t *changed = json_object_get(answer, "changed");
	const json_t *removed = json_object_get(answer, "removed");

	if (ctl->globals.json) {
		print_json_line(answer);
		return;
	}
	print_ids(before, "created", created);
	print_changed(before, changed);
	print_ids(before, "removed", removed);
	print_ids(before, "ended", json_object_get(answer, "ended"));
	printf(
	    "%s%zu created, %zu changed, %lld unchanged, %zu removed%s\n",
	    before, json_array_size(created), json_array_size(changed),
	    (long long)json_integer_value(json_object_get(answer, "unchanged")),
	    json_array_size(removed),
	    json_is_true(json_object_get(answer, "dry_run"))
		? " (nothing was changed: --dry-run)"
		: "");
	json_decref(answer);
}

/* A dry run must not make a database file. */
int
schedule_apply_file(struct ctl *ctl, struct schedule_file *file,
		    struct schedule_apply *apply)
{
	const struct schedule_source *source = apply->arg;
	struct err err = ERR_INIT;
	struct schedules *db;
	json_t *answer;
	int status = 0;

	if (!apply->force && (status = ctl_open_all(ctl)) != 0)
		return status;
	apply->client = ctl->client;
	apply->traceparent = submit_trace();
	if ((db = open_schedules(ctl, apply->dry_run, &status)) == NULL)
		return status;
	if ((status = schedule_time(ctl, db, &apply->now_us)) != 0) {
		schedules_close(db);
		return status;
	}
	answer = schedule_apply(db, file, apply, &err);
	schedules_close(db);
	if (answer == NULL)
		return complain_of_err(ctl, &err);
	print_applied(ctl, source->comment ? "# " : "", answer);
	return 0;
}

struct apply_options {
	const char *owner;
	bool prune, dry_run, take, force;
};

static int
complete_zones(struct zone_words *words, struct schedule_file *file,
	       struct err *err)
{
	size_t i;

	for (i = 0; i < file->n; i++)
		if (zone_complete(words, &file->entries[i].form.tz, err) != 0)
			return -1;
	return 0;
}

static void
tell_mistake(void *arg, int line, const char *text)
{
	struct schedule_source *source = arg;

	if (source->mistakes++ < MISTAKES_SHOWN)
		schedule_tell(source, line, text);
	else if (source->mistakes == MISTAKES_SHOWN + 1)
		complain(source->ctl, "%s: further mistakes are not shown",
			 source->name);
}

/* The file is judged as a whole before a server is asked. */
static int
run_apply(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct apply_options *o = options;
	struct schedule_source source = {.ctl = ctl, .name = argv[0]};
	struct schedule_apply apply = {.owner = o->owner,
				       .take = o->take,
				       .prune = o->prune,
				       .dry_run = o->dry_run,
				       .force = o->force,
				       .tell = tell_mistake,
				       .arg = &source};
	struct schedule_file file = {.n = 0};
	struct zone_words words = {.local = ""};
	struct err err = ERR_INIT;
	struct buf text = BUF_INIT;
	const struct conf *conf;
	int status = text_file_read(ctl, argv[0], &text);

	if (status == 0 && schedule_file_read(&file, text.data, tell_mistake,
					      &source, &err) != 0) {
		status = err_exit_status(err.code);
		if (schedule_apply_judge(&file, &apply, &err) != 0)
			complain_of_err(ctl, &err);
		complain(ctl, "nothing was changed");
	}
	if (status == 0 &&
	    ((conf = ctl_conf(ctl, false, &err)) == NULL ||
	     zone_default(conf, &words, &apply.zone, &err) != 0 ||
	     complete_zones(&words, &file, &err) != 0))
		status = complain_of_err(ctl, &err);
	if (status == 0)
		status = schedule_apply_file(ctl, &file, &apply);
	schedule_file_done(&file);
	buf_done(&text);
	return status;
}

#define APPLY_OPTION(...) VERB_OPTION(struct apply_options, 0, __VA_ARGS__)

static const struct option_spec apply_options[] = {
    APPLY_OPTION("owner", "OWNER", TEXT, owner, 0, 0,
		 "whose file it is; the schedules are marked with it"),
    APPLY_OPTION("prune", NULL, FLAG, prune, 0, 0,
		 "remove the owner's schedules that the file has no more"),
    APPLY_OPTION("take-over", NULL, FLAG, take, 0, 0,
		 "take schedules from other owners, too"),
    APPLY_OPTION("dry-run", NULL, FLAG, dry_run, 0, 0,
		 "print what would be done, and change nothing"),
    APPLY_OPTION("force", NULL, FLAG, force, 0, 0,
		 "accept tasks that no worker has registered"),
};

const struct verb verb_schedule_apply = {
    .name = "schedule apply",
    .summary = "Make the schedules those of a file",
    .usage = "FILE [OPTION...]",
    .options = apply_options,
    .n_options = sizeof(apply_options) / sizeof(apply_options[0]),
    .options_size = sizeof(struct apply_options),
    .min_args = 1,
    .max_args = 1,
    .words = WORD_ANY,
    .run = run_apply,
};

/* --- export -------------------------------------------------------------- */

struct export_options {
	const char *format, *owner;
};

/* In pages, as the list is read: the whole may be larger than one answer. */
static int
collect(struct schedules *db, const char *owner, json_t *all, struct err *err)
{
	struct schedules_filter filter = {.limit = PAGE};
	char after[SCHEDULE_ID_MAX + 1];
	struct schedules_list *page;
	const struct schedule *s;
	size_t i, n;

	do {
		if (schedules_list(db, &filter, &page, err) != 0)
			return -1;
		n = page->n;
		for (i = 0; i < n; i++) {
			s = &page->items[i];
			snprintf(after, sizeof(after), "%s", s->id);
			if (owner == NULL || strcmp(s->owner, owner) == 0)
				json_array_append_new(all, schedule_said(s));
		}
		filter.after = after;
		schedules_list_free(page);
	} while (n == PAGE);
	return 0;
}

/* Only the text is printed, so that it can go into a file as it is. */
static int
run_export(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct export_options *o = options;
	const bool ini = o->format != NULL && strcmp(o->format, "ini") == 0;
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	struct schedules *db;
	json_t *all;
	int status = 0;

	if (o->format != NULL && !ini && strcmp(o->format, "json") != 0) {
		complain(ctl, "--format \"%.64s\": not one of json, ini",
			 o->format);
		return err_exit_status(ERR_DATA);
	}
	if ((db = open_schedules(ctl, true, &status)) == NULL)
		return status;
	all = json_array();
	if (collect(db, o->owner, all, &err) != 0) {
		status = complain_of_err(ctl, &err);
	} else {
		(ini ? schedule_file_write_ini
		     : schedule_file_write_json)(all, &out);
		if (out.len > 0)
			fwrite(out.data, 1, out.len, stdout);
	}
	json_decref(all);
	buf_done(&out);
	schedules_close(db);
	return status;
}

static const struct option_spec export_options[] = {
    VERB_OPTION(struct export_options, 0, "format", "FORMAT", TEXT, format, 0,
		0, "json (the default), or ini"),
    VERB_OPTION(struct export_options, 0, "owner", "OWNER", TEXT, owner, 0, 0,
		"only the schedules of this owner"),
};

const struct verb verb_schedule_export = {
    .name = "schedule export",
    .summary = "Print all schedules as a file for schedule apply",
    .usage = "[OPTION...]",
    .options = export_options,
    .n_options = sizeof(export_options) / sizeof(export_options[0]),
    .options_size = sizeof(struct export_options),
    .run = run_export,
};
