/* SPDX-License-Identifier: MIT */
/* The table of the statements, and the description that has it. */
#include "store/sqlite/statements.h"

#include "sqlite/description.h"
#include "store/sqlite/schema.h"

static const struct statement statements[SQL_COUNT] = {
#define STATEMENT(name, parameters, sql) [SQL_##name] = {parameters, sql},
#include "store/sqlite/statements.def"
#undef STATEMENT
};

const struct description statements_description = {
    .statements = statements,
    .n_statements = SQL_COUNT,
    .prepare = schema_prepare,
};
