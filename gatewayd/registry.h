/*
 * This node in Redis: its name, claimed every 5 s, and the entries of dead shards,
 * which are swept in steps of 500: at once when one dies; at start (and whenever
 * Redis is back) those of every address of this node that is not alive; and those
 * that nodes left which are not there any more.
 */
#ifndef GATEWAYD_REGISTRY_H
#define GATEWAYD_REGISTRY_H

struct gateway;
struct redis;
struct registry;

/*
 * ready comes once, from the loop: the name is ours, or Redis is away, which is
 * nothing to wait for.  Instead of it refused may come: the name is another's, or
 * what answers is no Redis for us; why is a sentence.  NULL with errno.
 */
struct registry *registry_new(struct gateway *g, void (*ready)(struct gateway *),
	    void (*refused)(struct gateway *, const char *why));
void	 registry_free(struct registry *r);
int	 registry_up(const struct registry *r);
/* Its connection, for a command of another's. */
struct redis *registry_redis(struct registry *r);
/* All found shards have said hello, or one more of them: what is not alive now is
 * dead. */
void	 registry_start(struct registry *r);
/* This shard is dead: its entries go, now or when Redis is back. */
void	 registry_sweep(struct registry *r, const char *address);
/* All shards have left: nothing of this node stays.  done_cb when that is so, or
 * after 2 s. */
void	 registry_leave(struct registry *r, void (*done_cb)(struct gateway *));

#endif
