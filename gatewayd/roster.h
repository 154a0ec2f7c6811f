/*
 * The roster is the list of this node's shards (shard.h), a slot each: how many
 * there are, new ones on demand, those that end, the watchdog's round.
 */
#ifndef GATEWAYD_ROSTER_H
#define GATEWAYD_ROSTER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/bytes.h"

struct capsule;
struct control;
struct ctl;
struct event_base;
struct generation;
struct journeys;
struct placement;
struct replica;
struct roster;
struct settings;
struct shard;
struct shards;
struct sock_fprog;
struct totals;

struct roster_ops {
	/* Once: every slot is READY or has failed (10 s at most), or is silent: who
	 * is found and says nothing for 2 s is not waited for, but has the
	 * watchdog's time. */
	void	(*settled)(void *arg);
	/* Found shards that were silent until then have spoken, or died: what is
	 * not known now is dead. */
	void	(*resolved)(void *arg);
	/* A shard takes connections from now on. */
	void	(*ready)(struct shard *s, void *arg);
	/* The channel of a shard has ended: what was on its way does not count. */
	void	(*dead)(struct shard *s, void *arg);
	/* A shard is dead, and its site still has its places: how many of them are
	 * counted as ended by something else. */
	size_t	(*dying)(struct shard *s, void *arg);
	/* A shard is dead: what is listed at its address is to go. */
	void	(*buried)(const char *address, void *arg);
	/* One more shard may be started now, or one that was silent has answered. */
	void	(*room)(void *arg);
	/* As in dialogue.h. */
	void	(*listening)(int fd, void *arg);
	void	(*adopted)(struct shard *s, uint64_t id, void *arg);
	void	(*refused)(struct shard *s, uint64_t id, struct slice why,
		    int leaving, void *arg);
	void	(*home)(struct shard *s, const struct capsule *c, int fd,
		    void *arg);
	/* After roster_leave(): the last has left. */
	void	(*left)(void *arg);
	/* As in election.h. */
	int	(*shared)(void *arg);
};

/* First finds shards that an earlier gateway left (locks in the run dir), waits
 * for their hello, then starts what is missing up to settings->shards.  All is
 * borrowed; redis_url is "" for none, incarnation the gateway's.  ops are called
 * from the loop.  NULL with errno. */
struct roster *roster_new(struct event_base *base,
	    const struct settings *settings, struct placement *placement,
	    struct totals *totals, const struct sock_fprog *filter,
	    const char *redis_url, uint64_t incarnation,
	    const struct roster_ops *ops, void *arg);
void	 roster_free(struct roster *r);
/* What comes by the door (dialogue.h), and the end of a channel. */
struct shard *roster_hello(struct roster *r, struct control *c,
	    const struct ctl *m, int *page, pid_t peer);
int	 roster_message(struct roster *r, struct shard *s,
	    const struct ctl *m, int *fds, size_t nfds, int cut);
void	 roster_channel_end(struct roster *r, struct shard *s,
	    const char *why);
/* Start one more, if none is starting, max_shards allows it (who leaves does not
 * count) and the last such one did not crash just now: 0 (one is starting now or
 * was already), or -1 with errno ENOSPC. */
int	 roster_grow(struct roster *r);
/* Start one more of that generation, whatever max_shards says, for another one will
 * leave; it is not kept.  NULL with errno. */
struct shard *roster_spare(struct roster *r, struct generation *g);
/* The same in the place of s, which is to leave, as far as max_shards allows it without s
 * and those that are being emptied; now: also if the last one crashed just now.  0, or
 * -1. */
int	 roster_replace(struct roster *r, const struct shard *s,
	    struct generation *g, int now);
int	 roster_leaving(const struct roster *r);	/* all are told to */
/* How many take newcomers, or soon will. */
size_t	 roster_serving(const struct roster *r);
/* May the placement wait for a shard that is starting, or will be soon? */
int	 roster_starting(const struct roster *r);
/* Is a shard of this incarnation alive, or may it be? */
int	 roster_knows(const struct roster *r, uint64_t incarnation);
/* s has not answered for a while: nobody is to wait for it until it does. */
void	 roster_suspect(struct roster *r, struct shard *s);
/* What has changed with the configuration, to all shards. */
void	 roster_tell_options(struct roster *r);
size_t	 roster_nslots(const struct roster *r);
struct shards *roster_shards(struct roster *r);
struct journeys *roster_journeys(struct roster *r);
struct shard *roster_slot(struct roster *r, size_t i);
/* Placement's news, which the shards are told. */
void	 roster_replica_made(struct roster *r, struct replica *rep);
void	 roster_replica_ended(struct roster *r, struct replica *rep);
/* Drain all shards and wait until the last has left or the deadline has passed
 * (then they are killed first). */
void	 roster_leave(struct roster *r, unsigned deadline_ms);
void	 roster_kill(struct roster *r);	/* at once, SIGKILL */

#endif
