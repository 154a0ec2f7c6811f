/*
 * What TLS goes by: authorities, and a certificate of our own.  Files are read when they are
 * first asked for, and again when one of them is another one by then: those of a machine
 * have some hundred certificates, which take tens of milliseconds, and a server that is not
 * accepted is tried again and again.
 */
#ifndef COMMON_TLS_CONTEXT_H
#define COMMON_TLS_CONTEXT_H

#include <stddef.h>

struct ssl_ctx_st;			/* OpenSSL's SSL_CTX */

struct tls_files {			/* PEM; NULL: none */
	const char	*ca;		/* authorities; NULL: those of the machine */
	const char	*cert, *key;	/* ours, both or neither */
};

/*
 * The context of these files, whose paths are borrowed for the call; the caller has a
 * reference, for SSL_CTX_free().  NULL with a sentence in why: what cannot be read is tried
 * anew each time.  By one thread only.
 */
struct ssl_ctx_st *tls_context(const struct tls_files *files, char *why,
	    size_t size);
/* What OpenSSL found wrong first, in words; its list is empty then. */
const char *tls_reason(void);

#endif
