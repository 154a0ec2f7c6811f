/*
 * What travels between the nodes of a cluster, over channels of Redis: a head, the bytes
 * of a message or of a part of one, and, where the cluster has a key, 32 bytes that only
 * those with the key can make.
 *
 *	byte	0 'K'  1 format  2 kind  3 flags  4 slot (4)  8 incarnation (8)
 *		16 session (8)  24 n (8)  32 pos (8)  40 ack (8)
 *		48 length of the node's name, then the name
 *
 * A session is one meeting of two shards: each side draws a number, which is higher
 * than those it drew before, and says HELLO with both until both know both.
 */
#ifndef PROTO_BUS_FRAME_H
#define PROTO_BUS_FRAME_H

#include <stdint.h>

#include "common/bytes.h"

enum bus_kind {
	BUS_HELLO = 1,		/* n: the other's session, 0: not known; the body
				   says the versions that are spoken */
	BUS_DATA,		/* to one shard; n: dense in the session */
	BUS_ROOM,		/* to all in a room; n: which part, from 1 */
	BUS_BEAT,		/* n: of the last BUS_DATA */
	BUS_ECHO,		/* to its sender; n: when, on its clock */
	BUS_NKINDS
};

#define BUS_F_MORE	0x1	/* another part follows */
#define BUS_F_UP	0x2	/* HELLO: its sender has heard ours */
#define BUS_F_WANT	0x4	/* BEAT: is to be answered by one */
#define BUS_F_MANY	0x8	/* DATA, ROOM: the body is several messages, each behind
				   its length (4); from WIRE_MANY on */

#define BUS_FORMAT	1
#define BUS_FRAME_MAX	(64 << 10)	/* bytes of a body */
#define BUS_MAC		32

struct bus_frame {
	enum bus_kind	 kind;
	unsigned	 flags;
	struct slice	 node;
	uint32_t	 slot;
	uint64_t	 incarnation;
	uint64_t	 session, n;
	uint64_t	 pos;		/* bytes that the sender has published */
	uint64_t	 ack;		/* the receiver's pos, up to which all came */
	struct slice	 body;
};

enum bus_fault { BUS_OK, BUS_GARBLED, BUS_FORGED, BUS_NFAULTS };

/* Append f, whose body is head and payload, for this channel; key may be empty. */
void	 bus_frame_encode(struct buf *b, const struct bus_frame *f,
	    struct slice head, struct slice payload, struct slice channel,
	    struct slice key);
/* f borrows from data. */
enum bus_fault bus_frame_decode(struct bus_frame *f, struct slice data,
	    struct slice channel, struct slice key);

/* The names of channels; db is Redis' database.  malloc'd, or NULL with errno. */
char	*bus_channel_shard(const char *prefix, int db, struct slice address);
/* For those of that node who are in the group: so nobody hears what is said on the same
 * node, which costs Redis more than the publishing (README.md). */
char	*bus_channel_room(const char *prefix, int db, struct slice group,
	    struct slice app, struct slice node);

#endif
