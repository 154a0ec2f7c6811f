/* The URL of a Redis server: where it is, and what it asks for at the door. */
#ifndef COMMON_REDIS_URL_H
#define COMMON_REDIS_URL_H

struct redis_url {
	char	*path;			/* Unix socket, or NULL */
	char	*host, *user, *password;
	int	 port, db;
};

/*
 * "redis://[[user]:password@]host[:port][/db]", "unix:/path[?db=N]".  Returns NULL,
 * or a sentence that says what is wrong; to be cleared in both cases.
 */
const char *redis_url_parse(struct redis_url *u, const char *url);
void	 redis_url_clear(struct redis_url *u);
/* Only looked at: 0, or -1 with *why a sentence. */
int	 redis_url_check(const char *url, const char **why);

#endif
