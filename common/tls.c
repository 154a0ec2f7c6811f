/* TLS over a connected socket, as its client. */
#include <sys/socket.h>

#include <arpa/inet.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/tls.h"

struct tls {
	SSL_CTX	*ctx;
	SSL	*ssl;
	int	 must_read;
	char	 host[256];	/* that the other side must be */
	char	 why[256];
};

/* No passphrase is asked for: there is nobody at the terminal. */
static int
tls_passphrase_cb(char *dst, int size, int writing, void *arg)
{
	(void)dst, (void)size, (void)writing, (void)arg;
	return (0);
}

/* What OpenSSL found wrong first, in words; its list is empty then. */
static const char *
tls_reason(void)
{
	unsigned long	 err = ERR_get_error();
	const char	*text = ERR_reason_error_string(err);

	ERR_clear_error();
	if (ERR_SYSTEM_ERROR(err))
		return (strerror(ERR_GET_REASON(err)));
	return (text == NULL ? "unknown error" : text);
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

/* Whom the certificate must name; and tell a host with many names which one we mean.
 * 0, or -1. */
static int
tls_expect(struct tls *t)
{
	SSL		*ssl = t->ssl;
	char		*host = t->host;
	unsigned char	 addr[16];

	if (inet_pton(AF_INET, host, addr) == 1 ||
	    inet_pton(AF_INET6, host, addr) == 1)
		return (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl),
		    host) == 1 ? 0 : -1);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return (SSL_set1_host(ssl, host) == 1 &&
	    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME,
	    TLSEXT_NAMETYPE_host_name, host) == 1 ? 0 : -1);
}

struct tls *
tls_new(int fd, const struct tls_files *files, const char *host, char *why,
    size_t size)
{
	struct tls	*t;

	ERR_clear_error();
	if ((t = calloc(1, sizeof(*t))) == NULL ||
	    (t->ctx = SSL_CTX_new(TLS_client_method())) == NULL)
		goto no_memory;
	snprintf(t->host, sizeof(t->host), "%s", host);
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_default_passwd_cb(t->ctx, tls_passphrase_cb);
	/* An end without farewell is an end: replies have lengths. */
	SSL_CTX_set_options(t->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (tls_read_files(t->ctx, files, why, size) == -1) {
		tls_free(t);
		return (NULL);
	}
	if ((t->ssl = SSL_new(t->ctx)) == NULL || tls_expect(t) == -1 ||
	    SSL_set_fd(t->ssl, fd) != 1)
		goto no_memory;
	SSL_set_connect_state(t->ssl);
	return (t);
no_memory:
	snprintf(why, size, "TLS: %s", tls_reason());
	tls_free(t);
	return (NULL);
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	SSL_CTX_free(t->ctx);
	free(t);
}

/* A sentence for what has ended the conversation. */
static void
tls_explain(struct tls *t)
{
	unsigned long	 err = ERR_peek_error();
	long		 verdict = SSL_get_verify_result(t->ssl);

	if (ERR_GET_LIB(err) == ERR_LIB_SSL &&
	    ERR_GET_REASON(err) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		snprintf(t->why, sizeof(t->why), "TLS: the server's certificate "
		    "is not accepted: %s",
		    X509_verify_cert_error_string(verdict));
	else if (ERR_GET_LIB(err) == ERR_LIB_SSL &&
	    ERR_GET_REASON(err) == SSL_R_WRONG_VERSION_NUMBER)
		snprintf(t->why, sizeof(t->why), "TLS: the server does not speak "
		    "TLS here");
	else
		snprintf(t->why, sizeof(t->why), "TLS: %s",
		    ERR_reason_error_string(err) == NULL ? "unknown error" :
		    ERR_reason_error_string(err));
	ERR_clear_error();
}

/* What a call has brought: ret, or -1 with errno. */
static ssize_t
tls_outcome(struct tls *t, int ret)
{
	int	 sys = errno, err = SSL_get_error(t->ssl, ret);

	t->must_read = err == SSL_ERROR_WANT_READ;
	switch (err) {
	case SSL_ERROR_NONE:
		return (ret);
	case SSL_ERROR_ZERO_RETURN:
		return (0);
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return (-1);
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		if (sys == 0)
			return (0);	/* the end */
		errno = sys;
		return (-1);
	default:
		tls_explain(t);
		errno = EPROTO;
		return (-1);
	}
}

ssize_t
tls_recv(struct tls *t, void *dst, size_t size)
{
	ERR_clear_error();
	errno = 0;
	return (tls_outcome(t, SSL_read(t->ssl, dst, size > INT_MAX ? INT_MAX :
	    (int)size)));
}

ssize_t
tls_send(struct tls *t, const void *src, size_t len)
{
	ssize_t	 n;

	ERR_clear_error();
	errno = 0;
	n = tls_outcome(t, SSL_write(t->ssl, src, len > INT_MAX ? INT_MAX :
	    (int)len));
	if (n == 0) {
		errno = ECONNRESET;
		return (-1);
	}
	return (n);
}

int
tls_must_read(const struct tls *t)
{
	return (t->must_read);
}

int
tls_pending(const struct tls *t)
{
	return (SSL_pending(t->ssl) > 0);
}

int
tls_up(const struct tls *t)
{
	return (SSL_is_init_finished(t->ssl));
}

const char *
tls_why(const struct tls *t)
{
	return (t->why);
}
