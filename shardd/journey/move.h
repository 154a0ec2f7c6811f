/* One connection that is to leave: what is said of it, and where it stands. */
#ifndef SHARDD_MOVE_H
#define SHARDD_MOVE_H

#include "shardd/journey/inside.h"

/* MOVE: one more, sought.  NULL without memory, or with errno EEXIST. */
struct move *move_new(struct departure *d, const struct ctl *m);
/* What is said about m has been said: it is no more.  Its connection goes on. */
void	 move_free(struct move *m);
/* Connections that are sought are found, all in one pass. */
void	 move_seek(struct journeys *js);
/* m is in this state from now on, and stands in that list. */
void	 move_set_state(struct move *m, enum move_state state,
	    struct list *in);
/* To the other side: ask for m, or say that it does not come.  0, or -1. */
int	 move_expect(struct move *m);
void	 move_cancel(struct move *m);
/* It is frozen and sent.  0, or -1 with errno, and it goes on here. */
int	 move_send(struct move *m);
/* m has moved.  Its application knows it until move_end(), which tells the gateway and
 * frees m. */
void	 move_moved(struct move *m);
void	 move_end(struct move *m);
/* To the gateway: m stays (CTL_F_*, a sentence).  Frees m. */
void	 move_stayed(struct move *m, uint32_t flags, const char *why);
/* It could not go now: again a little later, or (often enough) it stays, as by
 * move_stayed(). */
void	 move_again(struct move *m, uint32_t flags, const char *why);

#endif
