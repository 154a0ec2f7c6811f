/* What a Redis server or a Sentinel is told about who we are. */
#ifndef COMMON_REDIS_LOGIN_H
#define COMMON_REDIS_LOGIN_H

#include <stddef.h>

struct redis_url;

struct redis_login {			/* AUTH [user] password */
	int		 argc;		/* 0: nothing need be said */
	const char	*argv[3];
	char		*secret;	/* what a file had in it */
};

/* url is borrowed; its password file is read.  0, or -1 with a sentence in why; to be
 * cleared in both cases. */
int	 redis_login_read(struct redis_login *l, const struct redis_url *url,
	    char *why, size_t size);
void	 redis_login_clear(struct redis_login *l);

#endif
