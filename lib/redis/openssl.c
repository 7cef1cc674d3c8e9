/* SPDX-License-Identifier: MIT */
/*
 * Loads OpenSSL when it is needed. libevent's library for TLS brings those of
 * OpenSSL that it was built with, so all functions are found through it.
 */
#include "redis/openssl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "util/err.h"

/* TLS_LIBRARY: the name that a linker would note (Makefile). */
#include "tls_library.h"

struct openssl openssl;

static const struct {
	const char *name;
	size_t offset; /* of the member */
} openssl_functions[] = {
#define X(name) {#name, offsetof(struct openssl, name)},
    OPENSSL_FUNCTIONS(X)
#undef X
};
#define N_FUNCTIONS (sizeof(openssl_functions) / sizeof(openssl_functions[0]))

static pthread_mutex_t openssl_lock = PTHREAD_MUTEX_INITIALIZER;
static bool openssl_loaded;

/* Lock held. Not found at first, it may have been installed since. */
static int
openssl_find(struct err *err)
{
	void *library, *function;
	size_t i;

	/* RTLD_NOW: what does not fit shows here, with its name. */
	library = dlopen(TLS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	for (i = 0; library != NULL && i < N_FUNCTIONS; i++) {
		function = dlsym(library, openssl_functions[i].name);
		if (function == NULL)
			break;
		*(void **)((char *)&openssl + openssl_functions[i].offset) =
		    function;
	}
	if (library != NULL && i == N_FUNCTIONS)
		return 0;
	err_set(err, ERR_CONFIG,
		"cannot load the library for TLS (is it installed?): %s",
		dlerror());
	if (library != NULL)
		dlclose(library);
	return -1;
}

int
openssl_load(struct err *err)
{
	int result = 0;

	pthread_mutex_lock(&openssl_lock);
	if (!openssl_loaded && (result = openssl_find(err)) == 0)
		openssl_loaded = true;
	pthread_mutex_unlock(&openssl_lock);
	return result;
}
