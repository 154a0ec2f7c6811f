/* All parts of a gateway, as gateway.c puts them together. */
#ifndef GATEWAYD_PARTS_H
#define GATEWAYD_PARTS_H

#include <stdint.h>

#include "gatewayd/refused.h"
#include "gatewayd/settings.h"
#include "gatewayd/sockets.h"
#include "gatewayd/totals.h"

struct admin;
struct anchors;
struct arrivals;
struct balance;
struct checks;
struct control_door;
struct event_base;
struct elsewheres;
struct forgets;
struct handoffs;
struct lingerers;
struct placement;
struct quotas;
struct redisd;
struct registry;
struct roster;
struct sock_fprog;
struct succession;
struct supervisor;
struct upgrade;

struct gateway {
	struct event_base *base;
	struct settings	 settings;
	uint64_t	 incarnation;
	uint64_t	 started;	/* ms since 1970 */
	int		 leaving;
	uint64_t	 leave_at;	/* clock_ms: the pause before is over */
	struct sockets	 sockets;
	struct placement *placement;
	struct quotas	*quotas;
	struct roster	*roster;
	struct lingerers *linger;
	struct handoffs	*handoffs;	/* with the roster */
	struct arrivals	*arrivals;	/* likewise */
	struct balance	*balance;	/* with the roster */
	struct upgrade	*upgrade;	/* likewise */
	struct succession *succession;
	int		 succeeded;	/* nobody is accepted for its sake */
	struct anchors	*anchors;	/* since it is ready */
	struct checks	*checks;
	struct forgets	*forgets;
	struct elsewheres *elsewheres;
	struct redisd	*redisd;	/* NULL: not ours */
	struct registry	*registry;	/* NULL: --redis none */
	struct control_door *door;	/* control.sock */
	struct supervisor *supervisor;	/* NULL: there is none */
	int		 admin_fd;	/* until there is admin; -1 */
	struct admin	*admin;		/* NULL: none is wanted */
	struct sock_fprog *filter;	/* for the workers; NULL: none */
	char		*redis_url;	/* "" for none; what the shards are told */
	struct totals	 totals;
	struct refused	 refused;	/* of them, in the log */
};

/* Free what is there, the upper before the lower. */
void	 parts_free(struct gateway *g);
/* Remove the sockets that we made. */
void	 parts_unlink(const struct gateway *g);

#endif
