/* SPDX-License-Identifier: MIT */
/* Masks: what is hidden from viewers, in texts and in answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/desk.h"
#include "web/mask.h"

/* --- masks ------------------------------------------------------------------ */

static const struct {
	const char *text, *masked;
} texts[] = {
    {"nothing to hide", "nothing to hide"},
    {"password=sesame", "password=•••"},
    {"PASSWORD: sesame next", "PASSWORD: ••• next"},
    {"{\"password\": \"a\\\"b\", \"x\": 1}", "{\"password\": •••, \"x\": 1}"},
    {"{\\\"password\\\": \\\"sesame\\\"}", "{\\\"password\\\": •••}"},
    {"my_secret_key='x y' z", "my_secret_key=••• z"},
    {"https://h/?password=sesame&x=1", "https://h/?password=•••&x=1"},
    {"the password is long", "the password is long"},
    {"passwords=x", "passwords=x"},
    {"password=", "password="},
    {"password", "password"},
    {"password=\"open", "password=•••"},
    {"", ""},
    /* Commands, paths of names, Python, headers, text within text. */
    {"run --password=sesame x", "run --password=••• x"},
    {"run --password sesame x", "run --password ••• x"},
    {"run --password --x", "run --password --x"},
    {"db.password: sesame", "db.password: •••"},
    {"--db.password=sesame", "--db.password=•••"},
    {"{'password': b'a b', 'x': 1}", "{'password': •••, 'x': 1}"},
    {"d['password'] = 'a b'", "d['password'] = •••"},
    {"password => a b", "password => ••• b"},
    {"{\"a_secret\": [\"a\", \"b]\"], \"x\": 1}",
     "{\"a_secret\": •••, \"x\": 1}"},
    {"secret={'a': {'b': 1}} x", "secret=••• x"},
    {"{\\\"password\\\": \\\"a\\\\\\\"b\\\", x}", "{\\\"password\\\": •••, x}"},
    {"x-secret: Bearer abc.def x", "x-secret: ••• x"},
    {"secret: Digest a=b, c x", "secret: •••, c x"},
    {"secret=[open", "secret=•••"},
};

START_TEST(a_text_is_masked_behind_the_names_that_are_hidden)
{
	struct err err;
	struct web_mask *mask = mask_new("password, *secret*", &err);
	struct buf out = BUF_INIT;

	mask_text(mask, texts[_i].text, &out);
	ck_assert_str_eq(out.data != NULL ? out.data : "", texts[_i].masked);
	buf_done(&out);
	mask_free(mask);
}
END_TEST

START_TEST(a_value_behind_an_option_and_bytes_in_base64_are_masked)
{
	struct err err;
	struct web_mask *mask = mask_new("password", &err);
	json_t *value = json_loads(
	    "{\"args\":[\"--password\",\"x\",\"y\"],\"bytes_base64\":\"cA==\","
	    "\"twice\":[\"--password\",\"--password\",\"z\"]}",
	    0, NULL);
	json_t *wanted = json_loads("{\"args\":[\"--password\",\"•••\",\"y\"],"
				    "\"bytes_base64\":\"•••\",\"twice\":["
				    "\"--password\",\"•••\",\"z\"]}",
				    0, NULL);

	mask_json(mask, value);
	ck_assert(json_equal(value, wanted));
	json_decref(value);
	json_decref(wanted);
	mask_free(mask);
}
END_TEST

/* A pattern may be of any length that a name can have. */
START_TEST(the_longest_name_is_hidden_as_a_short_one_is)
{
	struct err err;
	struct web_mask *mask = mask_new("*secret", &err);
	struct buf out = BUF_INIT;
	char text[300];

	snprintf(text, sizeof(text), "%0249dsecret=sesame", 0);
	mask_text(mask, text, &out);
	ck_assert_ptr_null(strstr(out.data, "sesame"));
	buf_done(&out);
	mask_free(mask);
}
END_TEST

START_TEST(members_are_masked_at_any_depth_and_in_any_type)
{
	struct err err;
	struct web_mask *mask = mask_new("password *secret*", &err);
	json_t *value = json_loads(
	    "{\"args\":[{\"Password\":\"x\",\"deep\":[[{\"a_secret\":{\"y\":1}}"
	    "]]"
	    "}],\"error\":\"password=x\",\"n\":1,\"list\":[\"password: x\"]}",
	    0, NULL);
	json_t *wanted = json_loads("{\"args\":[{\"Password\":\"•••\",\"deep\":"
				    "[[{\"a_secret\":\"•••\"}]]"
				    "}],\"error\":\"password=•••\",\"n\":1,"
				    "\"list\":[\"password: •••\"]}",
				    0, NULL);

	mask_json(mask, value);
	ck_assert(json_equal(value, wanted));
	mask_free(mask);
	/* Nothing is hidden by nothing. */
	mask = mask_new("", &err);
	json_decref(value);
	value = json_loads("{\"password\":\"x\"}", 0, NULL);
	mask_json(mask, value);
	ck_assert_str_eq(json_string_value(json_object_get(value, "password")),
			 "x");
	json_decref(value);
	json_decref(wanted);
	mask_free(mask);
}
END_TEST

/* --- routes and files --------------------------------------------------------------
 */

START_TEST(viewers_see_masked_answers_and_operators_see_all)
{
	static const char *const hide[] = {"web.hide=password", NULL};
	struct desk *d = desk_open_with(DESK_SQLITE, hide);
	char *id = desk_submit(d, "add", "[{\"password\":\"sesame\"}]", "io");
	char target[80];

	snprintf(target, sizeof(target), "/api/v1/tasks/%s", id);
	desk_get(d, target);
	ck_assert_ptr_nonnull(strstr(d->bytes.data, "sesame"));
	d->who.role = WEB_VIEWER;
	desk_get(d, target);
	ck_assert_ptr_null(strstr(d->bytes.data, "sesame"));
	ck_assert_ptr_nonnull(strstr(d->bytes.data, "•••"));
	free(id);
	desk_close(d);
}
END_TEST

#define N(table) (sizeof(table) / sizeof((table)[0]))

SUITE("web-mask")
{
	TEST_LOOP(a_text_is_masked_behind_the_names_that_are_hidden, 0,
		  N(texts));
	TEST(a_value_behind_an_option_and_bytes_in_base64_are_masked);
	TEST(the_longest_name_is_hidden_as_a_short_one_is);
	TEST(members_are_masked_at_any_depth_and_in_any_type);
	TEST(viewers_see_masked_answers_and_operators_see_all);
}
