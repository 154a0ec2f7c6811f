/* What all sessions of a shard share; session.c makes and ends it. */
#ifndef SHARDD_SESSIONS_H
#define SHARDD_SESSIONS_H

#include "common/bytes.h"
#include "common/list.h"
#include "common/map.h"
#include "common/turn.h"
#include "shardd/client/conn.h"
#include "shardd/session/applications.h"

struct kennel_socket;
struct lookup;

struct sessions {
	struct clients	 clients;
	struct applications apps;
	struct map	 policies;	/* of routes, by label */
	struct map	 listeners;	/* the same of raw listeners */
	struct lookup	*lookup;	/* NULL until START */
	struct list	 leaving;	/* struct parted: Redis is asked */
	struct list	 parted;	/* those whose PARTED is awaited */
	struct list	 settled;	/* those of whom nobody says it */
	struct list	 outgoing;	/* struct outgoing: under way */
	struct turn_work settle;	/* nobody will say PARTED for some there */
	void		(*move_ended)(struct move *m);	/* its connection has */
};

static inline struct sessions *
sessions_of(const struct conn *c)
{
	return (container_of(c->clients, struct sessions, clients));
}

/* What kennel.h calls a connection. */
static inline struct kennel_socket *
conn_socket(struct conn *c)
{
	return ((struct kennel_socket *)c);
}

#endif
