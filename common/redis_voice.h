/*
 * One Sentinel, asked where the master of that name is, how new it knows that, and whether it
 * sees most of the other Sentinels.
 */
#ifndef COMMON_REDIS_VOICE_H
#define COMMON_REDIS_VOICE_H

#include <stddef.h>
#include <stdint.h>

#define REDIS_HOST_MAX	255		/* bytes of a host's name */

struct event_base;
struct redis_url;
struct redis_voice;

struct redis_named {			/* a master, as a Sentinel knows it */
	char		 host[REDIS_HOST_MAX + 1];
	int		 port;
	uint64_t	 epoch;		/* of the fail-over that made it one; 0: it was
					   always one, or that is not told */
	uint64_t	 sentinels;	/* that the Sentinel knows, with itself; 0: not told */
	int		 quorum;	/* it sees most of them: 1; it does not: -1; not told: 0 */
	int		 sure;		/* redis_sentinel.h */
};

/* Once, from the loop: the master; or NULL and why not, after 1.5 s at most.  May free
 * the voice. */
typedef void	redis_voice_cb(const struct redis_named *named, const char *why,
		    void *arg);

/*
 * Ask the place of url, which is borrowed, with that number.  One that wants a password
 * gets the one for Redis.  NULL with errno.
 */
struct redis_voice *redis_voice_new(struct event_base *base,
	    const struct redis_url *url, size_t place, redis_voice_cb *cb,
	    void *arg);
/* NULL is nothing. */
void	 redis_voice_free(struct redis_voice *v);

#endif
