/* Which applications serve groups: by the routes, and by raw listeners. */
#ifndef GATEWAYD_SERVING_H
#define GATEWAYD_SERVING_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

struct route;
struct settings;

/* Those with a group, each once. */
void	 serving_apps(const struct settings *s,
	    void (*cb)(const char *app, void *arg), void *arg);
/* The first with groups of that application, or NULL. */
const struct route *serving_of(const struct settings *s, struct slice app);
/* --limit: for all. */
void	 serving_set_limit(struct settings *s, uint32_t limit);
/* Are all of one mind about the limit of what may be one group?  0, or -1 with a
 * sentence in err. */
int	 serving_check(const struct settings *s, char *err, size_t size);
/* What raw listeners are to have. */
void	 serving_listeners(const struct settings *s,
	    void (*cb)(const struct route *route, void *arg), void *arg);

#endif
