/* The struct that holds a worker process together. */
#ifndef SHARDD_WORKER_H
#define SHARDD_WORKER_H

#include <stdint.h>

#include "common/backoff.h"
#include "common/list.h"
#include "common/map.h"
#include "common/redis.h"
#include "common/turn.h"
#include "proto/control.h"
#include "proto/limits.h"

struct control;
struct event;
struct event_base;
struct kennel_app;
struct link;
struct lookup;

struct worker_options {		/* CTL_OPTION; defaults in worker.c */
	size_t		 message_max;		/* 16 MiB */
	size_t		 body_max;		/* 1 MiB */
	size_t		 out_max;		/* 1 MiB already queued */
	unsigned	 request_ms;		/* 30 000: head and body */
	unsigned	 closing_ms;		/* 5 000: close handshake */
	unsigned	 ping_ms;		/* 30 000 */
	unsigned	 drain_ms;		/* 10 000 */
	unsigned	 whisper_ask;		/* 8 neighbours */
};

struct worker {
	struct event_base *base;
	const struct kennel_app *apps;
	size_t		 napps;
	uint32_t	 slot;
	uint64_t	 incarnation;
	char		 node[NODE_MAX + 1];
	char		 address[ADDRESS_MAX];	/* <node>/<slot>#<incarnation> */
	char		*control_path, *link_path;
	size_t		 capacity;
	uint64_t	 started;		/* ms since 1970 */
	struct worker_options opt;
	struct map	 options;		/* all, for kennel_option() */

	struct control	*control;		/* NULL: no gateway now */
	int		 started_up;		/* START was heard once */
	int		 draining;
	struct backoff	 redial;
	struct event	*redial_timer;
	uint64_t	 orphan_since;		/* clock_ms, 0: has a gateway */

	struct map	 replicas;		/* by id */
	struct list	 conns;			/* all */
	size_t		 nconns;
	struct list	 links;			/* link.c */
	struct event	*link_listener;		/* link.c's own use */
	int		 link_fd;
	struct lookup	*lookup;		/* NULL until START */
};

/* A message to the gateway; dropped without one.  0 or -1. */
int	 worker_tell(struct worker *w, const struct ctl *m);
const struct kennel_app *worker_app(const struct worker *w, struct slice name);
/* link.c: a link's queue went down again: sockets paused for it go on. */
void	 worker_links_eased(struct worker *w);

extern struct worker *worker_self;	/* one a process; for api.c */

#endif
