/* What TLS goes by, from files, as long as these are the same. */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/tls_context.h"

#define TLS_WATCHED	4	/* paths: see tls_watched() */
#define TLS_DIRECTORY	1	/* of them: the machine's authorities, a file each */

struct tls_stamp {		/* of a file, or a directory; zero: there is none */
	dev_t		 dev;
	ino_t		 ino;
	off_t		 size;
	struct timespec	 written, changed;
};

struct tls_kept {
	struct tls_kept	*next;
	char		*paths[TLS_WATCHED];
	struct tls_stamp stamps[TLS_WATCHED];	/* when ctx was made */
	SSL_CTX		*ctx;
};

/* As many as the configuration names different files. */
static struct tls_kept	*tls_all;

const char *
tls_reason(void)
{
	unsigned long	 err = ERR_get_error();
	const char	*text = ERR_reason_error_string(err);

	ERR_clear_error();
	if (ERR_SYSTEM_ERROR(err))
		return (strerror(ERR_GET_REASON(err)));
	return (text == NULL ? "unknown error" : text);
}

/* ---- reading ---- */

/* No passphrase is asked for: there is nobody at the terminal. */
static int
tls_passphrase_cb(char *dst, int size, int writing, void *arg)
{
	(void)dst, (void)size, (void)writing, (void)arg;
	return (0);
}

/* Something is wrong with a file: -1. */
static int
tls_file_fault(const char *what, const char *path, char *why, size_t size)
{
	snprintf(why, size, "%s %s: %s", what, path, tls_reason());
	return (-1);
}

/* What the files say: 0, or -1 with why. */
static int
tls_read_files(SSL_CTX *ctx, const struct tls_files *f, char *why, size_t size)
{
	if (f->ca == NULL && SSL_CTX_set_default_verify_paths(ctx) != 1)
		return (tls_file_fault("CA certificates", "of this machine", why,
		    size));
	if (f->ca != NULL && SSL_CTX_load_verify_file(ctx, f->ca) != 1)
		return (tls_file_fault("CA file", f->ca, why, size));
	if (f->cert != NULL &&
	    SSL_CTX_use_certificate_chain_file(ctx, f->cert) != 1)
		return (tls_file_fault("certificate file", f->cert, why, size));
	if (f->key != NULL && (SSL_CTX_use_PrivateKey_file(ctx, f->key,
	    SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ctx) != 1))
		return (tls_file_fault("key file", f->key, why, size));
	return (0);
}

/* A context anew, or NULL with why. */
static SSL_CTX *
tls_read(const struct tls_files *f, char *why, size_t size)
{
	SSL_CTX	*ctx;

	ERR_clear_error();
	if ((ctx = SSL_CTX_new(TLS_client_method())) == NULL) {
		snprintf(why, size, "TLS: %s", tls_reason());
		return (NULL);
	}
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_default_passwd_cb(ctx, tls_passphrase_cb);
	/* An end without farewell is an end: replies have lengths. */
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (tls_read_files(ctx, f, why, size) == -1) {
		SSL_CTX_free(ctx);
		return (NULL);
	}
	return (ctx);
}

/* ---- what was read ---- */

/* Where OpenSSL looks for authorities of the machine, if the environment says nothing else. */
static const char *
tls_machine(const char *variable, const char *otherwise)
{
	const char	*path = secure_getenv(variable);

	return (path != NULL ? path : otherwise);
}

/* The n-th path that the context depends on, or NULL. */
static const char *
tls_watched(const struct tls_files *f, int n)
{
	switch (n) {
	case 0:
		return (f->ca != NULL ? f->ca :
		    tls_machine(X509_get_default_cert_file_env(),
		    X509_get_default_cert_file()));
	case TLS_DIRECTORY:
		return (f->ca != NULL ? NULL :
		    tls_machine(X509_get_default_cert_dir_env(),
		    X509_get_default_cert_dir()));
	case 2:
		return (f->cert);
	default:
		return (f->key);
	}
}

static void
tls_stamp(struct tls_stamp *to, const char *path)
{
	struct stat	 st;

	memset(to, 0, sizeof(*to));
	if (path == NULL || stat(path, &st) == -1)
		return;
	to->dev = st.st_dev;
	to->ino = st.st_ino;
	to->size = st.st_size;
	to->written = st.st_mtim;
	to->changed = st.st_ctim;
}

static int
tls_same_time(const struct timespec *a, const struct timespec *b)
{
	return (a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec);
}

static int
tls_same(const struct tls_stamp *a, const struct tls_stamp *b)
{
	return (a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	    tls_same_time(&a->written, &b->written) &&
	    tls_same_time(&a->changed, &b->changed));
}

/* Is it of these files, as they are called? */
static int
tls_is_of(const struct tls_kept *k, const struct tls_files *f)
{
	const char	*path;

	for (int n = 0; n < TLS_WATCHED; n++) {
		path = tls_watched(f, n);
		if ((path == NULL) != (k->paths[n] == NULL) ||
		    (path != NULL && strcmp(path, k->paths[n]) != 0))
			return (0);
	}
	return (1);
}

static void
tls_kept_free(struct tls_kept *k)
{
	for (int n = 0; n < TLS_WATCHED; n++)
		free(k->paths[n]);
	free(k);
}

/* What is kept of these files, maybe nothing yet; NULL: no memory. */
static struct tls_kept *
tls_find(const struct tls_files *f)
{
	struct tls_kept	*k;
	const char	*path;

	for (k = tls_all; k != NULL; k = k->next)
		if (tls_is_of(k, f))
			return (k);
	if ((k = calloc(1, sizeof(*k))) == NULL)
		return (NULL);
	for (int n = 0; n < TLS_WATCHED; n++)
		if ((path = tls_watched(f, n)) != NULL &&
		    (k->paths[n] = strdup(path)) == NULL) {
			tls_kept_free(k);
			return (NULL);
		}
	k->next = tls_all;
	tls_all = k;
	return (k);
}

SSL_CTX *
tls_context(const struct tls_files *files, char *why, size_t size)
{
	struct tls_kept	*k = tls_find(files);
	struct tls_stamp now[TLS_WATCHED];
	SSL_CTX		*ctx;
	int		 same;

	if (k == NULL)
		return (tls_read(files, why, size));
	/* A list of directories is none that could be looked at. */
	same = k->ctx != NULL && (k->paths[TLS_DIRECTORY] == NULL ||
	    strchr(k->paths[TLS_DIRECTORY], ':') == NULL);
	/* Looked at before they are read: what changes meanwhile is read again. */
	for (int n = 0; n < TLS_WATCHED; n++) {
		tls_stamp(&now[n], k->paths[n]);
		same = same && tls_same(&now[n], &k->stamps[n]);
	}
	if (!same) {
		if ((ctx = tls_read(files, why, size)) == NULL)
			return (NULL);
		SSL_CTX_free(k->ctx);
		k->ctx = ctx;
		memcpy(k->stamps, now, sizeof(now));
	}
	SSL_CTX_up_ref(k->ctx);
	return (k->ctx);
}
