/*
 * Messages between the gateway and its shards (and kennelctl), over the
 * SEQPACKET socket <run dir>/control.sock.  A packet is a msgpack array of
 * messages, each an array: type, then its fields in order.
 *
 * A conversation:
 *
 *	shard				gateway
 *	HELLO
 *	HAVE_REPLICA*  HAVE_CONN*
 *	HELD
 *					WELCOME OPTION* START
 *	READY
 *					REPLICA NEIGHBOUR* POISON*
 *					AUTHORITY ADOPT
 *	ADOPTED
 *	BECOME (its connection is another uid's)
 *	STAY COVER (HTTP becomes a stream)
 *	GONE				PARTED
 *					FAREWELL* LOST* DEAD (another shard died;
 *					text: of which other node, all of it
 *					with incarnation 0)
 *	ADOPT (going home)		ADOPTED
 *	PONG				PING
 *	LEAVING			DRAIN
 *	STATUS				STATUS_ASK
 *					END (a connection, as the operator wants)
 *
 * After HELLO, HAVE_APP* says which applications can move connections.
 *
 * A gateway whose WELCOME says so keeps a copy of the descriptor of each connection
 * that is open.  Of those that it did not hand over itself it gets one with COVER:
 * after WELCOME, and when plain HTTP becomes a stream.
 *
 * Connections move from shard A to shard B in a journey, which the gateway begins:
 *
 *	to B	REPLICA NEIGHBOUR* (of each replica that gets some), FERRY
 *	to A	FERRY MOVE* ... JOURNEY_END
 *	from A	MOVED or STAYED, one for each MOVE; at last JOURNEY_DONE
 *	from B	ARRIVED, one for each that it has; either commits the place, and
 *		the other one is expected; JOURNEY_DONE where A has died or
 *		shut the ferry down
 *
 * FERRY brings each side one end of a SEQPACKET socket pair, which speaks as this
 * channel does.  On the ferry:
 *
 *	A				B
 *	EXPECT
 *					EXPECTED or REFUSED
 *	REFUSED (it does not come)
 *	ADOPT				ADOPTED or REFUSED
 *	FERRY_END
 *
 * EXPECTED: its entry in the lookup is confirmed, and what is said to its replica is
 * kept for it from now on.  ADOPT comes only for what is expected.  The rule of
 * ownership below holds for the ferry, too: who loses patience shuts it down and reads
 * it to its end.  At an end without FERRY_END B looks whether A's process has ended: what
 * B has been sent is B's then, for nobody else has it.  What A has no ADOPTED for is
 * A's.
 *
 * Messages with descriptors that version 2 of capsules brought (FERRY, LISTENING) go
 * only to a shard whose HELLO, or to a gateway whose WELCOME, has a `capsule` of 2 or
 * more.
 *
 * kennelctl says STATUS_ASK, FORGET or ACT (text: what to do, gatewayd/acts.h; the
 * other fields are its arguments) and gets a STATUS with JSON.
 *
 * POISON comes before the AUTHORITY that it matters to: a step of replica
 * `neighbour` with the number `id` (0: that replica's end) has killed one shard
 * after another; or, with 0 and PAGE_RESETS (page.h), onreset has.
 *
 * First start and taking over after a gateway's death are the same.  HELLO, the
 * HAVE lists and HELD are absolute: they are all that the shard has.
 *
 * Ownership of a connection: until ADOPTED arrives, the sender of ADOPT owns
 * it and keeps its descriptor; the receiver hands ADOPTED (or REFUSED) to the
 * kernel before it reads or writes a byte of the connection.  When a channel has
 * been read to its end, what was not adopted is the sender's again.
 *
 * An ADOPT may hold until a time only (same machine, same clock).  The receiver
 * looks at the clock after its ADOPTED is with the kernel; when it is later than
 * that, the connection is not its own, and it says REFUSED.  So a sender that
 * finds nothing to read after that time owns it again.
 */
#ifndef PROTO_CONTROL_H
#define PROTO_CONTROL_H

#include <stdint.h>

#include "common/bytes.h"
#include "proto/limits.h"
#include "proto/pack.h"

enum ctl_type {
	CTL_HELLO = 1,	CTL_HAVE_REPLICA,	CTL_HAVE_CONN,	CTL_HELD,
	CTL_WELCOME,	CTL_OPTION,	CTL_START,	CTL_READY,
	CTL_REPLICA,	CTL_NEIGHBOUR,	CTL_FAREWELL,	CTL_DISMISS,
	CTL_ADOPT,	CTL_ADOPTED,	CTL_REFUSED,
	CTL_GONE,	CTL_PARTED,
	CTL_PING,	CTL_PONG,
	CTL_DEAD,	CTL_LINK_LOST,	CTL_DRAIN,
	CTL_STATUS_ASK,	CTL_STATUS,
	CTL_AUTHORITY,	CTL_POISON,
	CTL_LEAVING,	CTL_FORGET,	CTL_LOST,
	CTL_ACT,	CTL_END,
	CTL_HAVE_APP,
	CTL_FERRY,	CTL_MOVE,	CTL_JOURNEY_END,
	CTL_MOVED,	CTL_STAYED,	CTL_ARRIVED,	CTL_JOURNEY_DONE,
	CTL_EXPECT,	CTL_EXPECTED,	CTL_FERRY_END,
	CTL_LISTENING,
	CTL_STAY,	CTL_BECOME,	CTL_COVER,
	CTL_OBITUARY,
	CTL_NTYPES
};

/*
 * One struct for all: flat, a message uses the fields of its row in the
 * table (control.c), the rest is zero.  Slices are borrowed.
 */
struct ctl {
	enum ctl_type	 type;
	uint64_t	 id;		/* connection; PING/PONG: a counter */
	uint64_t	 replica;	/* the receiver's, or the subject's */
	uint64_t	 neighbour;	/* another replica of the group */
	uint64_t	 journey;	/* never 0; of one gateway, never used again */
	uint64_t	 incarnation;
	uint32_t	 slot;
	uint32_t	 low, high;	/* versions; WELCOME: high is the one chosen;
					   HAVE_APP, EXPECT: high is of the
					   application's blobs, EXPECT: low is what a
					   reader of the capsule must know */
	uint32_t	 capsule;	/* HELLO, WELCOME: the highest version of
					   capsules that is read; 0 is 1 */
	uint32_t	 hops;		/* how often it has moved */
	uint32_t	 pid;
	uint32_t	 limit;		/* HELLO: capacity; STATUS: connections;
					   FERRY: moves a second, 0: no bound;
					   JOURNEY_DONE: how many moved */
	uint32_t	 stayed;	/* JOURNEY_DONE: how many did not */
	uint32_t	 flags;		/* CTL_F_*, of this message */
	uint32_t	 why;		/* enum close_why; DRAIN: the code */
	uint32_t	 ms;		/* deadline */
	uint64_t	 time;		/* started, ms since 1970; a term of office;
					   ADOPT: clock_ms until when it holds, or 0;
					   ARRIVED: us for which nobody read it */
	struct slice	 group, uid, app;
	struct slice	 text;		/* link's path, node, key, JSON, sentence;
					   LOST: proto/uids.h */
	struct slice	 value;		/* OPTION's value; WELCOME: Redis URL; ADOPT:
					   the record, empty when in a memfd */
};

#define CTL_F_HTTP	0x1	/* HAVE_CONN: plain HTTP, not upgraded */
#define CTL_F_OVER	0x2	/* HAVE_CONN: over the limit, counted apart */
#define CTL_F_LAST	0x4	/* PARTED: no other connection of the uid in
				   the group (upgraded or about to be) */
#define CTL_F_MORE	0x8	/* STATUS, LOST: another piece follows */
#define CTL_F_MEMFD	0x10	/* ADOPT: the record is in a second descriptor */
#define CTL_F_LEAVE	0x20	/* DRAIN: and exit; HELLO: it is leaving */
#define CTL_F_OPENED	0x40	/* GONE: it had been opened (onopen ran) */
#define CTL_F_AUTHORITY	0x80	/* HAVE_REPLICA: it decides, for the term in time */
#define CTL_F_PAGE	0x100	/* HELLO: the shard's page (page.h) is with it */
#define CTL_F_MOVING	0x200	/* HAVE_CONN: it is frozen, on its way to the replica
					   `neighbour`, and named there, too, if it has
					   arrived */
#define CTL_F_SENDER	0x400	/* FERRY: its receiver is A, MOVEs follow */
#define CTL_F_STOP	0x800	/* JOURNEY_END: nothing new is begun, whatever has
					   not been frozen stays */
#define CTL_F_NEVER	0x1000	/* STAYED, REFUSED on a ferry: to ask again is of no
					   use, it cannot move */
#define CTL_F_FIRST	0x4000	/* LISTENING: those before are not to be held any
				   longer */
#define CTL_F_COVER	0x8000	/* WELCOME: COVERs are wanted */
#define CTL_F_AWAIT	0x10000	/* LOST: OBITUARYs say who, over all nodes */
#define CTL_F_HERE	0x20000	/* LOST: Redis is away, so some may be elsewhere */
#define CTL_F_DECLINED	0x40000	/* STAYED: it was the other shard that refused it */
#define CTL_F_AWAITS	0x80000	/* STAYED: for another shard of its group, or the one
				   that it was to go to, has not answered */
#define CTL_F_ENDED	0x2000	/* STAYED: for it has ended; GONE says so, too */

#define CTL_TEXT_MAX	(48 << 10)	/* bytes; longer JSON goes in pieces */
#define CTL_VALUE_MAX	CAPSULE_INLINE	/* bytes */
#define CTL_LOST_MAX	1024		/* uids in a LOST */

const char *ctl_name(enum ctl_type type);
/* Descriptors that travel with m: ADOPT 1, or 2 with CTL_F_MEMFD; HELLO 1 with
 * CTL_F_PAGE; FERRY, LISTENING, COVER 1; else 0. */
size_t	 ctl_fds(const struct ctl *m);
/* Append m to b (only the fields of its row).  Failure sticks in b. */
void	 ctl_encode(struct buf *b, const struct ctl *m);
/* The next message of a packet: 0; 1, of a type that only a later version has: to
 * be passed over; or -1 with errno EPROTO.  Fields that only a later version has are
 * ignored. */
int	 ctl_decode(struct ctl *m, struct pack_in *packet);

#endif
