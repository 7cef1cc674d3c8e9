/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with the files of TLS. libmicrohttpd only says that it does not
 * start; here each of them is tried by itself, as libmicrohttpd would use it.
 */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

#include "http/http.h"
#include "util/err.h"

static gnutls_datum_t
tls_datum(const char *pem)
{
	return (gnutls_datum_t){.data = (void *)pem,
				.size = (unsigned int)strlen(pem)};
}

/* Whether `pem` holds certificates; a negative code of GnuTLS if not. Whether they
 * are still good is for the peers to judge, who know the time better. */
static int
tls_try_certificates(const char *pem)
{
	const gnutls_datum_t datum = tls_datum(pem);
	gnutls_x509_crt_t *list = NULL;
	unsigned int i, n = 0;
	int rc = gnutls_x509_crt_list_import2(&list, &n, &datum,
					      GNUTLS_X509_FMT_PEM, 0);

	for (i = 0; rc >= 0 && i < n; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
	return rc;
}

/* The kinds that GnuTLS reads: PKCS #1, #8 and SEC1. An encrypted one would need
 * somebody to type its password at each start. */
static int
tls_try_key(const char *pem)
{
	const gnutls_datum_t datum = tls_datum(pem);
	gnutls_x509_privkey_t key;
	int rc = gnutls_x509_privkey_init(&key);

	if (rc < 0)
		return rc;
	rc = gnutls_x509_privkey_import2(key, &datum, GNUTLS_X509_FMT_PEM, NULL,
					 0);
	gnutls_x509_privkey_deinit(key);
	return rc;
}

/* Whether the key is that of the first certificate. The others are its chain. */
static int
tls_try_pair(const struct http_tls *tls)
{
	const gnutls_datum_t cert = tls_datum(tls->certificates);
	const gnutls_datum_t key = tls_datum(tls->key);
	gnutls_certificate_credentials_t both;
	int rc = gnutls_certificate_allocate_credentials(&both);

	if (rc < 0)
		return rc;
	rc = gnutls_certificate_set_x509_key_mem(both, &cert, &key,
						 GNUTLS_X509_FMT_PEM);
	gnutls_certificate_free_credentials(both);
	return rc;
}

static int
tls_bad(struct err *err, const char *what, int rc)
{
	return err_set(err, ERR_CONFIG, "%s (%s)", what, gnutls_strerror(rc));
}

/* A pair that does not match is blamed on the key: a renewal replaces the
 * certificate, and may forget the key. */
int
http_tls_check(const struct http_tls *tls, enum http_tls_part *ret_bad,
	       struct err *err)
{
	int rc;

	if ((rc = tls_try_certificates(tls->certificates)) < 0) {
		*ret_bad = HTTP_TLS_CERTIFICATES;
		return tls_bad(err, "no certificates in PEM", rc);
	}
	if ((rc = tls_try_key(tls->key)) < 0) {
		*ret_bad = HTTP_TLS_KEY;
		return tls_bad(err, "no private key in PEM, without a password",
			       rc);
	}
	if ((rc = tls_try_pair(tls)) < 0) {
		*ret_bad = HTTP_TLS_KEY;
		return tls_bad(err, "not the key of the certificate", rc);
	}
	if (tls->client_ca != NULL &&
	    (rc = tls_try_certificates(tls->client_ca)) < 0) {
		*ret_bad = HTTP_TLS_CLIENT_CA;
		return tls_bad(err, "no certificates in PEM", rc);
	}
	return 0;
}
