/* The URL of a Redis server: where it is, and what it asks for at the door. */
#ifndef COMMON_REDIS_URL_H
#define COMMON_REDIS_URL_H

#include <stddef.h>

#define REDIS_PLACES	16		/* Sentinels in a URL */

struct redis_place {
	char	*host;
	int	 port;
};

struct redis_url {
	char	*path;			/* Unix socket, or NULL */
	struct redis_place places[REDIS_PLACES];
	size_t	 nplaces;		/* 1, if there is no master */
	char	*master;		/* NULL, or what Sentinels at the places call it */
	int	 tls;			/* to Redis and to Sentinels */
	char	*user, *password;
	char	*password_file;		/* read for each connection */
	char	*ca_file, *cert_file, *key_file; /* of TLS, PEM; NULL: none */
	int	 db;
};

/*
 * "redis://[[user]:password@]host[:port][/db]", the same with "rediss://" for TLS;
 * "sentinel://[[user]:password@]host[:port][,host[:port]...]/NAME[/db]", the same
 * with "sentinels://" for TLS; "unix:/path[?db=N]".  Behind each may stand
 * "?KEY=VALUE[&KEY=VALUE...]" with the keys user and password_file, and ca_file,
 * cert_file and key_file if there is TLS; values are percent-encoded.  Returns
 * NULL, or a sentence that says what is wrong; to be cleared in both cases.
 */
const char *redis_url_parse(struct redis_url *u, const char *url);
void	 redis_url_clear(struct redis_url *u);
/* Only looked at: 0, or -1 with *why a sentence. */
int	 redis_url_check(const char *url, const char **why);
/* Where user and password stand in a URL that may have them before an '@'; NULL: it
 * may not. */
const char *redis_url_door(const char *url);

#endif
