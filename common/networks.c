/* Addresses and networks. */
#include <arpa/inet.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/networks.h"

#define NETWORKS_TEXT	64	/* bytes of an address as text */
#define NETWORKS_V4	96	/* bits before IPv4 within IPv6 */

struct network {
	unsigned char	 address[16];	/* v4 as v6 has it */
	unsigned	 bits;
};

struct networks {
	int		 local;		/* "unix" */
	size_t		 n;
	struct network	 list[];
};

/* Its bits that are not of the address family's own (0 or NETWORKS_V4), or -1. */
static int
networks_address(unsigned char dst[16], struct slice s)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	char			 text[NETWORKS_TEXT];

	if (s.len >= sizeof(text))
		return (-1);
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET6, text, dst) == 1)
		return (0);
	memcpy(dst, mapped, sizeof(mapped));
	return (inet_pton(AF_INET, text, dst + 12) == 1 ? NETWORKS_V4 : -1);
}

static int
networks_parse(struct network *net, struct slice word)
{
	const char	*slash = memchr(word.data, '/', word.len);
	struct slice	 address = word;
	uint64_t	 bits;
	int		 before;

	if (slash != NULL)
		address.len = (size_t)(slash - word.data);
	if ((before = networks_address(net->address, address)) == -1)
		return (-1);
	bits = 128 - (unsigned)before;
	if (slash != NULL && slice_u64(slice_of(slash + 1,
	    word.len - address.len - 1), bits, &bits) == -1)
		return (-1);
	net->bits = (unsigned)bits + (unsigned)before;
	return (0);
}

struct networks *
networks_new(const char *list)
{
	struct networks	*n;
	size_t		 most = strlen(list) / 2 + 1, len;

	n = calloc(1, sizeof(*n) + most * sizeof(n->list[0]));
	if (n == NULL)
		return (NULL);
	for (;; list += len) {
		list += strspn(list, " \t,");
		if ((len = strcspn(list, " \t,")) == 0)
			return (n);
		if (slice_is(slice_of(list, len), "unix"))
			n->local = 1;
		else if (networks_parse(&n->list[n->n++], slice_of(list, len)) ==
		    -1) {
			free(n);
			errno = EINVAL;
			return (NULL);
		}
	}
}

void
networks_free(struct networks *n)
{
	free(n);
}

/* Are the first bits of a and b the same? */
static int
networks_match(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	if (memcmp(a, b, bits / 8) != 0)
		return (0);
	return (bits % 8 == 0 ||
	    (a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8) == 0);
}

int
networks_have(const struct networks *n, struct slice peer)
{
	unsigned char	 address[16];
	const char	*end;

	if (n == NULL || peer.len == 0)
		return (0);
	if (peer.len >= 5 && memcmp(peer.data, "unix:", 5) == 0)
		return (n->local);
	if (peer.data[0] == '[') {
		if ((end = memchr(peer.data, ']', peer.len)) == NULL)
			return (0);
		peer.data++;
		peer.len--;
	} else
		end = memchr(peer.data, ':', peer.len);
	if (end != NULL)
		peer.len = (size_t)(end - peer.data);
	if (networks_address(address, peer) == -1)
		return (0);
	for (size_t i = 0; i < n->n; i++)
		if (networks_match(address, n->list[i].address,
		    n->list[i].bits))
			return (1);
	return (0);
}
