/*
 * pact's names: of its limits, of the maps in a room's state, of the two kinds of
 * poll; and how what clients name stands in keys.
 */
#ifndef SHARDD_APPS_PACT_NAMES_H
#define SHARDD_APPS_PACT_NAMES_H

#include <stdio.h>

#include "shardd/kennel.h"

#define PACT_REPLICA	16		/* hex digits */

/* What the configuration allows: a number of each, or bytes (properties, name, config,
 * page).  Static; known from onlaunch on. */
struct pact_limits {
	size_t		 counters, polls, answers, sessions, properties, name,
			 config, subscriptions, relays, rooms, page;
};
const struct pact_limits *pact_limits(void);

/* The two kinds of poll. */
struct pact_kind {
	const char	*type;		/* of messages, and the event's name */
	const char	*polls, *votes, *tally;	/* maps, and their beginnings */
};
extern const struct pact_kind pact_poll, pact_ephemeral;

/* A name as it stands in keys and steps: '%' and NUL percent-encoded; malloc'd.
 * NULL without memory. */
char	*pact_name(const char *s, size_t len);
/* The other way, in place; the new length. */
size_t	 pact_unname(char *s);
/* Write a name of a key as a JSON string. */
void	 pact_write_name(FILE *f, const char *s, size_t len);
/* Replica r as keys have it. */
void	 pact_replica_hex(char dst[PACT_REPLICA + 1], uint64_t id);
/* map's beginning and a poll's name, malloc'd; NULL without memory. */
char	*pact_map(const char *beginning, const char *poll, size_t len);

/* A number of the state; 0 if it is not there. */
double	 pact_number(const struct kennel_replica *r, const char *map,
	    const char *key);

#endif
