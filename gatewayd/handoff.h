/*
 * A handoff is a capsule on its way: from the decision until the receiver says adopted.
 * The gateway keeps its copy of the descriptor that long.  When the shard
 * refuses, dies or does not start in time, the connection is placed afresh, at
 * most HANDOFF_TRIES times, else refused with 503: never two answers, never
 * none.
 */
#ifndef GATEWAYD_HANDOFF_H
#define GATEWAYD_HANDOFF_H

#include "common/bytes.h"
#include "gatewayd/handoff_ask.h"
#include "proto/capsule.h"
#include "proto/control.h"

struct event_base;
struct handoff;
struct handoffs;
struct lingerers;
struct placement;
struct quota_wait;
struct quotas;
struct roster;
struct settings;
struct shard;
struct totals;

#define HANDOFF_TRIES	3

struct handoff_ops {
	/* A connection came home and is ours: takes fd; c: early bytes, peer, via, flags. */
	void	(*home)(const struct capsule *c, int fd, void *arg);
	/* Many are unanswered: accept nobody for a moment (on), or go on (0). */
	void	(*pause)(int on, void *arg);
};

/* All is borrowed and outlives the handoffs.  NULL with errno. */
struct handoffs *handoffs_new(struct event_base *base,
	    const struct settings *settings, struct totals *totals,
	    struct placement *placement, struct quotas *quotas,
	    struct roster *roster, struct lingerers *linger, const struct handoff_ops *ops, void *arg);
void	 handoffs_free(struct handoffs *hs);	/* closes what is left */
/*
 * Place and send.  fd, and the reference to an address, are taken in any case; what
 * the slices of ask point to is borrowed during the call.  Without room it starts a shard and
 * waits (2 s, at most settings->waiting_max at a time), or answers 503 with
 * Retry-After and ends the connection.
 */
void	 handoff_start(struct handoffs *hs, const struct handoff_ask *ask,
	    int fd);
/* Redis has said how many places the group of one of them may have (quota.h). */
void	 handoff_counted(struct handoffs *hs, struct quota_wait *w);
/* The roster's news. */
void	 handoff_shard_ready(struct handoffs *hs, struct shard *s);
void	 handoff_shard_dead(struct handoffs *hs, struct shard *s); /* drained */
void	 handoff_adopted(struct handoffs *hs, struct shard *s, uint64_t id);
/* leaving: only because the shard is, which does not count as a try. */
void	 handoff_refused(struct handoffs *hs, struct shard *s, uint64_t id,
	    struct slice why, int leaving);
/* A shard may be started now, or one has come up: those who wait for any. */
void	 handoff_retry(struct handoffs *hs);
/* A shard sends a connection home: takes fd, releases its place, answers ADOPTED,
 * and, when the kernel has the answer, gives it to ops->home. */
void	 handoff_home(struct handoffs *hs, struct shard *s,
	    const struct capsule *c, int fd);
/* The end of a packet of the shard's; its channel was stuck and goes on. */
void	 handoff_packet(struct handoffs *hs, struct shard *s);
void	 handoff_sent(struct handoffs *hs, struct shard *s);
/* Leaving: refuse all that wait. */
void	 handoff_leave(struct handoffs *hs);
size_t	 handoff_count(const struct handoffs *hs);	/* on their way */

#endif
