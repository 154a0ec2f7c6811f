/* What clients are told without having asked. */
#ifndef SHARDD_APE_PUSH_H
#define SHARDD_APE_PUSH_H

#include "proto/jss.h"
#include "shardd/ape/room.h"

/* To one client here.  0, or -1 with errno. */
int	 push_one(struct ape_client *c, const char *type, const struct jss *data);

/* Whom a push to many leaves out. */
struct push_but {
	struct kennel_socket *socket;	/* who says it; NULL: nobody */
	int		 others;	/* that socket is left out */
	const char	*id;		/* all of that id are; NULL: nobody */
};
/* To all clients of the group but those.  0, or -1 with errno. */
int	 push_many(struct room *room, const struct push_but *but,
	    const char *type, const struct jss *data);
/* To the clients of that id, wherever they are. */
int	 push_to(struct room *room, const char *id, const char *type,
	    const struct jss *data, ape_sent_cb *sent, void *arg);

/* Another server pushes, to clients of this process: to one (dest), or to all but one
 * (except); each may be NULL. */
void	 push_foreign(struct room *room, const char *dest, const char *except,
	    const char *type, const struct jss *data);

/* The ids of all clients, on all shards. */
int	 push_ids(struct room *room, ape_ids_cb *cb, void *arg);
/* A neighbour tells, or asks, one of these. */
void	 push_told(struct room *room, const struct kennel_word *w);
/* The same, missed by a client who was on its way: for that one alone. */
void	 push_told_one(struct ape_client *c, const struct kennel_word *w);
void	 push_gossip(struct room *room, struct kennel_answer *a,
	    const char *msg, size_t len);

#endif
