/*
 * A signpost is what servers tell each other of files: which server has one, and where
 * that server is reached.  It stands in a forest, if there is one, else in the Redis of the
 * cluster.  The files themselves go from server to server (shardd/forest/porter.h).
 */
#ifndef SHARDD_APE_SIGNPOST_H
#define SHARDD_APE_SIGNPOST_H

#include "shardd/kennel-forest.h"

#define SIGNPOST_SERVER	64		/* bytes of a server's id */
#define SIGNPOST_KEY	"ape_key"	/* the option with the servers' common key */

/* Files may travel within the cluster, if it has nothing else to do so by. */
void	 signpost_open(void);
/* It stands in this forest, where we are server; both are borrowed until it stands
 * nowhere: a NULL.  Nothing is told until it is up. */
void	 signpost_use(const struct forest_adapter *a, void *self,
	    const char *server);
void	 signpost_up(int up);
/* The end. */
void	 signpost_close(void);

/* Our own id, as a name that may stand in a path; NULL: others do not reach us. */
const char *signpost_here(void);
/* Are all whom it tells of nodes of our own cluster?  Then who was first with an id has
 * it for all of them. */
int	 signpost_decides(void);
/* This server has that file now; who was first with an id stays. */
void	 signpost_tell(const char *id);

/* server, and where it is reached, borrowed; or both NULL: there is none. */
typedef void	signpost_cb(const char *server, const char *where, void *arg);
/* Which other server has a file?  Where is that server?  cb comes once, perhaps from
 * within. */
void	 signpost_find(const char *id, signpost_cb *cb, void *arg);
void	 signpost_where(const char *server, signpost_cb *cb, void *arg);

#endif
