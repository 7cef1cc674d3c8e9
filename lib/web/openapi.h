/* SPDX-License-Identifier: MIT */
/* The description of the API, made of the tables of routes. */
#ifndef WEB_OPENAPI_H
#define WEB_OPENAPI_H

#include <jansson.h>

struct web_route;

/* An OpenAPI 3.1 document of all routes; NULL: no memory. */
json_t *openapi_make(const struct web_route *const *tables, const char *prefix);

#endif
