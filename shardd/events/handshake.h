/*
 * What comes before a client is registered, where that is more than its connection:
 * clients of dialect 2 are given a seed, prove that they know the key, and say what
 * they are; and where both dialects are served, it is found out which one a client
 * speaks.  Until it is over nobody can reach the client, and nothing of the client
 * counts.
 */
#ifndef EVENTS_HANDSHAKE_H
#define EVENTS_HANDSHAKE_H

#include <sys/types.h>

#include "common/bytes.h"

struct events_socket;

#define HANDSHAKE_MS		10000	/* defaults: until a client is registered, */
#define HANDSHAKE_SILENCE_MS	200	/* and until one that says nothing is asked */

/* s is to be registered, in the dialect that it has now: 0, or -1. */
typedef int	handshake_done_cb(struct events_socket *s);

/* s is another host, of that name, and will be no client: 0, or -1 with *why. */
typedef int	handshake_link_cb(struct events_socket *s, struct slice host,
		    const char **why);

/* s speaks dialect 2, or either.  0, or -1, said in the log. */
int	 handshake_begin(struct events_socket *s, handshake_done_cb *done,
	    handshake_link_cb *link);
/* s, whose handshake is under way, has sent these bytes: as frames_input(). */
ssize_t	 handshake_input(struct events_socket *s, const char *data, size_t len);
/* s has gone amid its handshake. */
void	 handshake_end(struct events_socket *s);

#endif
