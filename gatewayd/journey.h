/*
 * A journey moves connections from one shard to another: the gateway says which ones,
 * and where each has its seat (reserve.h); the two shards do the rest between
 * themselves, over the ferry (control.h).
 *
 * A connection that is on its way is counted at both.  Where it is at last, the
 * shards say, or their ends do: what a shard has been sent when the one it comes
 * from dies is its own, so that the dead one is not buried before the other has
 * spoken.
 */
#ifndef GATEWAYD_JOURNEY_H
#define GATEWAYD_JOURNEY_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

struct ctl;
struct event_base;
struct journey;
struct journeys;
struct place;
struct placement;
struct shard;
struct totals;

struct journey_ops {
	/* A connection has moved. */
	void	(*moved)(struct journey *j, void *arg);
	/* It stays; how: CTL_F_NEVER, to ask again is of no use; CTL_F_DECLINED, it
	 * was the other shard that refused it.  why is a sentence. */
	void	(*stayed)(struct journey *j, uint64_t id, uint32_t how,
		    struct slice why, void *arg);
	/* The journey is over; it is freed after the call. */
	void	(*done)(struct journey *j, void *arg);
};

/* All is borrowed.  buried: a dead shard may be buried now.  NULL with errno. */
struct journeys *journeys_new(struct event_base *base,
	    struct placement *placement, struct totals *totals,
	    void (*buried)(struct shard *s, void *arg), void *arg);
void	 journeys_free(struct journeys *js);

/* Could connections of that shard move, if there is another one that takes them? */
int	 journey_may_leave(const struct shard *from);
/* Can connections of this application (NULL: not known) move from one to the other? */
int	 journey_possible(const struct shard *from, const struct shard *to,
	    const char *app);
/* NULL with errno. */
struct journey *journey_begin(struct journeys *js, struct shard *from,
	    struct shard *to, const struct journey_ops *ops, void *arg);
/* Have a connection of `from` moved.  0, or -1 with errno as reserve_take(). */
int	 journey_send(struct journey *j, struct place *place);
/* No other follows; stop: those that are not amid of it stay. */
void	 journey_end(struct journey *j, int stop);
/* The same with stop, unless it was told to end already. */
void	 journey_stop(struct journey *j);
/* Its ops are called no more; what has begun goes on. */
void	 journey_abandon(struct journey *j);
size_t	 journey_unanswered(const struct journey *j);
struct shard *journey_to(const struct journey *j);

/* What shards say: MOVED, STAYED, ARRIVED, JOURNEY_DONE.  0, or -1: nonsense. */
int	 journeys_message(struct journeys *js, struct shard *s,
	    const struct ctl *m);
/* A shard says hello, or is gone: its journeys are over. */
void	 journeys_hello(struct journeys *js, struct shard *s);
/* A shard is dead.  1: another one is still to say what it has of it, then `buried` is
 * called; 0: bury it. */
int	 journeys_dead(struct journeys *js, struct shard *s);

#endif
