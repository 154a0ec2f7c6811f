/* How many connections each client address has. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>

#include "gatewayd/address.h"

#define ADDRESS_V6_BYTES	8	/* a /64 */

struct address {
	struct map_node	 by_bytes;
	struct map	*all;
	size_t		 count;
	char		 bytes[ADDRESS_V6_BYTES];
};

/* Its length, or 0: neither of IPv4 nor of IPv6. */
static size_t
address_parse(struct slice peer, char bytes[ADDRESS_V6_BYTES])
{
	char		 text[INET6_ADDRSTRLEN + 8], *end;	/* "[...]:65535" */
	struct in_addr	 v4;
	struct in6_addr	 v6;

	if (peer.len == 0 || peer.len >= sizeof(text))
		return (0);
	memcpy(text, peer.data, peer.len);
	text[peer.len] = '\0';
	if (text[0] == '[' && (end = strchr(text, ']')) != NULL) {
		*end = '\0';
		if (inet_pton(AF_INET6, text + 1, &v6) != 1)
			return (0);
		memcpy(bytes, &v6, ADDRESS_V6_BYTES);
		return (ADDRESS_V6_BYTES);
	}
	if ((end = strchr(text, ':')) == NULL)
		return (0);
	*end = '\0';
	if (inet_pton(AF_INET, text, &v4) != 1)
		return (0);
	memcpy(bytes, &v4, sizeof(v4));
	return (sizeof(v4));
}

struct address *
address_ref(struct map *addresses, struct slice peer)
{
	struct address	*a;
	struct map_node	*n;
	char		 bytes[ADDRESS_V6_BYTES];
	size_t		 len;

	if ((len = address_parse(peer, bytes)) == 0)
		return (NULL);
	if ((n = map_find(addresses, bytes, len)) != NULL) {
		a = container_of(n, struct address, by_bytes);
		a->count++;
		return (a);
	}
	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	memcpy(a->bytes, bytes, len);
	if (map_insert(addresses, &a->by_bytes, a->bytes, len) == -1) {
		free(a);
		return (NULL);
	}
	a->all = addresses;
	a->count = 1;
	return (a);
}

void
address_unref(struct address *a)
{
	if (a == NULL || --a->count > 0)
		return;
	map_remove(a->all, &a->by_bytes);
	free(a);
}

size_t
address_count(const struct address *a)
{
	return (a == NULL ? 0 : a->count);
}
