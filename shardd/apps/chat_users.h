/*
 * The users of a chat room: each replica knows its own, and asks the others by gossip.
 */
#ifndef SHARDD_CHAT_USERS_H
#define SHARDD_CHAT_USERS_H

#include <stddef.h>

#include "shardd/kennel.h"

/* A replica's data.  0, or -1 without memory. */
int	 chat_users_start(struct kennel_replica *r);
void	 chat_users_stop(struct kennel_replica *r);
/* The socket's user came (1) or left (-1). */
void	 chat_users_count(struct kennel_socket *s, int step);
/* Has this user a socket in r? */
int	 chat_users_here(struct kennel_replica *r, const char *uid, size_t len);
/* Who is here: the answer to a neighbour. */
void	 chat_users_gossip(struct kennel_replica *r, struct kennel_answer *a,
	    const char *msg, size_t msg_len);
/* The list of all, "user:list", from what neighbours have answered and from r.  NULL
 * without memory. */
char	*chat_users_list(struct kennel_replica *r,
	    const struct kennel_slot *slots, size_t n, size_t *len);

#endif
