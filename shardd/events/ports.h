/*
 * Links to the peers of a host, as its holder has them: where the connection of each is, and
 * which of them wait.  Whoever says something for a link that is over its mark, or for
 * a process for which too much waits, is not read until that has changed.
 */
#ifndef EVENTS_PORTS_H
#define EVENTS_PORTS_H

#include <stdint.h>

#define PORTS_MAX	64		/* bits of port->waits */

struct port {
	uint64_t	 number;	/* the link's; 0: none */
	uint64_t	 replica;	/* where its connection is */
	uint64_t	 waits;		/* a bit for each that it has filled */
	uint8_t		 high;		/* it is over its mark */
	uint8_t		 behind;	/* it has filled the way to a process */
	uint8_t		 held;		/* it is not read */
};

struct ports {
	struct port	 at[PORTS_MAX];
	struct port	*from;		/* whose peer is heard now; or NULL */
	/* Read nothing of that link, or read it again. */
	void		(*hold)(void *arg, const struct port *p, int on);
	void		*arg;
};

/* The link of that number, or NULL. */
struct port *ports_find(struct ports *all, uint64_t number);
/* A new one; NULL: there are too many. */
struct port *ports_add(struct ports *all, uint64_t number, uint64_t replica);
/* It has ended: nobody waits for it. */
void	 ports_drop(struct ports *all, struct port *p);
/* It is over its mark, or no more: then those who have filled it go on. */
void	 ports_high(struct ports *all, struct port *p, int high);
/* Whoever is heard has said something for p. */
void	 ports_said(struct ports *all, const struct port *p);
/* Whoever is heard has filled the way to a process; and all these ways are free again. */
void	 ports_behind(struct ports *all);
void	 ports_eased(struct ports *all);

#endif
