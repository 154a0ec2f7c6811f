/* The URL of a Redis server. */
#include <sys/un.h>

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/redis_url.h"

/* What URLs with a host begin with. */
static const struct redis_scheme {
	const char	*begin;
	int		 port;		/* if the URL names none */
	int		 tls, sentinel;
} redis_schemes[] = {
	{ "redis://",		6379,	0, 0 },
	{ "rediss://",		6379,	1, 0 },
	{ "sentinel://",	26379,	0, 1 },
	{ "sentinels://",	26379,	1, 1 },
};

/* What may stand behind the question mark of any URL. */
static const struct redis_option {
	const char	*key;
	size_t		 at;		/* of a char * in struct redis_url */
} redis_options[] = {
	{ "user",		offsetof(struct redis_url, user) },
	{ "password_file",	offsetof(struct redis_url, password_file) },
	{ "ca_file",		offsetof(struct redis_url, ca_file) },
	{ "cert_file",		offsetof(struct redis_url, cert_file) },
	{ "key_file",		offsetof(struct redis_url, key_file) },
};

void
redis_url_clear(struct redis_url *u)
{
	if (u->password != NULL)
		explicit_bzero(u->password, strlen(u->password));
	for (size_t i = 0; i < u->nplaces; i++)
		free(u->places[i].host);
	free(u->path);
	free(u->master);
	free(u->user);
	free(u->password);
	free(u->password_file);
	free(u->ca_file);
	free(u->cert_file);
	free(u->key_file);
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

/* KEY=VALUE */
static const char *
redis_url_option(struct redis_url *u, const char *s, size_t len)
{
	const char	*is = memchr(s, '=', len);
	size_t		 key = is == NULL ? len : (size_t)(is - s);
	char		**field;

	if (u->path != NULL && slice_is(slice_of(s, key), "db"))
		return (is == NULL || redis_url_number(is + 1, len - key - 1,
		    65535, &u->db) == -1 ? "db must be a number" : NULL);
	for (size_t i = 0; i < nitems(redis_options); i++) {
		if (!slice_is(slice_of(s, key), redis_options[i].key))
			continue;
		field = (char **)(void *)((char *)u + redis_options[i].at);
		if (*field != NULL)
			return ("the user, or what stands behind ?, is there "
			    "twice");
		if (is == NULL || key + 1 == len)
			return ("behind ? stands KEY=VALUE");
		*field = redis_url_unescape(is + 1, len - key - 1);
		return (*field == NULL ? "no memory" : NULL);
	}
	return (u->path != NULL ? "behind the path only ?db=NUMBER, user and "
	    "password_file may stand" : "behind ? only user, password_file, "
	    "ca_file, cert_file and key_file may stand");
}

/* KEY=VALUE[&KEY=VALUE...], if s is not at the end; and do all go together? */
static const char *
redis_url_options(struct redis_url *u, const char *s)
{
	const char	*why;
	size_t		 n;

	if (*s == '?')
		do {
			s++;
			n = strcspn(s, "&");
			if ((why = redis_url_option(u, s, n)) != NULL)
				return (why);
			s += n;
		} while (*s == '&');
	if (u->password != NULL && u->password_file != NULL)
		return ("there is a password and a password_file; keep one");
	if (!u->tls && (u->ca_file != NULL || u->cert_file != NULL ||
	    u->key_file != NULL))
		return ("ca_file, cert_file and key_file are for TLS, which "
		    "rediss:// or sentinels:// asks for");
	if ((u->cert_file == NULL) != (u->key_file == NULL))
		return ("cert_file and key_file are of use together only");
	return (NULL);
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
	u->path = redis_url_unescape(s, n);
	return (u->path == NULL ? "no memory" :
	    redis_url_options(u, s + n));
}

/* host[:port] */
static const char *
redis_url_place(struct redis_url *u, const char *s, size_t len, int port)
{
	struct redis_place	*p = &u->places[u->nplaces];
	const char		*colon, *end = s + len;

	if (u->nplaces == REDIS_PLACES)
		return ("these are more than 16 Sentinels");
	p->port = port;
	if (len > 0 && *s == '[') {
		colon = memchr(s, ']', len);
		if (colon == NULL || (colon + 1 != end && colon[1] != ':'))
			return ("a v6 address is written [address]");
		p->host = redis_url_unescape(s + 1, (size_t)(colon - s - 1));
		colon = colon + 1 == end ? NULL : colon + 1;
	} else {
		colon = memchr(s, ':', len);
		p->host = redis_url_unescape(s, colon != NULL ?
		    (size_t)(colon - s) : len);
	}
	if (p->host == NULL)
		return ("no memory");
	u->nplaces++;
	if (*p->host == '\0')
		return ("the host is missing");
	if (colon != NULL && (redis_url_number(colon + 1,
	    (size_t)(end - colon - 1), 65535, &p->port) == -1 || p->port == 0))
		return ("the port must be a number from 1 to 65535");
	return (NULL);
}

/* [user]:password, before the '@' */
static const char *
redis_url_login(struct redis_url *u, const char *s, size_t len)
{
	const char	*colon = memchr(s, ':', len);

	if (colon == NULL)
		return ("before @ stands [user]:password");
	if (colon > s)
		u->user = redis_url_unescape(s, (size_t)(colon - s));
	u->password = redis_url_unescape(colon + 1,
	    len - (size_t)(colon + 1 - s));
	return (u->password == NULL || (colon > s && u->user == NULL) ?
	    "no memory" : NULL);
}

/* /NAME: what follows in *s. */
static const char *
redis_url_master(struct redis_url *u, const char **s)
{
	size_t	 n = **s == '/' ? strcspn(*s + 1, "/?") : 0;

	if (n == 0)
		return ("behind the Sentinels stands /NAME, what they call the "
		    "master");
	u->master = redis_url_unescape(*s + 1, n);
	*s += n + 1;
	return (u->master == NULL ? "no memory" : NULL);
}

/* [[user]:password@]host[:port][,host[:port]...][/NAME][/db] */
static const char *
redis_url_inet(struct redis_url *u, const char *s,
    const struct redis_scheme *scheme)
{
	size_t		 n = strcspn(s, "/");
	const char	*at = memrchr(s, '@', n), *why, *end;

	u->tls = scheme->tls;
	if (at != NULL && (why = redis_url_login(u, s, (size_t)(at - s))) !=
	    NULL)
		return (why);
	s = at != NULL ? at + 1 : s;
	end = s + strcspn(s, "/?");
	for (;; s++) {
		n = (size_t)(end - s);
		if (scheme->sentinel && memchr(s, ',', n) != NULL)
			n = strcspn(s, ",");
		if ((why = redis_url_place(u, s, n, scheme->port)) != NULL)
			return (why);
		s += n;
		if (s == end)
			break;
	}
	if (scheme->sentinel && (why = redis_url_master(u, &s)) != NULL)
		return (why);
	if (*s == '/') {
		n = strcspn(++s, "?");
		if (n > 0 && redis_url_number(s, n, 65535, &u->db) == -1)
			return ("the database behind / must be a number");
		s += n;
	}
	return (redis_url_options(u, s));
}

/* The row of what a URL begins with, or NULL. */
static const struct redis_scheme *
redis_url_scheme(const char *url)
{
	for (size_t i = 0; i < nitems(redis_schemes); i++)
		if (strncmp(url, redis_schemes[i].begin,
		    strlen(redis_schemes[i].begin)) == 0)
			return (&redis_schemes[i]);
	return (NULL);
}

const char *
redis_url_parse(struct redis_url *u, const char *url)
{
	const struct redis_scheme	*scheme = redis_url_scheme(url);

	memset(u, 0, sizeof(*u));
	if (strncmp(url, "unix://", 7) == 0)
		return (redis_url_unix(u, url + 7));
	if (strncmp(url, "unix:", 5) == 0)
		return (redis_url_unix(u, url + 5));
	if (scheme != NULL)
		return (redis_url_inet(u, url + strlen(scheme->begin), scheme));
	return ("must be redis://[[user]:password@]host[:port][/db], rediss:// "
	    "for TLS, sentinel://host[:port][,...]/NAME or unix:/path");
}

const char *
redis_url_door(const char *url)
{
	const struct redis_scheme	*scheme = redis_url_scheme(url);

	return (scheme == NULL ? NULL : url + strlen(scheme->begin));
}

int
redis_url_check(const char *url, const char **why)
{
	struct redis_url	 u;

	*why = redis_url_parse(&u, url);
	redis_url_clear(&u);
	return (*why == NULL ? 0 : -1);
}
