/* Bounds of what processes and configuration may say to each other. */
#ifndef PROTO_LIMITS_H
#define PROTO_LIMITS_H

/*
 * The versions of control messages (control.h) and of those on links (gossip.h).  Each
 * side says in HELLO which ones it speaks; the highest that both do is spoken, and
 * those with none in common part.
 *
 * 2: what reaches clients has a number that is the same towards all neighbours, and
 * FENCE is answered.
 * 3: between nodes, several messages are one frame (bus_frame.h).
 *
 * Not raised by a new field at the end of a row, nor by a new message: those that
 * do not know them pass over them.  So a sender may not rely on either having been
 * heard.  Raised when that is not enough: when a field goes or means something else,
 * when one has a value that an old reader would refuse or misread, or when a new
 * message travels with descriptors (nobody could tell whose those of a message are
 * that is passed over), unless something else in HELLO says who takes it, as the
 * version of capsules does.
 */
#define WIRE_OLDEST	1
#define WIRE_VERSION	3
#define WIRE_BUS	2		/* the oldest between nodes: nothing goes there
					   without those numbers */
#define WIRE_MANY	3

/* The version spoken between one that speaks low to high, and one that speaks our
 * oldest to `own`; 0: none. */
static inline unsigned
wire_common(unsigned low, unsigned high, unsigned own)
{
	unsigned	 version = high < own ? high : own;

	return (low > own || version < low || version < WIRE_OLDEST ? 0 :
	    version);
}

#define GROUP_MAX	512		/* bytes of a group's name */
#define UID_MAX		512		/* bytes of a uid */
#define APP_MAX		32		/* bytes of an application's name */
#define ADDRESS_MAX	160		/* "<node>/<slot>#<incarnation>" */
#define NODE_MAX	64
#define SLOTS_MAX	256		/* shards of a node */
#define PACKET_MAX	(64 << 10)	/* bytes of a control packet */
#define CAPSULES_MAX	8		/* capsules in a control packet */
#define CAPSULE_INLINE	(8 << 10)	/* bytes; above, in a memfd */
#define CAPSULE_MAX	(64 << 20)	/* bytes of a record in a memfd */
#define LINK_FRAME_MAX	(64 << 20)	/* bytes of a message on a link */
#define TOPIC_MAX	1024		/* bytes of a topic's name */
#define TOPICS_MAX	4096		/* bytes of all topics of a message */
#define TELL_HEAD_MAX	(1 << 20)	/* bytes before those of what a replica is told */
#define PACE_LEAST	1024		/* bytes a second that are progress of a reader */
#define STEP_MAX	(1 << 20)	/* bytes of a step */
#define SIGNING_KEY_MAX	4096		/* bytes; [worker]'s signing_key */
#define MAPS_NAME_MAX	1024		/* bytes of the name of a group's map */
#define MAPS_KEY_MAX	4096
#define MAPS_VALUE_MAX	(1 << 20)

#endif
