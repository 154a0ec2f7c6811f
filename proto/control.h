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
 *	GONE				PARTED
 *					FAREWELL* LOST* DEAD (another shard died;
 *					text: of which other node)
 *	ADOPT (going home)		ADOPTED
 *	PONG				PING
 *	LEAVING			DRAIN
 *	STATUS				STATUS_ASK
 *					END (a connection, as the operator wants)
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
	uint64_t	 incarnation;
	uint32_t	 slot;
	uint32_t	 low, high;	/* versions; WELCOME: high is the one chosen */
	uint32_t	 pid;
	uint32_t	 limit;		/* HELLO: capacity; STATUS: connections */
	uint32_t	 flags;		/* CTL_F_*, of this message */
	uint32_t	 why;		/* enum close_why; DRAIN: the code */
	uint32_t	 ms;		/* deadline */
	uint64_t	 time;		/* started, ms since 1970; a term of office;
					   ADOPT: clock_ms until when it holds, or 0 */
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

#define CTL_TEXT_MAX	(48 << 10)	/* bytes; longer JSON goes in pieces */
#define CTL_VALUE_MAX	CAPSULE_INLINE	/* bytes */
#define CTL_LOST_MAX	1024		/* uids in a LOST */

const char *ctl_name(enum ctl_type type);
/* Descriptors that travel with m: ADOPT 1, or 2 with CTL_F_MEMFD; HELLO 1 with
 * CTL_F_PAGE; else 0. */
size_t	 ctl_fds(const struct ctl *m);
/* Append m to b (only the fields of its row).  Failure sticks in b. */
void	 ctl_encode(struct buf *b, const struct ctl *m);
/* The next message of a packet: 0; 1, of a type that only a later version has: to
 * be passed over; or -1 with errno EPROTO.  Fields that only a later version has are
 * ignored. */
int	 ctl_decode(struct ctl *m, struct pack_in *packet);

#endif
