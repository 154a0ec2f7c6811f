/*
 * The network has one holder in a cluster: the replica of the lowest number, which is the
 * oldest of its gateway's.  Links are where their connections are; what is said over
 * them goes to the holder, and from there.  Each replica tells the holder how many of
 * its clients are in which room.  When there is another holder, all links end, and come
 * again.
 */
#ifndef EVENTS_HOLDER_H
#define EVENTS_HOLDER_H

#include "common/bytes.h"
#include "shardd/events/word.h"

struct events_server;
struct far_ops;
struct network_ops;
struct events_socket;
struct kennel_socket;

/* Take part, if [worker] says that we are a host (app.host).  0 or -1. */
int	 holder_start(struct events_server *v, const struct far_ops *far,
	    const struct network_ops *ops);
void	 holder_stop(struct events_server *v);
/* A neighbour has told this (WORD_LINK_UP to WORD_MEMBERS). */
void	 holder_told(struct events_server *v, uint64_t neighbour,
	    const struct word *w, struct slice data);
/* The same of what is for clients, missed by s, who was on its way. */
void	 holder_told_one(struct events_socket *s, uint64_t neighbour,
	    const struct word *w, struct slice data);
/* What waited for other processes is on its way. */
void	 holder_eased(struct events_server *v);
void	 holder_neighbour_gone(struct events_server *v, uint64_t neighbour);
/* A connection that was dialled, whose data is its dial: 0, or -1, it is not wanted. */
int	 holder_dialled(struct kennel_socket *ks);
/* s, authenticated, is the link of a peer: 0, or -1 with *why. */
int	 holder_accept(struct events_socket *s, struct slice peer,
	    const char **why);

#endif
