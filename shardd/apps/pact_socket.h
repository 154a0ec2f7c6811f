/* pact: a socket of a room, and what all sockets of the room here share. */
#ifndef SHARDD_APPS_PACT_SOCKET_H
#define SHARDD_APPS_PACT_SOCKET_H

#include <stdio.h>

#include "shardd/apps/js.h"
#include "shardd/apps/pact_roll.h"
#include "shardd/kennel.h"

struct pact_due;

struct pact_room {
	struct pact_roll roll;		/* of sockets here */
	uint64_t	 hand;		/* of pact_make_place() */
};

struct pact_socket {
	struct pact_roll_node on_roll;	/* stands first */
	struct kennel_socket *socket;
	struct pact_room *room;
	struct pact_due	*queue;		/* NULL: nothing is due */
	struct pact_socket *after, *before;	/* in it */
	uint64_t	 due;		/* ms since 1970: ping, join again, or hear of
					   the configuration */
	char		*session;	/* pact_name() of the uid */
	char		*public;	/* properties for all, JSON; NULL: to be
					   looked up */
	char		*blob;		/* it came from another process with it; NULL:
					   long ago */
	size_t		 blob_len;
	json_t		*waiting;	/* a message whose step is not done: relays
					   hear of it afterwards */
	double		 suffix;
	int		 asked;		/* a join was sent */
	int		 joined;
	int		 refused;	/* for good */
	int		 told;		/* that joining has to wait */
	int		 admin;
	unsigned	 subscriptions, relays;
};

static inline struct pact_socket *
pact_on_roll(struct pact_roll_node *n)
{
	return ((struct pact_socket *)n);	/* where it stands first */
}

/*
 * A step of the socket: words, the last NULL.  With done, which comes later, its
 * next messages wait.  0, or -1 with errno.
 */
int	 pact_do(struct pact_socket *ps, kennel_done_cb *done, void *arg,
	    const char *const *words);

/* What is to be known of ps if this process dies: where it is, and what it may. */
void	 pact_keep(struct pact_socket *ps);

/* What is known about the connection, from a trusted proxy: a JSON object. */
void	 pact_write_details(FILE *f, const struct kennel_socket *s);

#endif
