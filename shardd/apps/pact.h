/*
 * pact: rooms with profiles, chat, polls, counters and a configuration.  pact.c
 * has the rooms and their sockets, pact_say.c is what clients say, pact_room.c
 * what a room's state becomes of it, pact_tell.c what others hear of that,
 * pact_http.c answers requests, and pact_users.c tells who is there.
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
 *	~sockets/<replica>	session -> sockets there
 *	~online		session -> sockets
 *	~relays/<replica>	type -> sockets that relay it there
 *	~relayed	type -> sockets
 *	~polls, ~votes/<poll>, ~tally/<poll>	ephemeral polls
 */
#ifndef SHARDD_APPS_PACT_H
#define SHARDD_APPS_PACT_H

#include "shardd/apps/js.h"
#include "shardd/apps/pact_roll.h"
#include "shardd/kennel.h"

#define PACT_REPLICA	16		/* hex digits */
#define PACT_ID		16

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

/* ---- pact_room.c ---- */

/* Steps, as kennel_step() takes them: words, each terminated. */
int	 pact_decide(struct kennel_replica *r, struct kennel_step *t,
	    const char *data, size_t len);
int	 pact_gone(struct kennel_replica *r, struct kennel_step *t,
	    uint64_t replica);
/* pact_place.c: before another session comes: others end, if there are as many as
 * there may be.  *hand: where to look next, a hint. */
void	 pact_make_place(struct kennel_step *t, uint64_t *hand);
/* What a refusal means to who asked; never NULL. */
const char *pact_refusal(int err);

struct pact_room {
	struct pact_roll roll;		/* of sockets here */
	size_t		 strangers;	/* of them, that have not joined */
	uint64_t	 hand;		/* of pact_make_place() */
};

struct pact_socket {
	struct pact_roll_node on_roll;	/* stands first */
	struct kennel_socket *socket;
	struct pact_room *room;
	struct pact_due	*queue;		/* NULL: nothing is due */
	struct pact_socket *after, *before;	/* in it */
	uint64_t	 due;		/* ms since 1970: ping, or join again */
	char		*session;	/* pact_name() of the uid */
	char		*public;	/* properties for all, JSON; NULL: to be
					   looked up */
	json_t		*waiting;	/* a message whose step is not done: relays
					   hear of it afterwards */
	double		 suffix;
	int		 asked;		/* a join was sent */
	int		 joined;
	int		 refused;	/* for good */
	int		 told;		/* that joining has to wait */
	int		 admin;
	unsigned	 subscriptions, relays;
};

static inline struct pact_socket *
pact_on_roll(struct pact_roll_node *n)
{
	return ((struct pact_socket *)n);	/* where it stands first */
}

/* ---- pact.c ---- */

/*
 * A step of the socket: words, the last NULL.  With done, which comes later, its
 * next messages wait.  0, or -1 with errno.
 */
int	 pact_do(struct pact_socket *ps, kennel_done_cb *done, void *arg,
	    const char *const *words);

/* ---- pact_say.c ---- */
void	 pact_message(struct kennel_socket *s,
	    const struct kennel_message *m);
/* All relays of the socket end, or the one with this topic. */
void	 pact_end_relays(struct pact_socket *ps, const char *only);

/* ---- pact_tell.c ---- */

/* Ends t and sends it to one socket. */
void	 pact_send(struct pact_socket *ps, struct js_text *t);
void	 pact_error(struct pact_socket *ps, const char *text);
/* "too <what>, at most <max>" */
void	 pact_limit_error(struct pact_socket *ps, const char *what,
	    size_t max);
void	 pact_profile(struct pact_socket *ps);
/* The present state of what it has just subscribed to. */
void	 pact_tell_state(struct pact_socket *ps, const char *event,
	    const char *id);
/* {"suffix":n,"properties":{public}: the brace is not closed. */
void	 pact_write_public(FILE *f, struct pact_socket *ps);
void	 pact_write_private(FILE *f, const struct pact_socket *ps);
void	 pact_write_config(FILE *f, const struct kennel_replica *r);

/* The topics that hear of event with this id: two names in one allocation. */
struct pact_topics {
	const char	*at[3];
	char		*names;
};

/* 0, or -1 without memory; to be freed in both cases. */
int	 pact_topics(struct pact_topics *t, const char *event, const char *id,
	    size_t id_len);
void	 pact_topics_free(struct pact_topics *t);

/* A step took effect; steps were missed: kennel_app's onstep and onreset. */
void	 pact_step(struct kennel_replica *r,
	    const struct kennel_change *changes, size_t n, const char *data,
	    size_t len);
void	 pact_reset(struct kennel_replica *r);

/* ---- pact_users.c ---- */
/* Answers /users, when what was before it is known. */
void	 pact_users(struct kennel_request *q, struct kennel_replica *r);
void	 pact_gossip(struct kennel_replica *r, struct kennel_answer *a,
	    const char *msg, size_t len);

/* ---- pact_http.c ---- */
void	 pact_receive(struct kennel_request *q);
/* Ends t and answers with it, which is JSON. */
void	 pact_respond_text(struct kennel_request *q, struct js_text *t);
/* What is known about a connection, from a trusted proxy: a JSON object. */
void	 pact_write_details(FILE *f, const struct kennel_socket *s);
/* 16 hex digits that stand for a group. */
void	 pact_room_id(char dst[PACT_ID + 1], const char *group, size_t len);
/* Is key (NULL: was not sent) the signature over the room, ts, which is digits
 * without a leading zero, and the signing key? */
int	 pact_signed(const char *room, size_t room_len, const char *ts,
	    const json_t *key);

#endif
