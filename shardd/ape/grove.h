/*
 * The grove is this process's part of a forest: servers of other clusters and of other
 * software, whose clients are reached by an adapter (kennel-forest.h).
 */
#ifndef SHARDD_APE_GROVE_H
#define SHARDD_APE_GROVE_H

#include "proto/jss.h"
#include "shardd/ape/room.h"

/* Another server pushes: to one client (dest), or to all but one (except); each may be
 * NULL. */
typedef void	grove_push_cb(struct room *room, const char *dest,
		    const char *except, const char *type,
		    const struct jss *data);
/* From now on it gets what others push. */
void	 grove_open(grove_push_cb *cb);
/* A client has come; it has gone. */
void	 grove_add(const struct ape_client *c);
void	 grove_remove(const struct ape_client *c);

/* A push, the text that clients get, for those of all other servers but one (NULL:
 * none). */
void	 grove_all(struct slice push, const char *except);
/* What would be pushed to one client of another server; NULL: there is no other server,
 * or no memory. */
struct grove_letter;
struct grove_letter *grove_write(const char *dest, struct slice push);
/* It is pushed, and sent is called once, now or later.  Takes the letter. */
void	 grove_send(struct grove_letter *l, ape_sent_cb *sent, void *arg);
void	 grove_drop(struct grove_letter *l);	/* it is not; NULL is nothing */

#endif
