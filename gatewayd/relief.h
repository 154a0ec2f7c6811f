/*
 * Relief is a shard that takes the clients of one that is to be emptied: is one there, is
 * one to come, may one be started?
 */
#ifndef GATEWAYD_RELIEF_H
#define GATEWAYD_RELIEF_H

struct generation;
struct roster;
struct shard;

/* Does another shard than s serve that is not to be emptied itself? */
int	 relief_serves(struct roster *r, const struct shard *s);
/*
 * Is one more than s to come?  One is started, if max_shards allows it; others may be
 * starting, or start again when they have left, or leave room for one more.
 */
int	 relief_comes(struct roster *r, const struct shard *s);
/*
 * Start one of that generation, at once, or (NULL) of the current one, not too fast, in the
 * place of s, which is to leave: 1, or 0; 1 also while any is starting.  s and others that are to be emptied do not count for
 * max_shards, so for a while there are more, as in an upgrade.
 */
int	 relief_beside(struct roster *r, const struct shard *s,
	    struct generation *g);

#endif
