/*
 * The head that a proxy sends before a client's own bytes: HAProxy's PROXY
 * protocol, versions 1 (a line) and 2 (binary), as proxy-protocol.txt has them.
 */
#ifndef PROTO_PROXY_HEAD_H
#define PROTO_PROXY_HEAD_H

#include <stddef.h>

#define PROXY_LINE_MAX	107	/* of version 1, its CRLF included (2.1) */
#define PROXY_HEAD_MAX	4096	/* of version 2, extensions included */
#define PROXY_PEER_MAX	128	/* with its terminator */

enum proxy_verdict {
	PROXY_MORE,		/* a beginning of a head; read on */
	PROXY_DONE,
	PROXY_BAD		/* not a head, or one above the limits */
};

struct proxy_head {
	size_t		 len;	/* bytes of the head; the client's own follow */
	/* The client: "1.2.3.4:5", "[::1]:5", "unix:/path"; "": the proxy speaks
	 * for itself (LOCAL, UNKNOWN, UNSPEC), its own address stands. */
	char		 peer[PROXY_PEER_MAX];
	int		 tls;	/* the client came to the proxy over TLS (2.2.6) */
	const char	*why;	/* PROXY_BAD: a sentence */
};

/*
 * Read the head at data[0..len), all that came so far.  Keeps nothing: called
 * again with more bytes after PROXY_MORE.  Never reads beyond PROXY_HEAD_MAX.
 */
enum proxy_verdict proxy_head(const char *data, size_t len,
	    struct proxy_head *h);

#endif
