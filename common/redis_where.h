/*
 * Where a Redis server is now: the addresses of its host's name, or of the master that
 * Sentinels name.  Asked for each connection, as a fail-over may move it.
 */
#ifndef COMMON_REDIS_WHERE_H
#define COMMON_REDIS_WHERE_H

#include "common/redis_sentinel.h"

struct event_base;
struct redis_url;
struct redis_where;
struct sock_addr;

/* Found (why is NULL), or why not.  Once for each question. */
typedef void	redis_where_cb(const char *why, void *arg);

/* url is borrowed.  NULL without memory. */
struct redis_where *redis_where_new(struct event_base *base,
	    const struct redis_url *url, redis_where_cb *cb, void *arg);
/* The callback will not come.  NULL is nothing. */
void	 redis_where_free(struct redis_where *w);
/* Begin to ask; cb is called from the loop, for a Unix socket at once.  0, or -1 with
 * errno. */
int	 redis_where_ask(struct redis_where *w);
/* Is that still so?  Sentinels are asked.  NULL with errno. */
struct redis_sentinel *redis_where_doubt(struct redis_where *w,
	    redis_sentinel_cb *cb, void *arg);
/* Is that the master that was found? */
int	 redis_where_was(const struct redis_where *w, const char *host,
	    int port);
/* What is being waited for, in words; NULL: nothing. */
const char *redis_where_busy(const struct redis_where *w);
/* What was found: an address, and the host that a certificate must name. */
const struct sock_addr *redis_where_addr(const struct redis_where *w);
const char *redis_where_host(const struct redis_where *w);
/* That address was of no use: another one next time. */
void	 redis_where_next(struct redis_where *w);

#endif
