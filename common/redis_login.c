/* What a Redis server or a Sentinel is told about who we are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/redis_login.h"
#include "common/redis_url.h"
#include "common/secret.h"

int
redis_login_read(struct redis_login *l, const struct redis_url *url, char *why,
    size_t size)
{
	const char	*password = url->password, *fault;

	memset(l, 0, sizeof(*l));
	if (url->password_file != NULL) {
		if ((l->secret = secret_read(url->password_file, &fault)) ==
		    NULL) {
			snprintf(why, size, "password file %s: %s",
			    url->password_file, fault);
			return (-1);
		}
		password = l->secret;
	}
	if (password == NULL && url->user == NULL)
		return (0);
	l->argv[l->argc++] = "AUTH";
	if (url->user != NULL)
		l->argv[l->argc++] = url->user;
	l->argv[l->argc++] = password == NULL ? "" : password;
	return (0);
}

void
redis_login_clear(struct redis_login *l)
{
	if (l->secret != NULL)
		explicit_bzero(l->secret, strlen(l->secret));
	free(l->secret);
	memset(l, 0, sizeof(*l));
}
