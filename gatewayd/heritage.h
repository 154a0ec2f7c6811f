/*
 * What a gateway leaves to the program that is executed in its place: the sockets that
 * it listens on, and clients that no shard has.  The process stays, and with it its
 * number and its children; descriptors stay open, and a memfd says what they are.
 */
#ifndef GATEWAYD_HERITAGE_H
#define GATEWAYD_HERITAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

enum heir_kind {
	HEIR_LISTENER,		/* name: its address; HEIR_PASSED: its label */
	HEIR_HANDSHAKE,		/* its head is awaited */
	HEIR_HOME,		/* waits for its next request */
	HEIR_ADMIN,		/* the administrator's listener; name: its address */
	HEIR_DOOR,		/* control.sock; name: its path */
	HEIR_ORDER,		/* no socket: name: what the operator has under way;
				   flags: its slot, peer: ms that it has left.  Last, for
				   an older program reads no further */
	HEIR_NKINDS
};
#define HEIR_PASSED	0x1	/* LISTENER: it was passed to us */
#define HEIR_TLS	0x2	/* it came over TLS to a proxy */
#define HEIR_PROXY	0x4	/* HANDSHAKE: the head of a proxy is awaited first */

struct heir {
	enum heir_kind	 kind;
	int		 fd;
	uint32_t	 flags;
	struct slice	 name;		/* of its listener: "": any */
	struct slice	 peer, early;
};

/* Called first: how this program was started, and what it inherits. */
void	 heritage_remember(char **argv);
/* The next of those that are inherited: 1, or 0.  *at from 0. */
int	 heritage_next(size_t *at, struct heir *h);
/* The socket of that kind and name, which is the caller's then, or -1; with another
 * name, it is closed. */
int	 heritage_take(enum heir_kind kind, const char *name);
/* What was inherited is owned by others now. */
void	 heritage_end(void);

/* The path of this program, and its arguments; NULL: not known. */
const char *heritage_program(void);
char	**heritage_argv(void);
/* One more to be left; will is zeroed at first. */
void	 heritage_leave(struct buf *will, const struct heir *h);
/* Execute.  Returns only if that failed, with errno, and everything is as it was. */
void	 heritage_execute(const struct buf *will);

#endif
