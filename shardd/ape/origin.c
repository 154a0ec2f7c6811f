/* From which page a request comes, and whether that one may. */
#include <arpa/inet.h>

#include <string.h>

#include "common/bytes.h"
#include "shardd/ape/origin.h"

/* The host in host[:port], without brackets. */
static struct slice
origin_host(const char *s)
{
	if (*s == '[')
		return (slice_of(s + 1, strcspn(s + 1, "]")));
	return (slice_of(s, strcspn(s, ":/")));
}

/* Is it an address, and not a name? */
static int
origin_is_address(struct slice host)
{
	char		 text[INET6_ADDRSTRLEN];
	struct in6_addr	 a;

	if (host.len >= sizeof(text))
		return (0);
	memcpy(text, host.data, host.len);
	text[host.len] = '\0';
	return (inet_pton(AF_INET, text, &a) == 1 ||
	    inet_pton(AF_INET6, text, &a) == 1);
}

/* Its last two labels. */
static struct slice
origin_root(struct slice host)
{
	size_t	 dots = 0;

	for (size_t i = host.len; i-- > 0; )
		if (host.data[i] == '.' && ++dots == 2)
			return (slice_of(host.data + i + 1, host.len - i - 1));
	return (host);
}

int
origin_may(const char *origin, const char *host)
{
	const char	*at;
	struct slice	 a, b;

	if (origin == NULL)
		return (1);
	if (host == NULL || (at = strstr(origin, "://")) == NULL)
		return (0);
	a = origin_host(at + 3);
	b = origin_host(host);
	if (a.len == 0 || b.len == 0)
		return (0);
	if (slice_caseeq(a, b))
		return (1);
	if (origin_is_address(a) || origin_is_address(b))
		return (0);
	return (slice_caseeq(origin_root(a), origin_root(b)));
}

int
origin_is_local(const char *host)
{
	struct slice	 h;

	if (host == NULL)
		return (0);
	h = origin_host(host);
	return (slice_caseis(h, "localhost") || slice_is(h, "127.0.0.1") ||
	    slice_is(h, "::1"));
}
