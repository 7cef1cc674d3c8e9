/* SPDX-License-Identifier: MIT */
#include "util/argv_guard.h"

#include <stdlib.h>

#include "suite.h"
#include "util/argv_template.h"
#include "util/err.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* The worst of all words, as an initial: none, option, code, script. */
static const struct {
	const char *command;
	char worst;
	const char *program; /* NULL: not asked for */
} commands[] = {
    {"echo fixed -x", 'n', NULL},
    {"echo {0}", 'o', "echo"},
    {"/usr/bin/psql -qc 'VACUUM ANALYZE' {database}", 'o', "psql"},
    {"psql -qc 'VACUUM ANALYZE' -- {database}", 'n', NULL},
    {"cp -t /srv -- {0} {1}", 'n', NULL},
    {"cp {0} -- {1}", 'o', "cp"},
    {"tool --to {0} -- x", 'o', "tool"},
    {"tool --to={0} +{1} x{2}", 'n', NULL},
    {"printf %s {0}", 'o', "printf"},
    /* What a program runs. */
    {"sh -c \"rm {0}\"", 's', NULL},
    {"find . -exec sh -c \"rm {0}\" sh", 's', NULL},
    {"sh -c 'rm \"$1\"' sh {0}", 'n', NULL},
    {"sudo -u x bash -ec 'rm \"$1\"' sh {0} {1}", 'n', NULL},
    {"sh script {0}", 'o', "sh"},
    {"python3 -c 'import x' {0}", 'n', NULL},
    {"python3 -c \"f({0})\"", 'c', "python3"},
    {"python3 script.py {0}", 'o', "python3"},
    {"/usr/bin/python3.11 -c \"f({0})\"", 'c', "python3.11"},
    {"php8.2 -r \"f({0});\"", 'c', "php8.2"},
    {"lua5.4 -e {0}", 'c', "lua5.4"},
    {"bash5 -c \"rm {0}\"", 's', NULL},
    {"7 -c {0}", 'o', "7"},
    {"perl -ne \"print if /{0}/\" -- file", 'c', "perl"},
    {"perl -e 'x' {0}", 'o', "perl"},
    {"ruby -e {0}", 'c', "ruby"},
    {"node --eval={0}", 'c', "node"},
    {"psql -c \"VACUUM {0}\" -- db", 'c', "psql"},
    {"psql -qc \"VACUUM {0}\" -- db", 'c', "psql"},
    {"psql --command=\"VACUUM {0}\" -- db", 'c', "psql"},
    {"psql --command \"VACUUM {0}\" -- db", 'c', "psql"},
    {"psql -v name={0} -f script -- db", 'n', NULL},
    {"mysql -e \"DROP TABLE {0}\" db", 'c', "mysql"},
    {"sqlite3 -- /srv/x.db \"DELETE FROM {0}\"", 'c', "sqlite3"},
    {"awk -F: {0}", 'c', "awk"},
    {"awk -F : \"/{0}/\" file", 'c', "awk"},
    {"awk -F : 1 -- {0}", 'n', NULL},
    {"awk -v x={0} -f script -- {1}", 'n', NULL},
    {"sed -n \"s/a/{0}/\" -- file", 'c', "sed"},
    {"sed -n -e p {0}", 'o', "sed"},
    {"sed -n -e p -- {0}", 'n', NULL},
    {"sed -ne \"s/a/{0}/\" -- file", 'c', "sed"},
    {"jq \".{0}\" file", 'c', "jq"},
    {"ssh -p 22 host rm -- {0}", 'c', "ssh"},
    {"ssh -p 22 {0}", 'o', "ssh"},
    {"ssh -o {0} host", 'c', "ssh"},
    {"find {0} -delete", 'o', "find"},
    {"find . -exec {0} ';'", 'c', "find"},
    {"git -c {0} status", 'c', "git"},
    {"git log {0}", 'o', "git"},
    {"git clone -- {0}", 'n', NULL},
    {"tar -cf x.tar {0}", 'o', "tar"},
    {"tar --to-command={0} -xf x.tar", 'c', "tar"},
    {"rsync -e {0} a b", 'c', "rsync"},
    {"rsync -a {0} /srv", 'o', "rsync"},
    {"curl {0}", 'o', "curl"},
    {"curl -sK {0}", 'c', "curl"},
    {"make -C /srv -- {0}", 'c', "make"},
    {"su -c {0} user", 'c', "su"},
    /* What runs another program. */
    {"sudo -u x -- {0}", 'c', "sudo"},
    {"env A=1 {0}", 'c', "env"},
    {"env A={0} true", 'n', NULL},
    {"xargs -n 1 {0}", 'c', "xargs"},
    {"timeout -k 1 5 {0}", 'c', "timeout"},
    {"timeout {0} true", 'o', "timeout"},
    {"sudo -- rm {0}", 'o', "sudo"},
    {"sudo -- rm -- {0}", 'n', NULL},
    {"sudo rm -r -- a {0}", 'n', NULL},
    {"sudo -u x nice -n 5 psql -c {0}", 'c', "psql"},
    {"timeout 5 psql -c X {0}", 'o', "psql"},
    {"timeout 5 psql -c X -- {0}", 'n', NULL},
};

START_TEST(the_risk_of_a_place_is_known)
{
	static const char initials[] = {[ARGV_RISK_NONE] = 'n',
					[ARGV_RISK_OPTION] = 'o',
					[ARGV_RISK_CODE] = 'c',
					[ARGV_RISK_SCRIPT] = 's'};
	const char *command = commands[_i].command;
	struct err err = ERR_INIT;
	struct argv_template *t = argv_template_parse(command, &err);
	enum argv_risk risk, worst = ARGV_RISK_NONE;
	size_t i, at = 0;

	ck_assert_msg(t != NULL, "%s: %s", command, err.msg);
	for (i = 0; i < argv_template_count(t); i++)
		if ((risk = argv_guard_risk(t, i)) > worst) {
			worst = risk;
			at = i;
		}
	ck_assert_msg(initials[worst] == commands[_i].worst, "%s: %c", command,
		      initials[worst]);
	if (commands[_i].program != NULL)
		ck_assert_str_eq(argv_guard_program(t, at),
				 commands[_i].program);
	argv_template_free(t);
}
END_TEST

static const struct {
	const char *value;
	bool option;
} values[] = {
    {"", false},      {"-", false},	 {"x", false},	   {"1", false},
    {"-1", false},    {"-0.50", false},	 {"-.5", false},   {"-1.", false},
    {"-1e-5", false}, {"-2E+10", false}, {"--", true},	   {"-x", true},
    {"--x", true},    {"-.", true},	 {"-e5", true},	   {"-1x", true},
    {"-1e", true},    {"-1e+", true},	 {"-1 ", true},	   {"-inf", true},
    {"- item", true}, {"-0x10", true},	 {"-1.5.2", true},
};

START_TEST(numbers_are_no_options)
{
	ck_assert_msg(argv_guard_is_option(values[_i].value) ==
			  values[_i].option,
		      "\"%s\"", values[_i].value);
}
END_TEST

SUITE("argv_guard")
{
	TEST_LOOP(the_risk_of_a_place_is_known, 0, N(commands));
	TEST_LOOP(numbers_are_no_options, 0, N(values));
}
