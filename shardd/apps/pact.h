/*
 * pact: rooms with profiles, chat, polls, counters and a configuration.  In three
 * files: pact.c talks with sockets, pact_room.c decides what a room's state
 * becomes, pact_http.c answers requests.
 *
 * A room is a group.  Its state, in maps of the group (kennel.h, "shared
 * state"); names in keys are as pact_name() makes them:
 *
 *	room		config, increment
 *	counters	id -> number
 *	suffixes	session -> number
 *	profiles	session -> properties, JSON
 *	polls		id -> "", for each poll that has been voted in
 *	votes/<poll>	session -> answer
 *	tally/<poll>	answer -> votes
 *
 * and in memory, while anybody is there:
 *
 *	~room		sockets, connections, boot (ms since 1970)
 *	~sockets	replica (16 hex digits) and session -> sockets there
 *	~online		session -> sockets
 *	~relays		replica and type -> sockets that relay it there
 *	~relayed	type -> sockets
 *	~polls, ~votes/<poll>, ~tally/<poll>	ephemeral polls
 */
#ifndef SHARDD_APPS_PACT_H
#define SHARDD_APPS_PACT_H

#include "shardd/apps/js.h"
#include "shardd/kennel.h"

#define PACT_REPLICA	16		/* hex digits */
#define PACT_ID		16

struct pact_limits {
	size_t		 counters, polls, answers, sessions, properties, name,
			 config, subscriptions, relays, rooms;
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

/* ---- pact_room.c ---- */

/* Steps, as kennel_step() takes them: words, each terminated. */
int	 pact_decide(struct kennel_replica *r, struct kennel_step *t,
	    const char *data, size_t len);
int	 pact_gone(struct kennel_replica *r, struct kennel_step *t,
	    uint64_t replica);
/* What a refusal means to who asked; never NULL. */
const char *pact_refusal(int err);

/* ---- pact.c ---- */

/* {"suffix":n,"properties":{public},...}, for all sockets here. */
void	 pact_write_users(FILE *f, struct kennel_replica *r);

/* ---- pact_http.c ---- */
void	 pact_receive(struct kennel_request *q);
void	 pact_gossip(struct kennel_replica *r, struct kennel_answer *a,
	    const char *msg, size_t len);
/* What is known about a connection, from a trusted proxy: a JSON object. */
void	 pact_write_details(FILE *f, const struct kennel_socket *s);
/* 16 hex digits that stand for a group. */
void	 pact_room_id(char dst[PACT_ID + 1], const char *group, size_t len);
/* Is key the signature over the room, ts and the signing key? */
int	 pact_signed(const char *room, size_t room_len, const char *ts,
	    const char *key);

#endif
