/*
 * This node in Redis: its name, claimed every 5 s, and the entries of dead shards,
 * which are swept in steps of 500: at once when one dies; at start (and whenever
 * Redis is back) those of every address of this node that is not alive; and those
 * that nodes left which are not there any more.
 */
#ifndef GATEWAYD_REGISTRY_H
#define GATEWAYD_REGISTRY_H

#include <stdint.h>

struct event_base;
struct obituary;
struct redis;
struct registry;
struct rollcall;
struct rollcall_shard;
struct settings;

enum registry_news {
	REGISTRY_UP,		/* Redis is there */
	REGISTRY_BACK,		/* the same, not for the first time */
	REGISTRY_FORGOTTEN,	/* it has lost our name, and so maybe all */
	REGISTRY_FOUND,		/* shards of before have said what they have */
	REGISTRY_DEAD,		/* that node is */
	REGISTRY_TICK		/* a second has passed */
};

struct registry_ops {
	/* Once, from the loop: the name is ours, or Redis is away, which is
	 * nothing to wait for. */
	void	(*ready)(void *arg);
	/* Instead of it: the name is another's, or what answers is no Redis for
	 * us; why is a sentence. */
	void	(*refused)(const char *why, void *arg);
	/* Is a shard of this incarnation alive, or may it be? */
	int	(*alive)(uint64_t incarnation, void *arg);
	/* As in rollcall.h: our shards, what they have, one that is dead elsewhere. */
	size_t	(*shards)(struct rollcall_shard *at, size_t max, void *arg);
	void	(*load)(size_t *connections, size_t *groups, void *arg);
	void	(*dead)(const char *node, const struct rollcall_shard *s,
		    void *arg);
	/* As in obituary.h: who was lost. */
	void	(*lost)(const struct obituary *o, void *arg);
	void	(*news)(enum registry_news news, const char *node, void *arg);
};

/* Settings are borrowed; incarnation and started (ms since 1970) are this gateway's.
 * NULL with errno. */
struct registry *registry_new(struct event_base *base,
	    const struct settings *settings, const char *redis_url,
	    uint64_t incarnation, uint64_t started,
	    const struct registry_ops *ops, void *arg);
void	 registry_free(struct registry *r);
int	 registry_up(const struct registry *r);	/* does Redis answer? */
/* The connection to Redis, for a command of somebody else. */
struct redis *registry_redis(struct registry *r);
/* Who else is in the cluster; NULL: nobody can be, Redis is our own. */
const struct rollcall *registry_rollcall(const struct registry *r);
/* All found shards have said hello, or one more of them: what is not alive now is
 * dead. */
void	 registry_start(struct registry *r);
/* This shard is dead: its entries go, now or when Redis is back. */
void	 registry_sweep(struct registry *r, const char *address);
/* All shards have left: nothing of this node stays.  done_cb, with the same arg,
 * when that is so, or after 2 s. */
void	 registry_leave(struct registry *r, void (*done_cb)(void *arg));

#endif
