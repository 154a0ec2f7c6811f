/* The records of arrivals, for those who make them and who leave them to others. */
#ifndef GATEWAYD_ARRIVAL_IN_H
#define GATEWAYD_ARRIVAL_IN_H

#include <stddef.h>
#include <stdint.h>

#include <event2/event_struct.h>

#include "common/bucket.h"
#include "common/bytes.h"
#include "common/list.h"
#include "common/map.h"
#include "gatewayd/complaint.h"
#include "proto/proxy_head.h"

struct address;
struct arrivals;
struct event;
struct event_base;
struct handoffs;
struct inlet;
struct lingerers;
struct placement;
struct settings;
struct totals;

#define PEER_MAX	PROXY_PEER_MAX	/* bytes of "unix:/path" */

enum arrival_state {
	ARRIVAL_HEAD,		/* a handshake: its head is awaited */
	ARRIVAL_HOME,		/* waits for its next request */
	ARRIVAL_NSTATES
};

struct arrival {
	struct list	 at;		/* of its state, earliest deadline first */
	struct event	 ev;
	struct arrivals	*all;
	int		 fd;
	enum arrival_state state;
	uint64_t	 deadline;	/* clock_ms */
	uint32_t	 flags;		/* CAPSULE_F_TLS */
	const struct inlet *inlet;	/* a proxy's head is awaited; else NULL */
	const struct inlet *raw;	/* has no other head; NULL: it is HTTP */
	struct address	*address;	/* a reference, or NULL */
	struct buf	 in;		/* what came of an incomplete head */
	size_t		 scanned;
	const char	*client;	/* of the log: peer, or whom a proxy names */
	size_t		 size;		/* of the record */
	char		 peer[];	/* who connected */
};

struct arrivals {
	struct event_base *base;
	const struct settings *settings;
	struct totals	*totals;
	struct placement *placement;
	struct lingerers *linger;
	struct handoffs	*handoffs;
	struct bucket	 accepts;
	struct map	 addresses;	/* of clients, if they are counted */
	struct complaint proxy;		/* of wrong heads */
	struct event	*timer;
	struct {
		struct list	 list;
		size_t		 count;
	} states[ARRIVAL_NSTATES];
	int		 leaving;
};

/* A record in no state yet.  fd is taken only on success.  room: bytes for another
 * peer. */
struct arrival *arrival_new(struct arrivals *as, int fd, struct slice peer,
	    size_t room, uint32_t flags);
/*
 * Count a for the address of its client, peer: 0, or -1, that has too many.  A trusted
 * proxy may have any number: its clients are counted.
 */
int	 arrival_count(struct arrival *a, const char *peer);
/* Put an arrival in a state.  The deadline runs from now; all of one state wait
 * equally long. */
void	 arrival_enter(struct arrival *a, enum arrival_state state);
/* End a connection without an answer.  Frees a. */
void	 arrival_close(struct arrival *a);

#endif
