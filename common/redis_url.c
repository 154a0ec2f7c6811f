/* The URL of a Redis server. */
#include <sys/un.h>

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/redis_url.h"

void
redis_url_clear(struct redis_url *u)
{
	free(u->path);
	free(u->host);
	free(u->user);
	free(u->password);
	memset(u, 0, sizeof(*u));
}

/* A part of a URL without its percent-encoding, malloc'd. */
static char *
redis_url_unescape(const char *s, size_t len)
{
	char	*p = malloc(len + 1);

	if (p != NULL)
		p[bytes_unpercent(p, slice_of(s, len), 0)] = '\0';
	return (p);
}

/* A number in a URL, at most max: 0, or -1. */
static int
redis_url_number(const char *s, size_t len, uint64_t max, int *out)
{
	uint64_t	 n;

	if (slice_u64(slice_of(s, len), max, &n) == -1)
		return (-1);
	*out = (int)n;
	return (0);
}

/* path[?db=N] */
static const char *
redis_url_unix(struct redis_url *u, const char *s)
{
	size_t	 n = strcspn(s, "?");

	if (n == 0)
		return ("unix: needs a path, unix:/run/redis/redis.sock");
	if (n >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return ("the path is longer than 107 bytes");
	if (s[n] == '?' && (strncmp(s + n, "?db=", 4) != 0 ||
	    redis_url_number(s + n + 4, strlen(s + n + 4), 65535, &u->db) ==
	    -1))
		return ("behind the path only ?db=NUMBER may stand");
	u->path = redis_url_unescape(s, n);
	return (u->path == NULL ? "no memory" : NULL);
}

/* [[user]:password@]host[:port][/db] */
static const char *
redis_url_inet(struct redis_url *u, const char *s)
{
	size_t		 n = strcspn(s, "/"), host;
	const char	*at = memrchr(s, '@', n), *colon, *end = s + n;

	if (end[0] == '/' && end[1] != '\0' &&
	    redis_url_number(end + 1, strlen(end + 1), 65535, &u->db) == -1)
		return ("the database behind / must be a number");
	if (at != NULL) {
		if ((colon = memchr(s, ':', (size_t)(at - s))) == NULL)
			return ("before @ stands [user]:password");
		if (colon > s)
			u->user = redis_url_unescape(s, (size_t)(colon - s));
		u->password = redis_url_unescape(colon + 1,
		    (size_t)(at - colon - 1));
		if (u->password == NULL || (colon > s && u->user == NULL))
			return ("no memory");
		s = at + 1;
	}
	u->port = 6379;
	host = (size_t)(end - s);
	if (*s == '[') {
		colon = memchr(s, ']', host);
		if (colon == NULL || (colon + 1 != end && colon[1] != ':'))
			return ("a v6 address is written [address]");
		u->host = redis_url_unescape(s + 1, (size_t)(colon - s - 1));
		colon = colon + 1 == end ? NULL : colon + 1;
	} else {
		colon = memchr(s, ':', host);
		u->host = redis_url_unescape(s, colon != NULL ?
		    (size_t)(colon - s) : host);
	}
	if (u->host == NULL)
		return ("no memory");
	if (*u->host == '\0')
		return ("the host is missing");
	if (colon != NULL && (redis_url_number(colon + 1,
	    (size_t)(end - colon - 1), 65535, &u->port) == -1 || u->port == 0))
		return ("the port must be a number from 1 to 65535");
	return (NULL);
}

const char *
redis_url_parse(struct redis_url *u, const char *url)
{
	memset(u, 0, sizeof(*u));
	if (strncmp(url, "unix://", 7) == 0)
		return (redis_url_unix(u, url + 7));
	if (strncmp(url, "unix:", 5) == 0)
		return (redis_url_unix(u, url + 5));
	if (strncmp(url, "redis://", 8) == 0)
		return (redis_url_inet(u, url + 8));
	return ("must be redis://[[user]:password@]host[:port][/db] or "
	    "unix:/path");
}

int
redis_url_check(const char *url, const char **why)
{
	struct redis_url	 u;

	*why = redis_url_parse(&u, url);
	redis_url_clear(&u);
	return (*why == NULL ? 0 : -1);
}
