/* The clients of a server that are in this process: by id, and what is sent to them. */
#ifndef EVENTS_SOCKETS_H
#define EVENTS_SOCKETS_H

#include "proto/fasttcp.h"

struct events_server;
struct events_socket;
struct kennel_payload;
struct kennel_socket;

/* A client whom nobody can reach yet, to be freed with sockets_free().  NULL without memory. */
struct events_socket *sockets_new(struct events_server *v,
	    struct kennel_socket *ks);
void	 sockets_free(struct events_socket *s);
/* Others can reach s from now on.  0, or -1 with errno: EEXIST (its id is taken), EINVAL
 * (an id that is none), ENOMEM. */
int	 sockets_add(struct events_socket *s);
/* Nobody reaches s any more; its rooms are left.  s is not freed. */
void	 sockets_remove(struct events_socket *s);
struct events_socket *sockets_find(const struct events_server *v,
	    struct slice id);
/* The one with that kennel_socket_id(), or NULL; as fast among many as among few. */
struct events_socket *sockets_find_number(const struct events_server *v,
	    uint64_t number);
/* Send f, as a frame of its own.  0, or -1 with errno: EMSGSIZE, ENOMEM, EPIPE. */
int	 sockets_send(struct events_socket *s, const struct fasttcp_frame *f);
/* The same of what all neighbours are told: one that is leaving has it if it stays. */
int	 sockets_send_told(struct events_socket *s,
	    const struct fasttcp_frame *f);
/* That with f's data, which is p's, made with KENNEL_TOLD, shared. */
int	 sockets_send_with(struct events_socket *s,
	    const struct fasttcp_frame *f, struct kennel_payload *p);
/*
 * s, over its mark, is looked at about once a second, from sockets_reads() on: for how
 * many ms has it read less than PACE_LEAST?
 */
void	 sockets_reads(struct events_socket *s, uint64_t now);
uint64_t sockets_stuck(struct events_socket *s, uint64_t now);
/* One reason more, or less, for which s is not read. */
void	 sockets_hold(struct events_socket *s, int on);

/* A frame for many: encoded once for each dialect.  One at a time. */
struct shared {
	struct fasttcp_frame f;		/* borrowed */
	struct {
		struct kennel_payload *p;
		size_t		 len;
	}		 made[2];
};
void	 shared_init(struct shared *sh, const struct fasttcp_frame *f);
/* s gets it, at the latest when shared_end() is called. */
void	 shared_send(struct shared *sh, struct events_socket *s);
void	 shared_end(struct shared *sh);

#endif
