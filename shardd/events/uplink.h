/*
 * Links to other hosts, as connections: of peers that have come to us (accepted, behind
 * their handshake) and of peers to whom we have gone (dialled).  What they say, and
 * that they are there, goes to whoever holds the network.
 */
#ifndef EVENTS_UPLINK_H
#define EVENTS_UPLINK_H

#include <sys/types.h>

#include "common/list.h"
#include "proto/fasttcp.h"

struct events_server;
struct events_socket;
struct kennel_socket;

/* How to get to a peer; of whoever dials. */
struct uplink_way {
	const char	*name;		/* in the log */
	const char	*psk_file;
	double		 cost;
	/* Its link has ended, or did not come about. */
	void		(*ended)(void *arg);
	void		*arg;
};

struct uplink {
	struct list	 at;		/* server->links */
	struct events_socket *socket;
	uint64_t	 number;	/* no other has it, in any process */
	int		 stage;		/* uplink.c */
	double		 cost;
	char		*peer, *id;
	const struct uplink_way *way;	/* NULL: accepted */
	uint8_t		 held;		/* not read, for others do not keep up */
	uint8_t		 kennel;	/* its peer is one, and says that it is there */
	uint64_t	 heard, said;	/* clock_ms of the last bytes; of ours, a beat */
};

/* What becomes of them, here. */
struct uplink_ops {
	void	(*up)(struct events_server *v, struct uplink *l);
	void	(*says)(struct events_server *v, struct uplink *l,
		    const struct fasttcp_frame *f);
	void	(*down)(struct events_server *v, struct uplink *l);
	/* More waits for it than its mark, or no more. */
	void	(*pressed)(struct events_server *v, struct uplink *l,
		    int high);
};

/* s, which has proved itself, is the peer of that name.  0, or -1 with *why. */
int	 uplink_accept(struct events_socket *s, struct slice peer,
	    struct slice host, const char **why);
/* s has been dialled, to be greeted as host.  0, or -1 without memory. */
int	 uplink_dialled(struct events_socket *s, const struct uplink_way *way);
/* Has it come about? */
int	 uplink_is_up(const struct uplink *l);
/* As frames_input(), of a link. */
ssize_t	 uplink_input(struct events_socket *s, const char *data, size_t len);
/* s has ended; why: a label, as kennel_close has it. */
void	 uplink_gone(struct events_socket *s, const char *why);

/* The link of that number in this process, or NULL. */
struct uplink *uplink_find(const struct events_server *v, uint64_t number);
/* More waits for l than its mark (1), or no more (0). */
void	 uplink_high(struct uplink *l, int high);
/* Read nothing of l, or read it again. */
void	 uplink_hold(struct uplink *l, int on);
/* Its peer is a kennel: from now on both say that they are there. */
void	 uplink_kennel(struct uplink *l);
/* Once in a while: those over their marks that do not read at all are closed, and so are
 * kennels of which nothing is heard. */
void	 uplink_look(struct events_server *v, uint64_t now);
/* These bytes, a frame. */
void	 uplink_send(struct uplink *l, const char *frame, size_t len);
/* All of them end; their server is none any more (stop). */
void	 uplink_close_all(struct events_server *v, const char *why, int stop);

#endif
