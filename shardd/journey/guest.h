/* One connection that is expected, until it is ours or does not come. */
#ifndef SHARDD_GUEST_H
#define SHARDD_GUEST_H

#include "shardd/journey/inside.h"

/* EXPECT: one more.  It is EXPECTED, or *why not, and CTL_F_*.  NULL then. */
struct guest *guest_new(struct landing *l, const struct ctl *m,
	    const char **why, uint32_t *flags);
/* It does not come, or has come.  What is its own is given back. */
void	 guest_free(struct guest *g);
/* ADOPT: it is here, to be held; fd is taken on success.  0, or -1 with errno. */
int	 guest_arrived(struct guest *g, struct slice record, int fd);
/* Can it go on here?  Then it is ADOPTED, or refused; may free g. */
void	 guest_try(struct guest *g);
/* It is ours: it goes on.  Frees g. */
void	 guest_begin(struct guest *g);
/* To the other side: it is not taken.  Frees g. */
void	 guest_refuse(struct guest *g, uint32_t flags, const char *why);

#endif
