/*
 * One client's connection: its descriptor, what it is owed, why it is not read,
 * its end.  What it speaks is its protocol; what it is to the application is the
 * floor above's, which is told through struct conn_ops.
 *
 * States, in the order that they are lived:
 *
 *	PARKED		our ADOPTED is not with the kernel yet: untouched
 *	HTTP		reading and answering requests (http.c)
 *	OPENING		upgraded; waits for its replica and its lookup entry
 *	OPEN		a WebSocket (ws.c) or a stream (stream.c), a member of
 *			its replica
 *	CLOSING		our close frame is out, the client's is awaited
 *	LINGER		all is written and shut down; reads until the end
 *	HOMING		sent to the gateway, which has not said ADOPTED yet
 *	MOVING		packed for another process, which has not said ADOPTED yet
 *	DEPARTED	the descriptor is gone; the last callbacks are not
 */
#ifndef SHARDD_CONN_H
#define SHARDD_CONN_H

#include <sys/types.h>

#include <event2/event.h>

#include "common/bag.h"
#include "common/line.h"
#include "common/list.h"
#include "common/turn.h"
#include "proto/capsule.h"
#include "proto/close_why.h"
#include "proto/counters.h"
#include "proto/cover.h"
#include "shardd/client/outbox.h"
#include "shardd/client/protocol.h"
#include "shardd/client/rare.h"

struct burst;
struct clients;
struct conn_topics;
struct gate;
struct kennel_app;
struct kennel_message;
struct kennel_request;
struct meter;
struct move;
struct options;
struct payload;
struct poller;
struct replica;
struct unfinished;
struct verbs;

enum conn_state {
	CONN_PARKED, CONN_HTTP, CONN_OPENING, CONN_OPEN, CONN_CLOSING,
	CONN_LINGER, CONN_HOMING, CONN_MOVING, CONN_DEPARTED
};

/* Why a client is not read, a bit a reason. */
#define PAUSE_HELD	0x1	/* a completion or a lookup is outstanding */
#define PAUSE_LINK	0x2	/* too much of its group waits for a link */
#define PAUSE_BUSY	0x4	/* a request is being answered */
#define PAUSE_OUT	0x8	/* it does not read what its messages led to */
#define PAUSE_APP	0x10	/* its application wants so */
#define PAUSE_WATCH	0x20	/* it is not read, but whether it leaves is heard */
#define PAUSE_MOVE	0x40	/* it is to move */
#define PAUSE_SAID	0x80	/* and its application has spoken for it since */

#define CONN_F_DOOMED	0x001	/* will be ended at the end of this turn */
#define CONN_F_DIRTY	0x02	/* in the list to be flushed */
#define CONN_F_LATE	0x04	/* flush after control: what the gateway must know
				   first has been queued */
#define CONN_F_OPENED	0x08	/* onopen ran and agreed (session) */
#define CONN_F_MEMBER	0x10	/* joined its replica (session) */
#define CONN_F_GONE	0x20	/* departed: the floor above was told */
#define CONN_F_BEGUN	0x40	/* it may be read */
#define CONN_F_LISTED	0x80	/* has its entry in the lookup (session) */
#define CONN_F_PARTED	0x100	/* its last callback was called (session) */
#define CONN_F_RESUME	0x200	/* kept input is to be processed */
#define CONN_F_AWAITED	0x400	/* the session is not over: no conn_free() yet */
#define CONN_F_SHUT	0x800	/* SHUT_WR was done */
#define CONN_F_JOINING	0x1000	/* joins when what onopen began is done (session) */
#define CONN_F_BROKEN	0x2000	/* reset by the client */
#define CONN_F_RAW	0x4000	/* speaks its application's own protocol (tcp.c) */
#define CONN_F_ENDED	0x8000	/* the client sends nothing more */

/* What a connection waits for in another turn. */
#define CONN_T_QUEUED	0x1	/* in one of clients->lines: not read */
#define CONN_T_COSTLY	0x2	/* used up a turn: it queues up to be read */
#define CONN_T_CROWD	0x4	/* in clients->crowd: to be written to */
#define CONN_T_TELL	0x8	/* in clients->pressed: to be told of its queue */
#define CONN_T_HIGH	0x10	/* its queue passed the high mark, as was told */
#define CONN_T_PART	0x20	/* the rest of a message is still to be queued */
#define CONN_T_MORE	0x40	/* owes more than its outbox has */

struct conn {
	/* First what a message to c uses: two lines of the cache for each of many. */
	struct clients	*clients;
	const struct protocol *protocol;
	void		*proto;		/* the protocol's, or NULL: idle */
	struct meter	*meter;		/* what its route allows */
	struct outbox	 out;
	const struct kennel_app *app;	/* the floors' above, as below */
	struct verbs	*verbs;		/* outstanding calls, or NULL */
	int		 fd;		/* -1: none */
	uint32_t	 slot;		/* of cover.h; 0: not covered */
	uint32_t	 last;		/* turn_ms() of the last message, either way */
	uint16_t	 flags;		/* CONN_F_* */
	uint8_t		 state;		/* enum conn_state */
	uint8_t		 pauses;	/* PAUSE_* */
	uint8_t		 turns;		/* CONN_T_* */
	uint8_t		 armed;		/* EV_READ, EV_WRITE */
	uint8_t		 told;		/* CAPSULE_F_* of how it came */
	uint8_t		 deflate;	/* bits of the window; 0: not agreed on */
	uint8_t		 half;		/* COVER_B_*, as its slot has them */
	uint8_t		 app_n;		/* the application's number, to be counted */
	uint16_t	 uid_len;

	struct bag_node	 by_uid;	/* a member: mine is its index in
					   replica->members */
	struct list	 at;		/* clients->conns, or another list there */
	struct rare	*rare;		/* what few have, or NULL */
	/* The floors' above, who alone look into them. */
	struct replica	*replica;	/* a reference, or NULL */
	struct conn_topics *topics;	/* topics.c, or NULL: none */
	uint64_t	 joined;	/* which member of the replica, counted */
	void		*data;		/* the application's */
	uint64_t	 id;
	uint32_t	 since;		/* conn_tick() of state, or of last input */
	uint32_t	 message_max;	/* bytes that its application takes */
	uint16_t	 code;		/* of the end, for onclose */
	uint8_t		 why;		/* enum close_why of the end */
	uint8_t		 pings;		/* unanswered */
	uint8_t		 nheaders;
	uint8_t		 hops;		/* how often it has moved */
	uint8_t		 strikes;	/* shards in a row that died amid its input */
	char		*text;		/* cover_who()'s: uid, peer, via, names and
					   values of nheaders headers; each terminated */
};

/* c speaks another protocol from now on, and has the bytes in rest (taken) to begin
 * with.  0, or -1: no memory. */
typedef int	conn_start(struct conn *c, struct buf *rest);

/* What the floor above is told. */
struct conn_ops {
	/* q has come whole: answer with http_answer() or http_upgrade(). */
	void	(*request)(struct kennel_request *q);
	/* q's connection is to be a member of its group: hello is what its client reads
	 * first, the 101 or the head of a stream, rest what came behind the request;
	 * both are taken.  Once it is open, start gives it its protocol. */
	void	(*upgraded)(struct conn *c, struct payload *hello,
		    struct buf *rest, conn_start *start);
	/* q's head has come, and a body follows: may be answered at once. */
	void	(*head)(struct kennel_request *q);
	/* A piece of a body that the application takes as it comes. */
	void	(*body)(struct kennel_request *q, const char *data, size_t len);
	/* The client of q, which is not answered, has gone; q->conn NULL: nobody can
	 * be answered any more. */
	void	(*left)(struct kennel_request *q);
	/* A message of an open client. */
	void	(*message)(struct conn *c, const struct kennel_message *m);
	/* c's application, wherever it said so, closes c with that code. */
	void	(*close)(struct conn *c, int code, const char *reason);
	/* Bytes of a raw client: how many of them were used, or -1. */
	ssize_t	(*data)(struct conn *c, const char *data, size_t len);
	/* A raw client sends nothing more.  1: it stays open to be written to. */
	int	(*ended)(struct conn *c);
	/* c's queue has passed its high (1) or low mark. */
	void	(*pressure)(struct conn *c, int high);
	/* c has nothing more to say or to hear: c->why, c->code.  Once. */
	void	(*departed)(struct conn *c);
	/* c is about to be freed. */
	void	(*freed)(struct conn *c);
};

/* All connections of a shard; clients.c makes and ends it. */
struct clients {
	const struct conn_ops *ops;
	const struct options *opt;
	struct gate	*gate;
	struct poller	*poller;
	struct list	 conns;			/* open, idle: pings only */
	struct list	 timed;			/* in any other state */
	struct list	 homing;		/* HOMING, in order of sending */
	struct list	 moving;		/* MOVING */
	struct list	 doomed;		/* to be ended this turn */
	size_t		 n;
	uint64_t	 dropped;		/* messages, for the slow */
	uint32_t	 come_back;		/* ms: who is closed now is told to be
						   away so long; 0: nothing */
	struct conn_batch {			/* to be flushed */
		struct conn	**at;
		size_t		  n, cap;
	}		 dirty, late;
	/* Who waits for another turn: not begun yet, and used one up. */
	struct line	 lines[2];
	unsigned	 line;			/* that was served last */
	struct line	 crowd;			/* to be flushed when there is time */
	int		 crowding;		/* who is sent to goes there */
	struct line	 pressed;		/* whose queue passed a mark */
	struct turn_work flush, flush_crowd, flush_late, reap, next, press;
	struct unfinished *unfinished;		/* input of all clients */
	struct burst	*burst;			/* many sends at once, or NULL */
	int		 burst_off;		/* there is no such thing here */
};

/* clients->lines */
enum { LINE_FRESH, LINE_COSTLY };

/* Tenths of a second, monotonic; as of the last sweep. */
uint32_t conn_tick(void);
void	 conn_tick_set(void);

/*
 * A capsule arrived; fd is taken on success.  The record is copied.  PARKED, with
 * no protocol.  NULL with errno.
 */
struct conn *conn_new(struct clients *all, const struct capsule *cap,
	    struct meter *meter, int fd);
/* Departed, and the floor above is done with c. */
void	 conn_free(struct conn *c);
/* c has come, and cannot be taken: it is freed, its descriptor stays the caller's, and
 * errno what it was. */
void	 conn_discard(struct conn *c);

void	 conn_set_state(struct conn *c, enum conn_state state);
/* Arm the events that the state wants. */
void	 conn_arm(struct conn *c);
void	 conn_pause(struct conn *c, unsigned why);
/* May process kept input, from the loop, at the end of this turn. */
void	 conn_resume(struct conn *c, unsigned why);
/*
 * The turn has nothing left: c keeps the rest of its input, and goes on when all
 * who wait already had theirs.
 */
void	 conn_wait(struct conn *c);
/* n bytes of c's input are no whole message or request; *part is c's. */
struct unfinished_part;
void	 conn_hold(struct conn *c, struct unfinished_part **part, size_t n);

/*
 * Queue p; flushed at the end of the turn.  0, or -1: c is closing (EPIPE), over
 * its bound (EMSGSIZE: doomed, or p is dropped, as its route says), or without
 * memory (ENOMEM: and doomed).
 */
int	 conn_send(struct conn *c, struct payload *p);
/* The same of a raw message in two parts, so that both are queued or neither. */
int	 conn_send_both(struct conn *c, struct payload *head, struct payload *p);
/* The same without the bound: handshakes, control frames, responses. */
int	 conn_queue(struct conn *c, struct payload *p);
int	 conn_queue_bytes(struct conn *c, struct slice s);
/*
 * After a message of its own: a client that has more than its bound to read is
 * not read itself until it has caught up.
 */
void	 conn_throttle(struct conn *c);
/* Flush after the control channel has been flushed (CONN_F_LATE). */
void	 conn_late(struct conn *c);

/* The application or the operator ends c, whose client is told why. */
void	 conn_close(struct conn *c, enum close_why why, uint16_t code,
	    const char *reason);
/* End c at the end of this turn; c hears nothing more.  From anywhere. */
void	 conn_doom(struct conn *c, enum close_why why);
/* c's part is over: says so to the floor above, once, with code and why. */
void	 conn_depart(struct conn *c, enum close_why why, uint16_t code);
/* All is queued: write it, shut down, read to the end, end. */
void	 conn_linger(struct conn *c);
/* End the descriptor now; then DEPARTED, or freed. */
void	 conn_end(struct conn *c);
/*
 * What is sent from now on is for so many that writing to all of them may take
 * more than one turn: those who are answered come first.  0: no more.
 */
#define CONN_CROWD	256
void	 conn_crowd(struct clients *all, int on);

/* ---- for flush.c and turns.c: the end of a turn ---- */
/* Write what the kernel takes; what outbox_flush() says of it. */
int	 conn_write(struct conn *c);
/* Write what the kernel takes of what c is owed. */
void	 conn_flush(struct conn *c);
/* The same was tried: verdict is outbox_flush()'s. */
void	 conn_written(struct conn *c, int verdict);
/* Has its queue passed the mark that it has to pass next? */
int	 conn_pressed(const struct conn *c);
/* Go on with what c has kept. */
void	 conn_go_on(struct conn *c);
/* Let c's protocol go on with what c has kept.  Returns why c ends, or CLOSE_NONE. */
enum close_why conn_resumed(struct conn *c);
/* Stand in clients->lines[line] for another turn. */
void	 conn_queue_up(struct conn *c, int line);

/* The cells in which its application is counted, enum counter_app. */
static inline uint64_t *
conn_counts(const struct conn *c)
{
	return (counter_app(c->app_n));
}

/* ---- what outlives this process ---- */

/* c is covered no more. */
void	 conn_uncover(struct conn *c);
/* A message of c's was worked through: it kills nobody. */
void	 conn_survives(struct conn *c);

/* Something is left half-done, or no more: a bit of COVER_B_*. */
static inline void
conn_half(struct conn *c, unsigned bit, int on)
{
	if (((c->half & bit) != 0) == (on != 0))
		return;
	c->half ^= (uint8_t)bit;
	cover_bits(c->slot, bit, on);
}

/* c was written to with that verdict of outbox_flush()'s. */
static inline void
conn_left(struct conn *c, int verdict)
{
	/* A queue that is written, and stays, waits for the rest of a message. */
	if (verdict == 0 && c->out.q == NULL)
		conn_half(c, COVER_B_OUT, 0);
	else if (outbox_begun(&c->out))
		conn_half(c, COVER_B_OUT, 1);
}

/* It is to go to another shard, or NULL. */
static inline struct move *
conn_move(const struct conn *c)
{
	return (c->rare == NULL ? NULL : c->rare->move);
}

/* Who the client is. */
static inline struct slice
conn_uid(const struct conn *c)
{
	if (c->rare != NULL && c->rare->uid != NULL)
		return (slice_of(c->rare->uid, c->rare->uid_len));
	return (slice_of(c->text, c->uid_len));
}

#endif
