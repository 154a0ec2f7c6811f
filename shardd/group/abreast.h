/*
 * Who goes on here after the death of its shard may have heard there what our replica has
 * still to hear, and would hear it again.  So it waits until ours is abreast: until each
 * neighbour has answered a question that was asked when its old shard was dead, which
 * it does behind all that it had said before; and, where there are other nodes, until what
 * was published then has come from Redis, which keeps the order for each who listens, for
 * a replica there that is not known here yet.
 *
 * What moves has marks for that (seen.h).  The dead have left none: to write down in the
 * page what each origin has said would cost a store a message, for what happens once.
 */
#ifndef SHARDD_ABREAST_H
#define SHARDD_ABREAST_H

#include <stdint.h>

#include "common/list.h"

struct neighbourhood;
struct replica;

#define ABREAST_MS	4000	/* that a neighbour is waited for which does not answer */

struct abreast_wait {			/* embedded in what waits */
	struct list	 at;		/* replica->abreast */
	uint64_t	 since;		/* clock_ns */
	int		 answered;	/* by all neighbours, since then */
	void		(*done)(struct abreast_wait *w);	/* may free it */
	void		(*gone)(struct abreast_wait *w);	/* dismissed */
};

void	 abreast_init(struct replica *r);
/*
 * Wait, from now on, with w->done and w->gone set; neither is called from within.
 * A neighbour has ABREAST_MS to answer.  What Redis is still to bring, where it is there,
 * is waited for without an end: that is the caller's.
 */
void	 abreast_begin(struct replica *r, struct abreast_wait *w);
void	 abreast_end(struct abreast_wait *w);	/* wait no more, if it does */
/* r is dismissed: all who wait hear it. */
void	 abreast_dismissed(struct replica *r);
/* Something has come, or it is time to ask again. */
void	 abreast_look(struct neighbourhood *hood);

#endif
