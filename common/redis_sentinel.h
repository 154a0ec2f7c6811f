/*
 * A question to Sentinels: where is the master of that name?  One after the other is
 * asked, each has a deadline, and the first that knows one ends it.
 */
#ifndef COMMON_REDIS_SENTINEL_H
#define COMMON_REDIS_SENTINEL_H

#include <stddef.h>

#define REDIS_HOST_MAX	255		/* bytes of a host's name */

struct event_base;
struct redis_sentinel;
struct redis_url;

/* Once, from the loop: the master's host and port; or NULL and why not.  May free the
 * question. */
typedef void	redis_sentinel_cb(const char *host, int port, const char *why,
		    void *arg);

/*
 * Ask the places of url, which is borrowed; first the one with this number, modulo
 * how many there are.  One that wants a password gets the one for Redis.  NULL with
 * errno.
 */
struct redis_sentinel *redis_sentinel_new(struct event_base *base,
	    const struct redis_url *url, size_t first, redis_sentinel_cb *cb,
	    void *arg);
/* NULL is nothing. */
void	 redis_sentinel_free(struct redis_sentinel *s);
/* The number of the one that was asked last. */
size_t	 redis_sentinel_asked(const struct redis_sentinel *s);

#endif
