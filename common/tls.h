/*
 * TLS over a connected socket that does not block, as its client: OpenSSL.
 *
 * The other side must show a certificate that a known authority has signed and that
 * names the host.
 */
#ifndef COMMON_TLS_H
#define COMMON_TLS_H

#include <sys/types.h>

#include <stddef.h>

#include "common/tls_context.h"

struct tls;

/*
 * fd is borrowed and may still be connecting.  host is a name or an address.  The
 * files count as they are now.  NULL with a sentence in why.
 */
struct tls *tls_new(int fd, const struct tls_files *files, const char *host,
	    char *why, size_t size);
/* fd stays open.  NULL is nothing. */
void	 tls_free(struct tls *t);
/*
 * As recv(2) and send(2), and the handshake at first.  -1 with errno EAGAIN: when fd
 * is ready again; EPROTO: the end, and tls_why() says why; or another one.  A send
 * that met EAGAIN is repeated with the same bytes, and perhaps more.
 */
ssize_t	 tls_recv(struct tls *t, void *dst, size_t size);
ssize_t	 tls_send(struct tls *t, const void *src, size_t len);
/* After a send that met EAGAIN: has something to be received first? */
int	 tls_must_read(const struct tls *t);
/* Is there more to receive, of which fd knows nothing? */
int	 tls_pending(const struct tls *t);
int	 tls_up(const struct tls *t);	/* the handshake is done */
const char *tls_why(const struct tls *t);

#endif
