/* The struct that holds a worker process together. */
#ifndef SHARDD_WORKER_H
#define SHARDD_WORKER_H

#include <stdint.h>

#include "common/backoff.h"
#include "common/line.h"
#include "common/list.h"
#include "common/map.h"
#include "common/redis.h"
#include "common/turn.h"
#include "proto/control.h"
#include "proto/keys.h"
#include "proto/limits.h"
#include "shardd/gate.h"
#include "shardd/options.h"

struct burst;
struct conn;
struct control;
struct event;
struct event_base;
struct kennel_app;
struct link;
struct listener;
struct lookup;
struct page;
struct poller;
struct store;
struct unfinished;

struct worker {
	struct event_base *base;
	struct poller	*poller;		/* of the clients */
	const struct kennel_app *apps;
	size_t		 napps;
	size_t		*message_max;		/* of each of them */
	uint32_t	 slot;
	uint64_t	 incarnation;
	char		 node[NODE_MAX + 1];
	char		 address[ADDRESS_MAX];	/* <node>/<slot>#<incarnation> */
	char		*control_path, *link_path;
	struct page	*page;			/* what we are at, for the gateway */
	int		 page_fd;
	const char	*run_dir;
	size_t		 capacity;
	uint64_t	 started;		/* ms since 1970 */
	struct options	 opt;
	struct map	 policies;		/* of routes, by label */
	uint64_t	 dropped;		/* messages, for the slow */
	uint64_t	 dropped_said;		/* of them, logged */
	uint64_t	 dropped_at;		/* clock_ms of that */

	struct gate	 gate;
	int		 gateway_pidfd;		/* of control's other side, -1 */
	int		 started_up;		/* START was heard once */
	uint64_t	 ready_since;		/* clock_ms: READY is owed; 0: not */
	int		 draining;		/* 1: closing, 2: nobody is left */
	uint64_t	 drain_since, drain_ms;	/* clock_ms, ms */
	size_t		 drain_total;		/* connections then */
	struct backoff	 redial;
	struct event	*redial_timer;
	uint64_t	 orphan_since;		/* clock_ms, 0: has a gateway */

	struct map	 replicas;		/* by id */
	struct list	 conns;			/* open, idle: pings only */
	struct list	 timed;			/* in any other state */
	struct list	 homing;		/* HOMING, in order of sending */
	struct list	 doomed;		/* to be ended this turn */
	struct list	 parted;		/* struct parted, conn.c */
	size_t		 nconns;
	struct conns	 {			/* to be flushed */
		struct conn	**at;
		size_t		  n, cap;
	}		 dirty, late;
	/* Who waits for another turn: not begun yet, and used one up. */
	struct line	 lines[2];
	unsigned	 line;			/* that was served last */
	struct line	 crowd;			/* to be flushed when there is time */
	int		 crowding;		/* who is sent to goes there */
	struct turn_work flush, flush_crowd, flush_late, reap, next;
	struct unfinished *unfinished;		/* input of all clients */
	struct burst	*burst;			/* many sends at once, or NULL */
	int		 burst_off;		/* there is no such thing here */
	struct event	*sweep_timer;
	struct list	 parked;		/* struct parked, orders.c */
	struct list	 links;			/* link.c */
	struct listener	*link_listener;		/* link.c */
	struct lookup	*lookup;		/* NULL until START */
	struct store	*store;			/* NULL: nothing decides, no Redis */
	struct list	 restless;		/* struct authority */
	struct list	 keeping;		/* the same: whose state in Redis is
						   used, the longest untouched first */
};

/* A message to the gateway; dropped without one.  0 or -1. */
int	 worker_tell(struct worker *w, const struct ctl *m);
/* START was heard: the lookup begins.  Again is harmless.  0 or -1. */
int	 worker_start(struct worker *w);
/* Say READY: now if our entries can be listed, else when they can, or soon. */
void	 worker_get_ready(struct worker *w);
void	 worker_listed(struct worker *w);	/* lookup.c: they can */
/* Close everybody in a paced way, finish HTTP, then leave; within ms. */
void	 worker_drain(struct worker *w, unsigned ms);
void	 worker_tick(struct worker *w);		/* the sweep's, each 100 ms */
void	 worker_end(struct worker *w);
struct store *worker_store(struct worker *w);
/* The largest message that app takes of a client, in bytes. */
size_t	 worker_message_max(const struct worker *w,
	    const struct kennel_app *app);
const struct kennel_app *worker_app(const struct worker *w, struct slice name);
/* link.c: a link's queue went down again: sockets paused for it go on. */
void	 worker_links_eased(struct worker *w);

extern struct worker *worker_self;	/* one a process; for api.c */

#endif
