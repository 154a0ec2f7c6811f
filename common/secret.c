/* Secrets in the environment and the arguments. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"

#define SECRET_URL_MAX	4096	/* bytes of an argument */

/* The first byte of what is hidden and the '@' behind the last, or NULL. */
static const char *
secret_find(const char *url, const char **at)
{
	const char	*begin = strstr(url, "//");

	if (strncmp(url, "unix:", 5) == 0 ||
	    (*at = strrchr(url, '@')) == NULL)
		return (NULL);
	return (begin != NULL && begin < *at ? begin + 2 : url);
}

char *
secret_take(const char *name)
{
	char	*value = getenv(name), *copy = NULL;

	errno = 0;
	if (value == NULL)
		return (NULL);
	if (*value != '\0')
		copy = strdup(value);
	explicit_bzero(value, strlen(value));
	unsetenv(name);
	return (copy);
}

char *
secret_shown(char *dst, size_t size, const char *url)
{
	const char	*at, *begin = secret_find(url, &at);

	if (begin == NULL)
		snprintf(dst, size, "%s", url);
	else
		snprintf(dst, size, "%.*s***%s", (int)(begin - url), url, at);
	return (dst);
}

void
secret_hide(char *url)
{
	const char	*at, *begin = secret_find(url, &at);
	char		 shown[SECRET_URL_MAX];
	size_t		 len = strlen(url), n;

	if (begin == NULL)
		return;
	secret_shown(shown, sizeof(shown), url);
	n = strlen(shown);
	if (n > len || n == sizeof(shown) - 1) {
		/* No room for the stars, or for the whole. */
		memset(url + (begin - url), '*', (size_t)(at - begin));
		return;
	}
	memcpy(url, shown, n);
	explicit_bzero(url + n, len - n);
}
