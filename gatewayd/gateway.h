/* The struct that holds the gateway together. */
#ifndef GATEWAYD_GATEWAY_H
#define GATEWAYD_GATEWAY_H

#include <stdint.h>

#include "common/bucket.h"
#include "common/list.h"
#include "common/map.h"
#include "gatewayd/settings.h"
#include "proto/close_why.h"

struct arrivals;
struct control_door;
struct event_base;
struct handoffs;
struct listener;
struct placement;
struct redisd;
struct registry;
struct roster;
struct sock_fprog;

struct totals {			/* since this gateway started */
	uint64_t accepted;		/* connections */
	uint64_t requests;		/* heads read, at home too */
	uint64_t handed;		/* adopted by shards */
	uint64_t home;			/* came home */
	uint64_t refused;		/* answered with an error by the gateway */
	uint64_t gone[CLOSE_NWHYS];	/* as the shards say */
	uint64_t second_release;	/* should be 0 */
};

struct gateway {
	struct event_base *base;
	struct settings	 settings;
	uint64_t	 incarnation;
	uint64_t	 counter;	/* connections; ids are unique per node */
	uint64_t	 replica_counter;
	uint64_t	 started;	/* ms since 1970 */
	int		 leaving;
	int		 bound[LISTEN_MAX];	/* until there are listeners */
	size_t		 nbound;
	int		 activated;	/* they were passed to us */
	struct listener	*listeners[LISTEN_MAX];
	size_t		 nlisteners;
	struct placement *placement;
	struct roster	*roster;
	struct arrivals	*arrivals;
	struct bucket	 accepts;
	struct map	 addresses;	/* of clients, if they are counted */
	struct handoffs	*handoffs;
	struct list	 checks;	/* check.c */
	struct redisd	*redisd;	/* NULL: not ours */
	struct registry	*registry;	/* NULL: --redis none */
	struct control_door *door;	/* control.sock */
	struct sock_fprog *filter;	/* for the workers; NULL: none */
	char		*redis_url;	/* "" for none; what the shards are told */
	struct totals	 totals;
};

/* settings are loaded, the run directory is ours.  From start to end; the exit
 * status. */
int	 gateway_run(struct gateway *g);
/* A connection id: 32 bits of the incarnation, 32 of the counter; never 0. */
uint64_t gateway_next_id(struct gateway *g);

#endif
