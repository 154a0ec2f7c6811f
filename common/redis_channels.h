/* The channels of a Redis server that are listened to, each by one callback. */
#ifndef COMMON_REDIS_CHANNELS_H
#define COMMON_REDIS_CHANNELS_H

#include <stddef.h>
#include <stdint.h>

#include "common/map.h"

struct redis_conn;
struct redisReply;

/* msg NULL: the channel is heard from now on, for the first time or again. */
typedef void	redis_message_cb(const char *channel, size_t clen,
		    const char *msg, size_t mlen, void *arg);

struct redis_channels {			/* zero-initialised is empty */
	struct map	 map;
	uint64_t	 asked;		/* SUBSCRIBE that went over the connection */
	uint64_t	 confirmed;	/* of these */
};

/* Listen, at once if conn is connected: 0, or -1 with errno EEXIST, ENOMEM. */
int	 redis_channels_add(struct redis_channels *cs, struct redis_conn *conn,
	    const char *name, redis_message_cb *cb, void *arg);
/* No longer: 0, or -1 with errno ENOENT. */
int	 redis_channels_remove(struct redis_channels *cs,
	    struct redis_conn *conn, const char *name);
void	 redis_channels_clear(struct redis_channels *cs);
/* A new connection listens to all of them: 0, or -1 without memory. */
int	 redis_channels_greet(struct redis_channels *cs,
	    struct redis_conn *conn);
/* What comes by itself is handed out: 1, or 0 if raw answers a command. */
int	 redis_channels_pushed(struct redis_channels *cs,
	    const struct redisReply *raw);

#endif
