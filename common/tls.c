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
	SSL	*ssl;
	int	 must_read;
	char	 host[256];	/* that the other side must be */
	char	 why[256];
};

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
	SSL_CTX		*ctx;

	if ((ctx = tls_context(files, why, size)) == NULL)
		return (NULL);
	ERR_clear_error();
	if ((t = calloc(1, sizeof(*t))) != NULL)
		t->ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);		/* the connection has its own reference */
	if (t == NULL || t->ssl == NULL)
		goto no_memory;
	snprintf(t->host, sizeof(t->host), "%s", host);
	if (tls_expect(t) == -1 || SSL_set_fd(t->ssl, fd) != 1)
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
