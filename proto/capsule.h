/*
 * A connection packed for a journey: one record for every hand-over, gateway
 * to shard, shard to gateway, shard to shard.  The descriptor travels beside
 * it.  Versioned: fields are added at the end, and an older reader ignores
 * what it does not know.
 */
#ifndef PROTO_CAPSULE_H
#define PROTO_CAPSULE_H

#include <stdint.h>

#include "common/bytes.h"
#include "proto/limits.h"

/*
 * 2: a connection amid its conversation.  3: one that its shard's death has left.  A
 * record says for itself which reader it needs: the oldest that loses nothing of it,
 * which for a request is still the first.
 */
#define CAPSULE_VERSION		3
#define CAPSULE_MOVES		2	/* the reader of a connection that moves */
#define CAPSULE_RESUMES		3	/* and of one with CAPSULE_B_RESUMED */
#define CAPSULE_HEADERS_MAX	32
#define CAPSULE_ORIGINS_MAX	1024
#define CAPSULE_KEPT_MAX	4096	/* bytes of a checkpoint */

enum capsule_protocol {		/* what its next byte will be */
	CAPSULE_HTTP = 1,	/* the start of a request head */
	CAPSULE_WS = 2,		/* a WebSocket frame, perhaps amid a message */
	CAPSULE_RAW = 3,	/* the application's own protocol */
	CAPSULE_STREAM = 4	/* for nothing: its response goes on */
};

#define CAPSULE_F_UID_MADE	0x1	/* the gateway drew the uid */
#define CAPSULE_F_SECURE	0x2	/* this request came over https */
#define CAPSULE_F_UPGRADE	0x4	/* a right WebSocket handshake begins early */
#define CAPSULE_F_CORS		0x8	/* its route names origins; this one may */
#define CAPSULE_F_PROTOCOL	0x10	/* the subprotocol was chosen: it stands in
					   the header of that name */
#define CAPSULE_F_PROXIED	0x20	/* by a trusted proxy, whose fields are true */
#define CAPSULE_F_TLS		0x40	/* the connection is a TLS client's, as its
					   PROXY head says: its requests are, too */

#define CAPSULE_F_DIALED	0x80	/* a shard opened it: no gateway knows of it */

#define CAPSULE_B_ENDED	0x1	/* the client sends nothing more */
#define CAPSULE_B_HIGH	0x2	/* its application knows that much waits for it */
#define CAPSULE_B_RESUMED 0x4	/* its shard has died: blob is its checkpoint */

struct capsule_header { struct slice name, value; };
struct capsule_mark { uint64_t origin, seq; };

struct capsule {
	uint64_t	 id;		/* of the connection */
	enum capsule_protocol protocol;
	uint32_t	 flags;
	uint64_t	 replica;	/* 0: none (group = none, going home) */
	struct slice	 group, uid, app;
	struct slice	 route;		/* label of the matched route */
	struct slice	 peer;		/* "127.0.0.1:40112", of the client */
	struct slice	 via;		/* who connected, a proxy; empty: peer did */
	struct slice	 early;		/* read, not consumed */
	struct slice	 owed;		/* to be written first, not yet taken */
	struct slice	 state;		/* of the protocol (amid a message) */
	struct slice	 blob;		/* of the application */
	struct capsule_header headers[CAPSULE_HEADERS_MAX];	/* kept by route */
	size_t		 nheaders;
	/* What each origin has already delivered to it. */
	const struct capsule_mark *marks;
	size_t		 nmarks;

	/* Of version 2. */
	uint64_t	 news_pos, news_era;	/* the group's news that it has */
	uint32_t	 bits;		/* CAPSULE_B_* */
	uint32_t	 deflate;	/* bits of the window; 0: not agreed on */
	uint32_t	 hops;		/* how often it has moved */
	uint32_t	 pings;		/* unanswered */
	uint32_t	 since, last;	/* its clocks, on this machine */
	uint64_t	 paused;	/* clock_ns: nobody has read it since */
	struct capsule_bucket { uint64_t tokens, at; }
			 messages, bytes;	/* what its route measures */
	struct slice	 topics;	/* terminated names, one after another */
	uint32_t	 blob_version;	/* the application's */

	/* Of version 3. */
	uint32_t	 strikes;	/* shards in a row that died amid its input */
	struct slice	 kept;		/* the application's checkpoint of it, if blob
					   is something else */
};

/*
 * Write and read, from now on, as the release did whose version that was (CAPSULE_MOVES
 * to CAPSULE_VERSION): two releases are tried against each other so.
 */
void	 capsule_speak(unsigned version);
unsigned capsule_spoken(void);

/* Would capsule_decode() take what capsule_encode() makes of it? */
int	 capsule_fits(const struct capsule *c);
/* Append the record to b.  0, or -1 with errno ENOMEM or EINVAL (over limits). */
int	 capsule_encode(struct buf *b, const struct capsule *c);
/*
 * Decode; slices borrow from data.  marks points into a static array, valid
 * until the next decode.  0, or -1 with errno EPROTO (not a record, over limits)
 * or EPROTONOSUPPORT (a version we cannot read).
 */
int	 capsule_decode(struct capsule *c, const void *data, size_t len);
/*
 * A record above CAPSULE_INLINE in a sealed memfd (close-on-exec).  -1 with
 * errno; EINVAL: empty or above CAPSULE_MAX.  capsule_map gives it back as
 * malloc'd bytes and leaves it open; it refuses what is not sealed or larger than
 * CAPSULE_MAX (EPROTO).
 */
int	 capsule_memfd(const void *data, size_t len);
void	*capsule_map(int memfd, size_t *len);

#endif
