/*
 * How fast a client's machine takes what it is owed.  That our socket can be
 * written to again says it late, for that comes only when a third of what the
 * kernel has for the client, some megabytes, is free: on a thin line that is
 * minutes.  So whoever is about to be ended for reading nothing is looked at:
 * how much has its machine acknowledged (TCP_INFO; elsewhere SIOCOUTQ)?  Never
 * on the way of a message.
 *
 * A client lives while its machine takes PACE_LEAST (proto/limits.h), on average.
 * From one that takes less, memory could be held for as long as it likes.
 */
#ifndef SHARDD_PACE_H
#define SHARDD_PACE_H

#include <stddef.h>
#include <stdint.h>

struct conn;

/* What became of what c was owed at pace_mark()? */
enum pace {
	PACE_SLOW,		/* taken at less than that pace; or there is no mark */
	PACE_GOOD,		/* taken at that pace, and not all of it */
	PACE_ALL		/* all was taken */
};

/* Bytes that c's machine has not acknowledged: those that wait, and the kernel's. */
size_t	 pace_owed(const struct conn *c);
/* From here on it is measured.  Nothing is remembered of one that is owed nothing. */
void	 pace_mark(struct conn *c);
/* Since the last call, or the mark; asked again, it is about the same bytes. */
enum pace pace_since_mark(struct conn *c);
/*
 * c has to read, or is ended when c->since is too long ago: moves c->since on by
 * the time for which what was taken is enough.  To be called again and again from
 * a second after c->since on; looks once a second.  Returns how many bytes c was
 * owed when it was last looked at.
 */
uint32_t pace_follow(struct conn *c);

#endif
