/*
 * One Redis server over hiredis' reader, on a libevent loop.
 *
 * Reconnects by itself with back-off (50 ms .. 2 s), also when the server has
 * answered nothing for 4 deadlines of the oldest command (at least 5 s), and when
 * it is no master, or none any more (READONLY, LOADING, MASTERDOWN; NOREPLICAS, where
 * Sentinels name another one): all askers are told of the loss.  The host's name is looked up for each
 * connection, beside the loop; one that is unknown is a server that is away.  Every
 * command has a deadline of its own; a reply that comes later is discarded.
 * Channels (SUBSCRIBE) live on a connection of their own; both are lost and
 * come back together, so that what is up hears all its channels.  Never blocks.
 *
 * Any callback may call any function here, redis_free() too.
 */
#ifndef COMMON_REDIS_H
#define COMMON_REDIS_H

#include <stddef.h>

#include "common/redis_channels.h"
#include "common/redis_url.h"
#include "common/redis_value.h"

#include "common/histogram.h"

struct event_base;
struct redis;

#define REDIS_MAX_OUTSTANDING	10000		/* commands */
#define REDIS_MAX_QUEUED	(8 << 20)	/* bytes, if not set otherwise */

/*
 * Called once for each accepted command, never from within redis_command().
 * v is NULL with err set: ETIMEDOUT, ENOTCONN (lost or never up), ECANCELED
 * (redis_free).  An error reply of Redis is a value of kind REDIS_ERROR.
 */
typedef void	redis_reply_cb(const struct redis_value *v, int err, void *arg);
/* up: 1 connected (authenticated, database selected, every channel so far
 * subscribed), 0 lost: channel messages may have been missed. */
typedef void	redis_state_cb(int up, void *arg);

/* Starts connecting.  role, which is borrowed, is what the connections are for, as the log
 * has it.  NULL with errno (EINVAL: url). */
struct redis *redis_new(struct event_base *base, const char *url,
	    const char *role, redis_state_cb *state_cb, void *arg);
/* Cancels everything: what is outstanding is called back with ECANCELED before
 * it returns, and nothing afterwards. */
void	 redis_free(struct redis *r);
/* Before redis_free(), outside the loop: send what is queued, for at most ms.  Nobody
 * hears the answers. */
void	 redis_flush(struct redis *r, unsigned ms);
int	 redis_up(const struct redis *r);	/* would it take a command now? */
/* Is the server down, and was to come up tried in vain? */
int	 redis_failed(const struct redis *r);
/* What answers is no Redis that we can use, and will not become one: a
 * sentence; else NULL. */
const char *redis_refusal(const struct redis *r);
void	 redis_set_bound(struct redis *r, size_t bytes);	/* queued at most */
/* Count how commands end in *counts from now on, which outlives r. */
struct redis_counts {
	uint64_t	 ok, errors;	/* answered; with an error */
	uint64_t	 timeouts, lost;
	uint64_t	 seconds[HISTOGRAM_CELLS];	/* of those answered in time */
};
void	 redis_count(struct redis *r, struct redis_counts *counts);
/*
 * Queue a command of argc binary-safe arguments; pipelined, sent at the end of
 * the turn.  cb may be NULL.  deadline_ms from now.
 * Returns 0, or -1 and cb is not called: EAGAIN (bounds reached), ENOTCONN.
 */
int	 redis_command(struct redis *r, unsigned deadline_ms,
	    redis_reply_cb *cb, void *arg, int argc, const char *const *argv,
	    const size_t *argvlen);
/* The same with C strings, NULL-terminated: redis_do(r, 1000, cb, arg, "GET",
 * key, NULL). */
int	 redis_do(struct redis *r, unsigned deadline_ms, redis_reply_cb *cb,
	    void *arg, ...) __attribute__((sentinel));
/* Channel messages; repeated after each reconnect.  One subscription a channel:
 * 0, or -1 with errno EEXIST, ENOMEM, for the second ENOENT. */
int	 redis_subscribe(struct redis *r, const char *channel,
	    redis_message_cb *cb, void *arg);
int	 redis_unsubscribe(struct redis *r, const char *channel);

#endif
