/*
 * Messages between two shards of a node, over their link: a msgpack array, type
 * first, and behind it the payload's bytes.  The lower slot dials; both say HELLO
 * first.
 *
 * Everything that reaches clients carries its origin replica and `said`, the number of
 * what that replica has said: the same towards all neighbours, so that two of them can
 * compare what they have of a third.  Some of it goes to some only; `prior` is what
 * was said to this neighbour before, and shows whether anything between is missing.  A
 * repeat is dropped; at a gap the sockets that have missed something are closed.
 * seq counts what is sent to this neighbour (from 1, without gaps); version 1 has
 * nothing else.
 *
 * ask: when not 0, the receiver answers DONE (or ANSWER) with the same number
 * after it has acted.  What has a number `said` may be answered by that: one DONE at
 * the end of a turn, for all that the turn has acted on.
 */
#ifndef PROTO_GOSSIP_H
#define PROTO_GOSSIP_H

#include <stdint.h>

#include "common/bytes.h"
#include "proto/limits.h"
#include "proto/pack.h"

enum gossip_type {
	GOSSIP_HELLO = 1,		/* slot incarnation low high */
	GOSSIP_MEET,		/* ask to from: introduction, answered DONE */
	GOSSIP_CAST,		/* ask to from seq flags uid payload said prior: to
				   all of replica `to`, but uid if
				   GOSSIP_F_NOT_UID.  Said in a room: to, seq 0,
				   prior: what was said there before */
	GOSSIP_WHISPER,		/* ask to from seq flags uid payload said prior: to
				   the sockets of uid */
	GOSSIP_ASK,		/* ask to from payload, answered ANSWER */
	GOSSIP_ANSWER,		/* ask flags payload (GOSSIP_F_ERROR: a sentence) */
	GOSSIP_DONE,		/* ask to from said prior: the receiver has acted on ask;
				   or (ask 0) its replica `from` has on all that
				   replica `to` said up to that number; of FENCE,
				   said and prior are how much replica `from` has
				   said, and to replica `to` */
	GOSSIP_ASKME,		/* ask flags: GOSSIP_F_ON, my entries are not all in
				   Redis; off again when they are */
	GOSSIP_PUBLISH,		/* ask to from seq flags uid topics payload said prior:
				   as CAST, to the subscribers of the topics */
	/* Between the replicas of a group and its authority (shardd/state/authority.h);
	 * term: of office; seq: the sender's position in the group's news; era:
	 * the term in which the news there were decided. */
	GOSSIP_STEP,		/* to from term seq after payload: the sender's step
				   number seq; after: its last one that was not
				   answered (0: none), without which this one is not
				   taken; term: in which the receiver decides, as far
				   as the sender knows */
	GOSSIP_REIGN,		/* to from term seq flags era: I decide now; answered
				   with the NEWS beyond that (all STATE, if they do not
				   follow from it, or GOSSIP_F_EMPTY), then AT */
	GOSSIP_AT,		/* to from term seq flags era: that is what I have
				   (GOSSIP_F_EMPTY: nothing) */
	GOSSIP_NEWS,		/* to from term seq era payload (proto/news.h) */
	GOSSIP_ACK,		/* to from term seq: to the authority, I have that; from
				   it: all have */
	GOSSIP_STATE,		/* to from term seq flags era after payload: a part of
				   all there is, number `after` from 0;
				   GOSSIP_F_MORE: not the last */
	GOSSIP_LOST,		/* to from after seq of flags uid topics said prior:
				   those behind `after` up to seq (behind prior up to
				   said), like CAST, WHISPER or PUBLISH (of), did
				   not get through; of NEWS: something of the
				   authority's did not; of 0: seq, and said, is the
				   last that was sent, a replica with less has lost
				   it */
	GOSSIP_FENCE,		/* ask to from: answered DONE when the receiver has
				   acted on all that the sender said before, and
				   what it was looking up then has been said.  Of
				   version 2. */
	GOSSIP_JOIN,		/* ask from said group app: the sender's replica of
				   that group is `from`, and has said so much up to
				   now.  With ask, one like it comes back, if there is
				   a replica here, and then DONE.  Between nodes. */
	GOSSIP_LEAVE,		/* to from: the sender has ended.  Between nodes. */
	GOSSIP_TELL,		/* to from seq said prior head payload flags: the
				   application's own, for the application of
				   replica `to` (GOSSIP_F_ALONE: of no other) */
	GOSSIP_UIDS,		/* ask to from low uid: the first `low` uids that the
				   receiver has behind that one, answered ANSWER:
				   a byte, 1 if there are more, and proto/uids.h */
	GOSSIP_CLOSE,		/* ask to from low uid payload: close the sockets of uid
				   with that code and reason, answered DONE */
	GOSSIP_NTYPES
};

#define GOSSIP_F_BINARY	0x1
#define GOSSIP_F_NOT_UID	0x2
#define GOSSIP_F_ERROR	0x4
#define GOSSIP_F_ON	0x8
#define GOSSIP_F_EMPTY	0x10
#define GOSSIP_F_MORE	0x20
#define GOSSIP_F_ALONE	0x40

struct gossip {
	enum gossip_type	 type;
	uint64_t	 ask;
	uint64_t	 to, from;	/* replicas */
	uint64_t	 seq;
	uint64_t	 incarnation;
	uint64_t	 term, era;
	uint64_t	 after;
	uint64_t	 said, prior;
	uint32_t	 slot, low, high;
	uint32_t	 of;		/* enum gossip_type */
	uint32_t	 flags;
	struct slice	 uid;
	struct slice	 topics;	/* terminated names, one after another */
	struct slice	 head;		/* TELL's, before the payload */
	struct slice	 payload;	/* its bytes follow the array */
	struct slice	 group, app;	/* names */
};

const char *gossip_name(enum gossip_type type);
enum gossip_type gossip_answer(enum gossip_type type);	/* 0: none */
/*
 * Append all but the payload's bytes, so that the payload can follow without a
 * copy: its length is in b, the caller sends b and then the bytes.  version: what is
 * spoken on that link, which leaves out what came later.
 */
void	 gossip_encode(struct buf *b, const struct gossip *m, unsigned version);
/* 0; 1, of a type that only a later version has: to be passed over; or -1 with errno
 * EPROTO.  Fields that only a later version has are ignored. */
int	 gossip_decode(struct gossip *m, const char *data, size_t len);

#endif
