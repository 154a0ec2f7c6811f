/*
 * Where a Redis server is now: the addresses of its host's name, or of the master that
 * Sentinels name.  Asked for each connection, as a fail-over may move it.
 *
 * What is not sure (redis_sentinel.h) is not believed before nothing else was heard for
 * 5 s: whom the only Sentinels that answer were cut off with may be a former master, and
 * nobody can tell; but without most of them no other one can be made, and to wait for
 * ever would make Redis as mortal as they are.  redis_doubt goes on asking then.
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
/* Do both ask the same Sentinels for the same name?  A process may know two clusters that
 * call their masters alike. */
int	 redis_where_same(const struct redis_where *w,
	    const struct redis_where *other);
/* Is that the master that was found? */
int	 redis_where_was(const struct redis_where *w, const char *host,
	    int port);
/* Was what was found not sure, and has been found no surer since? */
int	 redis_where_unsure(const struct redis_where *w);
/* It is sure, and of that epoch. */
void	 redis_where_settle(struct redis_where *w, uint64_t epoch);
/* The epoch of what was found last. */
uint64_t redis_where_epoch(const struct redis_where *w);
/* What is being waited for, in words; NULL: nothing. */
const char *redis_where_busy(const struct redis_where *w);
/* What was found: an address, and the host that a certificate must name. */
const struct sock_addr *redis_where_addr(const struct redis_where *w);
const char *redis_where_host(const struct redis_where *w);
/* That address was of no use: another one next time. */
void	 redis_where_next(struct redis_where *w);

#endif
