/* The struct that holds a worker process together. */
#ifndef SHARDD_WORKER_H
#define SHARDD_WORKER_H

#include <stdint.h>

#include "common/backoff.h"
#include "common/list.h"
#include "common/map.h"
#include "common/redis.h"
#include "proto/close_why.h"
#include "proto/control.h"
#include "proto/keys.h"
#include "proto/limits.h"
#include "shardd/client/sweep.h"
#include "shardd/doorway.h"
#include "shardd/gate.h"
#include "shardd/group/groups.h"
#include "shardd/journey/journeys.h"
#include "shardd/lending.h"
#include "shardd/options.h"
#include "shardd/session/sessions.h"
#include "shardd/state/authority.h"

struct control;
struct event;
struct event_base;
struct page;
struct wires;

struct worker {
	struct event_base *base;
	struct sessions	 sessions;
	uint32_t	 slot;
	unsigned	 version;	/* of messages, the highest that we speak */
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
	uint64_t	 dropped_said;		/* messages for the slow, logged */
	uint64_t	 dropped_at;		/* clock_ms of that */

	struct gate	 gate;
	pid_t		 gateway_pid;		/* of control's other side */
	int		 gateway_pidfd;		/* or -1 */
	int		 started_up;		/* START was heard once */
	uint64_t	 ready_since;		/* clock_ms: READY is owed; 0: not */
	int		 draining;		/* 1: closing, 2: nobody is left */
	uint64_t	 drain_since, drain_ms;	/* clock_ms, ms */
	enum close_why	 drain_why;		/* that its clients read */
	size_t		 drain_total;		/* connections then */
	struct backoff	 redial;
	struct event	*redial_timer;
	uint64_t	 orphan_since;		/* clock_ms, 0: has a gateway */
	struct doorways	 doorways;		/* of the gateway's clients */
	struct lending	 lending;		/* of descriptors, to the gateway */

	struct groups	 groups;
	struct authority_desk desk;		/* of the groups' states */
	struct wires	*wires;			/* to the shards of this node */
	struct sweep	 sweep;
	struct list	 parked;		/* struct parked, parked.h */
	struct journeys	 journeys;		/* from here, and to here */
};

/* A message to the gateway; dropped without one.  0 or -1. */
int	 worker_tell(struct worker *w, const struct ctl *m);
/* START was heard: the lookup begins.  Again is harmless.  0 or -1. */
int	 worker_start(struct worker *w);
/* Say READY: now if our entries can be listed, else when they can, or soon. */
void	 worker_get_ready(struct worker *w);
/* Close everybody for that reason in a paced way, finish HTTP, then leave; within
 * ms. */
void	 worker_drain(struct worker *w, unsigned ms, enum close_why why);
void	 worker_tick(void *worker);	/* the sweep's, each 100 ms */
/* The groups, none yet; listens for the other shards of the node.  0, or -1 with
 * errno.  And their end. */
int	 worker_init_groups(struct worker *w);
void	 worker_end_groups(struct worker *w);

#endif
