/*
 * Capsules on their way: from the decision until the receiver says adopted.
 * The gateway keeps its copy of the descriptor that long.  When the shard
 * refuses, dies or does not start in time, the connection is placed afresh, at
 * most HANDOFF_TRIES times, else refused with 503: never two answers, never
 * none.
 */
#ifndef GATEWAYD_HANDOFF_H
#define GATEWAYD_HANDOFF_H

#include "common/bytes.h"
#include "proto/capsule.h"
#include "proto/control.h"

struct address;
struct gateway;
struct handoff;
struct handoffs;
struct shard;

#define HANDOFF_TRIES	3

/* What placing (again) needs; slices borrowed during the call. */
struct handoff_ask {
	uint64_t	 id;
	struct slice	 group;		/* data NULL: none */
	struct slice	 uid, app, route, peer, early;
	uint32_t	 limit;
	uint32_t	 flags;		/* CAPSULE_F_* */
	int		 http;		/* plain */
	int		 head_only;	/* HEAD, for a refusal */
	struct address	*address;	/* a reference, taken; or NULL */
	const struct capsule_header *headers;
	size_t		 nheaders;
};

struct handoffs *handoffs_new(struct gateway *g);	/* NULL with errno */
void	 handoffs_free(struct handoffs *hs);	/* closes what is left */
/*
 * Place and send.  fd is taken in any case.  Without room it starts a shard and
 * waits (2 s, at most settings->waiting_max at a time), or answers 503 with
 * Retry-After and ends the connection.
 */
void	 handoff_start(struct gateway *g, const struct handoff_ask *ask,
	    int fd);
/* The roster's news. */
void	 handoff_shard_ready(struct gateway *g, struct shard *s);
void	 handoff_shard_dead(struct gateway *g, struct shard *s); /* drained */
void	 handoff_adopted(struct gateway *g, struct shard *s, uint64_t id);
/* leaving: only because the shard is, which does not count as a try. */
void	 handoff_refused(struct gateway *g, struct shard *s, uint64_t id,
	    struct slice why, int leaving);
/* A shard may be started now, or one has come up: those who wait for any. */
void	 handoff_retry(struct gateway *g);
/* A shard sends a connection home: takes fd, releases its place, answers ADOPTED,
 * and, when the kernel has the answer, gives it to arrival_home(). */
void	 handoff_home(struct gateway *g, struct shard *s,
	    const struct capsule *c, int fd);
/* The end of a packet of the shard's; its channel was stuck and goes on. */
void	 handoff_packet(struct gateway *g, struct shard *s);
void	 handoff_sent(struct gateway *g, struct shard *s);
/* Leaving: refuse all that wait. */
void	 handoff_leave(struct gateway *g);
size_t	 handoff_count(const struct gateway *g);	/* on their way */

#endif
