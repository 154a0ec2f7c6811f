/*
 * The roll of a room's sockets here: in the order in which they came, each with a
 * number, so that a list of them can be told in pages; and by session.
 */
#ifndef SHARDD_APPS_PACT_ROLL_H
#define SHARDD_APPS_PACT_ROLL_H

#include <stddef.h>
#include <stdint.h>

/* In each socket. */
struct pact_roll_node {
	const char	*session;	/* terminated, the owner's */
	uint64_t	 number;	/* rises */
	struct pact_roll_node *twin, *before;	/* of the same session */
};

struct pact_roll {			/* zero-initialised is empty */
	struct pact_roll_place {
		uint64_t	 number;
		struct pact_roll_node *node;	/* NULL: has left */
	}		*at;		/* in order */
	size_t		 n, cap;	/* places */
	size_t		 left;		/* of them, that are NULL */
	uint64_t	 last;		/* number given */
	void		*sessions;	/* tsearch(3): first of each session */
};

/* 0, or -1 with errno ENOMEM and nothing changed. */
int	 pact_roll_add(struct pact_roll *r, struct pact_roll_node *n);
void	 pact_roll_remove(struct pact_roll *r, struct pact_roll_node *n);
void	 pact_roll_clear(struct pact_roll *r);		/* it is empty */
/* The place of the first one behind this number; r->n if there is none. */
size_t	 pact_roll_behind(const struct pact_roll *r, uint64_t number);
/* The first socket of a session (others are its twins), or NULL. */
struct pact_roll_node *pact_roll_session(const struct pact_roll *r,
	    const char *session);

#endif
