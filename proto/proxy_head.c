/* The PROXY protocol's head: bytes to a client's address. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "proto/proxy_head.h"

#define V2_HEAD		16	/* signature, version, family, length (2.2) */
#define V2_UNIX_PATH	108	/* bytes of each of its two addresses */
#define TLV_HEAD	3	/* type, length (2.2) */
#define TLV_SSL		0x20	/* PP2_TYPE_SSL (2.2.6) */
#define SSL_CLIENT	0x01	/* PP2_CLIENT_SSL */

static const char	 v1_begin[] = "PROXY ";
static const char	 v2_begin[] = "\r\n\r\n\0\r\nQUIT\n";

static enum proxy_verdict	 proxy_line(const char *, size_t,
				    struct proxy_head *);
static enum proxy_verdict	 proxy_binary(const uint8_t *, size_t,
				    struct proxy_head *);

/* Note why the head is refused. */
static enum proxy_verdict
proxy_bad(struct proxy_head *h, const char *why)
{
	h->why = why;
	return (PROXY_BAD);
}

/* Does data begin as text does, as far as data goes? */
static int
proxy_begins(const char *data, size_t len, const char *text, size_t n)
{
	return (memcmp(data, text, len < n ? len : n) == 0);
}

enum proxy_verdict
proxy_head(const char *data, size_t len, struct proxy_head *h)
{
	memset(h, 0, sizeof(*h));
	if (len == 0)
		return (PROXY_MORE);
	if (proxy_begins(data, len, v1_begin, sizeof(v1_begin) - 1))
		return (proxy_line(data, len, h));
	if (proxy_begins(data, len, v2_begin, sizeof(v2_begin) - 1))
		return (proxy_binary((const uint8_t *)data, len, h));
	return (proxy_bad(h, "no PROXY protocol head"));
}

/* The next word of a line of words with one blank between them. */
static struct slice
proxy_word(struct slice *line)
{
	const char	*blank = memchr(line->data, ' ', line->len);
	size_t		 n = blank == NULL ? line->len :
			    (size_t)(blank - line->data);
	struct slice	 word = slice_of(line->data, n);

	if (blank != NULL)
		n++;
	*line = slice_of(line->data + n, line->len - n);
	return (word);
}

/* An address of family as text, into its bytes: 0, or -1. */
static int
proxy_address(int family, struct slice word, void *bytes)
{
	char	 text[INET6_ADDRSTRLEN];

	if (word.len == 0 || word.len >= sizeof(text) ||
	    memchr(word.data, '\0', word.len) != NULL)
		return (-1);
	memcpy(text, word.data, word.len);
	text[word.len] = '\0';
	return (inet_pton(family, text, bytes) == 1 ? 0 : -1);
}

/* A port, 0 to 65535, without leading zeros: 0, or -1. */
static int
proxy_port(struct slice word, uint64_t *port)
{
	if (word.len > 1 && *word.data == '0')
		return (-1);
	return (slice_u64(word, 65535, port));
}

/* The client's address and port as text, as accept() would have given it. */
static void
proxy_peer(struct proxy_head *h, int family, const void *bytes, unsigned port)
{
	const struct in6_addr	*in6 = bytes;
	char			 text[INET6_ADDRSTRLEN];

	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(in6)) {
		family = AF_INET;
		bytes = in6->s6_addr + 12;
	}
	inet_ntop(family, bytes, text, sizeof(text));
	snprintf(h->peer, sizeof(h->peer), family == AF_INET ? "%s:%u" :
	    "[%s]:%u", text, port);
}

/* Version 1: "PROXY TCP4 source destination port port" CRLF. */
static enum proxy_verdict
proxy_line(const char *data, size_t len, struct proxy_head *h)
{
	const char	*end;
	struct slice	 line, family, source, destination, from, to;
	struct in6_addr	 bytes, ignored;
	uint64_t	 port, ignored_port;
	int		 af;

	end = memchr(data, '\n', len < PROXY_LINE_MAX ? len : PROXY_LINE_MAX);
	if (end == NULL)
		return (len < PROXY_LINE_MAX ? PROXY_MORE :
		    proxy_bad(h, "its line is longer than 107 bytes"));
	if (end < data + sizeof(v1_begin) || end[-1] != '\r')
		return (proxy_bad(h, "its line does not end in CRLF"));
	h->len = (size_t)(end + 1 - data);
	line = slice_of(data + sizeof(v1_begin) - 1,
	    h->len - 2 - (sizeof(v1_begin) - 1));
	family = proxy_word(&line);
	if (slice_is(family, "UNKNOWN"))
		return (PROXY_DONE);	/* the rest is to be ignored (2.1) */
	if (slice_is(family, "TCP4"))
		af = AF_INET;
	else if (slice_is(family, "TCP6"))
		af = AF_INET6;
	else
		return (proxy_bad(h, "its family is unknown"));
	source = proxy_word(&line);
	destination = proxy_word(&line);
	from = proxy_word(&line);
	to = line;
	if (proxy_address(af, source, &bytes) == -1 ||
	    proxy_address(af, destination, &ignored) == -1)
		return (proxy_bad(h, "an address of its line is not valid"));
	if (proxy_port(from, &port) == -1 ||
	    proxy_port(to, &ignored_port) == -1)
		return (proxy_bad(h, "a port of its line is not valid"));
	proxy_peer(h, af, &bytes, (unsigned)port);
	return (PROXY_DONE);
}

/* Look through the extensions of version 2 for what they say of TLS. */
static enum proxy_verdict
proxy_extensions(const uint8_t *p, size_t len, struct proxy_head *h)
{
	size_t	 n;

	while (len > 0) {
		if (len < TLV_HEAD)
			return (proxy_bad(h, "an extension is cut"));
		n = bytes_get_be16(p + 1);
		if (n > len - TLV_HEAD)
			return (proxy_bad(h, "an extension is cut"));
		if (*p == TLV_SSL && n > 0 && (p[TLV_HEAD] & SSL_CLIENT))
			h->tls = 1;
		p += TLV_HEAD + n;
		len -= TLV_HEAD + n;
	}
	return (PROXY_DONE);
}

/* Version 2: V2_HEAD bytes, two addresses, extensions. */
static enum proxy_verdict
proxy_binary(const uint8_t *p, size_t len, struct proxy_head *h)
{
	static const struct {
		uint8_t	 family;	/* and transport */
		int	 af;
		size_t	 size;		/* of the addresses */
	} rows[] = {
		{ 0x00, AF_UNSPEC, 0 },
		{ 0x11, AF_INET, 12 },
		{ 0x21, AF_INET6, 36 },
		{ 0x31, AF_UNIX, 2 * V2_UNIX_PATH },
	};
	size_t	 size, i;
	int	 path = 0;

	if (len < V2_HEAD)
		return (PROXY_MORE);
	if (p[12] != 0x20 && p[12] != 0x21)
		return (proxy_bad(h, "its version or command is unknown"));
	size = bytes_get_be16(p + 14);
	if (size > PROXY_HEAD_MAX - V2_HEAD)
		return (proxy_bad(h, "it is longer than 4096 bytes"));
	if (len < V2_HEAD + size)
		return (PROXY_MORE);
	h->len = V2_HEAD + size;
	if (p[12] == 0x20)		/* LOCAL: the rest is to be skipped */
		return (PROXY_DONE);
	for (i = 0; i < nitems(rows) && rows[i].family != p[13]; i++)
		;
	if (i == nitems(rows))
		return (proxy_bad(h, "its family or transport is not known"));
	if (size < rows[i].size)
		return (proxy_bad(h, "it is too short for its addresses"));
	p += V2_HEAD;
	switch (rows[i].af) {
	case AF_INET:
		proxy_peer(h, AF_INET, p, bytes_get_be16(p + 8));
		break;
	case AF_INET6:
		proxy_peer(h, AF_INET6, p, bytes_get_be16(p + 32));
		break;
	case AF_UNIX:
		/* An unnamed one has none, and an abstract one none to show. */
		while (path < V2_UNIX_PATH && p[path] > ' ' && p[path] < 0x7f)
			path++;
		snprintf(h->peer, sizeof(h->peer), "unix:%.*s", path,
		    (const char *)p);
		break;
	}
	return (proxy_extensions(p + rows[i].size, size - rows[i].size, h));
}
