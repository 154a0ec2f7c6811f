/*
 * What a connection keeps of its request's header fields for as long as it
 * lives: those that its route names, within a bound, and what only a proxy can
 * know (where a visitor is) only from a proxy that is trusted.
 */
#ifndef GATEWAYD_KEPT_H
#define GATEWAYD_KEPT_H

#include <stddef.h>

struct capsule_header;

/*
 * Leave out of *n headers those that a proxy adds, unless trusted: CF-*,
 * X-Forwarded-*, Forwarded and their like, and the fields that details names
 * ("city=X-City country=X-Country", may be NULL).  0, or -1 with errno EMSGSIZE:
 * what is left, names and values, is more than max bytes.
 */
int	 kept_check(struct capsule_header *headers, size_t *n, int trusted,
	    const char *details, size_t max);

#endif
