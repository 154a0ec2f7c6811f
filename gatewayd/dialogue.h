/*
 * The dialogue with a shard: what the shard says on its channel, from its hello on,
 * and what it is told at its start and when the configuration changes.
 */
#ifndef GATEWAYD_DIALOGUE_H
#define GATEWAYD_DIALOGUE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/bytes.h"

struct capsule;
struct control;
struct ctl;
struct election;
struct journeys;
struct shard;
struct shards;
struct totals;

struct dialogue_ops {
	/* A shard takes connections from now on. */
	void	(*ready)(struct shard *s, void *arg);
	/* One takes them again, which had not answered for a while. */
	void	(*again)(void *arg);
	/* A connection that was handed over is the shard's. */
	void	(*adopted)(struct shard *s, uint64_t id, void *arg);
	/* The shard does not take it; leaving: only because the shard is. */
	void	(*refused)(struct shard *s, uint64_t id, struct slice why,
		    int leaving, void *arg);
	/* A shard held a socket that clients connect to: takes fd. */
	void	(*listening)(int fd, void *arg);
	/* A shard sends a connection home: takes fd. */
	void	(*home)(struct shard *s, const struct capsule *c, int fd,
		    void *arg);
};

struct dialogue {		/* all borrowed */
	struct shards	*shards;
	struct election	*election;
	struct journeys	*journeys;
	struct totals	*totals;
	const char	*redis_url;	/* "" for none; what the shards are told */
	uint64_t	 incarnation;	/* of the gateway */
	const struct dialogue_ops *ops;
	void		*arg;
};

/*
 * A shard's first message on a fresh control connection was HELLO, with *page, which
 * is taken (-1 is left there), or without (NULL).  The shard whose channel it is now,
 * or NULL: not one of ours, drop it.
 */
struct shard *dialogue_hello(struct dialogue *d, struct control *c,
	    const struct ctl *m, int *page, pid_t peer);
/* Any other message: 0, or -1: drop the channel. */
int	 dialogue_message(struct dialogue *d, struct shard *s,
	    const struct ctl *m, int *fds, size_t nfds, int cut);
/* What has changed with the configuration, to all shards. */
void	 dialogue_tell_options(struct dialogue *d);

#endif
