/* The header fields that a connection keeps. */
#include <errno.h>
#include <string.h>

#include "gatewayd/kept.h"
#include "proto/capsule.h"

/* A name, or, with a last '-', how names begin. */
static const char *const kept_proxied[] = { "CF-", "Forwarded", "True-Client-",
    "X-Client-", "X-Forwarded-", "X-Real-", "Fastly-Client-" };

/* Is the name in a list of word=FIELD? */
static int
kept_is_detail(struct slice name, const char *details)
{
	const char	*equals;
	size_t		 n, skip;

	for (; details != NULL && *details != '\0'; details += n) {
		details += strspn(details, " \t,");
		n = strcspn(details, " \t,");
		if ((equals = memchr(details, '=', n)) == NULL)
			continue;
		skip = (size_t)(equals + 1 - details);
		if (slice_caseeq(name, slice_of(equals + 1, n - skip)))
			return (1);
	}
	return (0);
}

/* Is the name that of a field that only a proxy can know? */
static int
kept_is_proxied(struct slice name, const char *details)
{
	size_t	 n;

	for (size_t i = 0; i < nitems(kept_proxied); i++) {
		n = strlen(kept_proxied[i]);
		if (name.len < n || (kept_proxied[i][n - 1] != '-' &&
		    name.len > n))
			continue;
		if (slice_caseis(slice_of(name.data, n), kept_proxied[i]))
			return (1);
	}
	return (kept_is_detail(name, details));
}

int
kept_check(struct capsule_header *headers, size_t *n, int trusted,
    const char *details, size_t max)
{
	size_t	 left = 0, bytes = 0;

	for (size_t i = 0; i < *n; i++) {
		if (!trusted && kept_is_proxied(headers[i].name, details))
			continue;
		bytes += headers[i].name.len + headers[i].value.len;
		headers[left++] = headers[i];
	}
	*n = left;
	if (bytes <= max)
		return (0);
	errno = EMSGSIZE;
	return (-1);
}
