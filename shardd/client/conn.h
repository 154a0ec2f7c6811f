/*
 * One client connection, from the capsule that brings it to its last callback.
 *
 * States, in the order that they are lived:
 *
 *	PARKED		our ADOPTED is not with the kernel yet: untouched
 *	HTTP		reading and answering requests (conn_http)
 *	OPENING		upgraded; waits for its replica and its lookup entry
 *	OPEN		a WebSocket (conn_ws), a member of its replica
 *	CLOSING		our close frame is out, the client's is awaited
 *	LINGER		all is written and shut down; reads until the end
 *	HOMING		sent to the gateway, which has not said ADOPTED yet
 *	DEPARTED	the descriptor is gone; the last callbacks are not
 */
#ifndef SHARDD_CONN_H
#define SHARDD_CONN_H

#include <event2/event.h>

#include "common/bag.h"
#include "common/list.h"
#include "proto/capsule.h"
#include "proto/close_why.h"
#include "shardd/kennel.h"
#include "shardd/client/outbox.h"
#include "shardd/group/replica.h"
#include "shardd/worker.h"

struct busy;
struct conn_topics;
struct lookup_ticket;
struct meter;
struct payload;
struct replica;

enum conn_state {
	CONN_PARKED, CONN_HTTP, CONN_OPENING, CONN_OPEN, CONN_CLOSING,
	CONN_LINGER, CONN_HOMING, CONN_DEPARTED
};

/* Why it is not read, a bit a reason. */
#define PAUSE_HELD	0x1	/* a completion or a lookup is outstanding */
#define PAUSE_LINK	0x2	/* too much of its group waits for a link */
#define PAUSE_BUSY	0x4	/* a request is being answered */
#define PAUSE_OUT	0x8	/* it does not read what its messages led to */

#define CONN_F_DOOMED	0x001	/* will be ended at the end of this turn */
#define CONN_F_DIRTY	0x02	/* in the list to be flushed */
#define CONN_F_LATE	0x04	/* flush after control: what the gateway must know
				   first has been queued */
#define CONN_F_OPENED	0x08	/* onopen ran and agreed */
#define CONN_F_MEMBER	0x10	/* joined its replica */
#define CONN_F_GONE	0x20	/* GONE was said */
#define CONN_F_BEGUN	0x40	/* conn_start: it may be read */
#define CONN_F_LISTED	0x80	/* has its entry in the lookup */
#define CONN_F_PARTED	0x100	/* its last callback was called */
#define CONN_F_RESUME	0x200	/* kept input is to be processed */
#define CONN_F_AWAITED	0x400	/* in worker->parted */
#define CONN_F_SHUT	0x800	/* SHUT_WR was done */
#define CONN_F_JOINING	0x1000	/* joins when what onopen began is done */
#define CONN_F_BROKEN	0x2000	/* reset by the client */

/* What it waits for in another turn. */
#define CONN_T_QUEUED	0x1	/* in one of worker->lines: not read */
#define CONN_T_COSTLY	0x2	/* used up a turn: it queues up to be read */
#define CONN_T_CROWD	0x4	/* in worker->crowd: to be written to */

struct conn {
	struct bag_node	 by_uid;	/* a member: mine is its index in
					   replica->members */
	struct list	 at;		/* worker->conns, or ->timed */
	struct worker	*worker;
	struct replica	*replica;	/* a reference, or NULL */
	const struct kennel_app *app;
	void		*data;		/* the application's */
	void		*proto;		/* struct http, struct ws, or NULL: idle */
	struct busy	*busy;		/* outstanding calls, or NULL */
	struct payload	*reason;	/* the client's, for onclose, or NULL */
	struct conn_topics *topics;	/* topics.c, or NULL: none */
	struct meter	*meter;		/* what its route allows */
	struct outbox	 out;
	uint64_t	 id;
	int		 fd;		/* -1: none */
	uint32_t	 since;		/* conn_tick() of state, or of last input */
	uint32_t	 last;		/* turn_ms() of the last message, either way */
	uint16_t	 flags;		/* CONN_F_* */
	uint16_t	 code;		/* of the end, for onclose */
	uint8_t		 state;		/* enum conn_state */
	uint8_t		 pauses;	/* PAUSE_* */
	uint8_t		 why;		/* enum close_why of the end */
	uint8_t		 pings;		/* unanswered */
	uint8_t		 deflate;	/* bits of the window; 0: not agreed on */
	uint8_t		 armed;		/* EV_READ, EV_WRITE */
	uint8_t		 told;		/* CAPSULE_F_* of how it came */
	uint8_t		 nheaders;
	uint8_t		 turns;		/* CONN_T_* */
	uint16_t	 uid_len;
	char		 text[];	/* uid, peer, names and values of nheaders
					   headers; each terminated */
};

struct conn_ops {
	/* len bytes, which it may change: what they lead to.  They stand behind
	 * what is kept. */
	enum close_why	(*input)(struct conn *c, char *data, size_t len);
	/* Go on with what was kept, after a pause or in another turn. */
	enum close_why	(*resume)(struct conn *c);
	void		(*clear)(struct conn *c);	/* frees c->proto */
};
extern const struct conn_ops conn_http_ops, conn_ws_ops;

/* Tenths of a second, monotonic; as of the last sweep. */
uint32_t conn_tick(void);
void	 conn_tick_set(void);

/* orders.c: a capsule arrived; fd is taken on success.  The record is copied.
 * PARKED.  NULL with errno. */
struct conn *conn_adopt(struct worker *w, const struct capsule *cap,
	    const struct kennel_app *app, struct replica *r, int fd);
/* Its ADOPTED is with the kernel: begin. */
void	 conn_start(struct conn *c);
/* Never began (ADOPTED could not be said): nothing was touched. */
void	 conn_drop(struct conn *c);

void	 conn_set_state(struct conn *c, enum conn_state state);
/* Arm the events that the state wants. */
void	 conn_arm(struct conn *c);
/* The poller's: arg is the connection. */
void	 conn_ready(void *arg, short what);
void	 conn_pause(struct conn *c, unsigned why);
/* May process kept input, from the loop, at the end of this turn. */
void	 conn_resume(struct conn *c, unsigned why);
/*
 * The turn has nothing left: c keeps the rest of its input, and goes on when all
 * who wait already had theirs.
 */
void	 conn_wait(struct conn *c);

/*
 * Queue p; flushed at the end of the turn.  0, or -1: it is closing (EPIPE), over
 * its bound (EMSGSIZE: doomed, or p is dropped, as its route says), or without
 * memory (ENOMEM: and doomed).
 */
int	 conn_send(struct conn *c, struct payload *p);
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

/* unfinished.c's: the connection c holds more than all others of what is unfinished,
 * and that is too much. */
void	 conn_crowded(void *c);
/* End it at the end of this turn; it hears nothing more.  From anywhere. */
void	 conn_doom(struct conn *c, enum close_why why);
/*
 * Its part in the group is over: leaves the replica and the lookup, tells the
 * gateway.  Once; code and why are what onclose will be told.
 */
void	 conn_depart(struct conn *c, enum close_why why, uint16_t code);
/* All is queued: write it, shut down, read to the end, end. */
void	 conn_linger(struct conn *c);
/* End the descriptor now; then DEPARTED, or freed.  Frees c. */
void	 conn_end(struct conn *c);
/* PARTED, or nobody will say it: the last callbacks, and free. */
void	 conn_parted(struct conn *c, int last);
/* Those that wait for it: by id, or all (the gateway went away). */
void	 conn_parted_id(struct worker *w, uint64_t id, int last);
void	 conn_parted_all(struct worker *w);
/* Those that wait for it longer than a second. */
void	 conn_parted_late(struct worker *w);
/* Turn work: arg is the worker. */
void	 conn_flush_all(void *worker);
void	 conn_flush_late(void *worker);
void	 conn_reap(void *worker);
void	 conn_next(void *worker);	/* those in line */
void	 conn_flush_crowd(void *worker);
/*
 * What is sent from now on is for so many that writing to all of them may take
 * more than one turn: those who are answered come first.  0: no more.
 */
#define CONN_CROWD	256
void	 conn_crowd(struct worker *w, int on);

/* Who it is. */
static inline struct slice
conn_uid(const struct conn *c)
{
	return (slice_of(c->text, c->uid_len));
}
const char *conn_peer(const struct conn *c);
/* A header that the route keeps, or NULL. */
const char *conn_header(const struct conn *c, const char *name);

/* ---- conn_http.c ---- */
/* early is taken; the buf itself is not. */
enum close_why conn_http_start(struct conn *c, struct buf *early);
/* Everything is written: go home, linger, or wait. */
void	 conn_http_flushed(struct conn *c);
/* HOMING: the gateway adopted it, or did not; frees c. */
void	 conn_http_homed(struct worker *w, uint64_t id, int adopted);
/* All that are HOMING: send them again, there is a new gateway. */
void	 conn_http_rehome(struct worker *w);
/* The request's deadline passed. */
void	 conn_http_timeout(struct conn *c);
/* A request that is not whole is ended for that reason; 0 if there is none such. */
int	 conn_http_crowded(struct conn *c);
/* Refuse with an error response, and end. */
void	 conn_http_refuse(struct conn *c, int status, const char *why);

/* ---- conn_ws.c ---- */

/* OPENING: upgraded, and what it waits for. */
struct opening {
	struct replica_waiter wait;
	struct conn	*conn;
	struct payload	*hello;		/* the 101 */
	struct lookup_ticket *ticket;
	int		 listed;
};

/*
 * 101 was decided, hello is it (taken): wait for what it needs, open, go on with
 * the bytes in rest (taken).
 */
void	 conn_ws_begin(struct conn *c, struct payload *hello, struct buf *rest);
/* What it waits for has not come in time: 503, it is to come again. */
void	 conn_ws_come_again(struct conn *c);
/* Nothing that onopen began is outstanding: it hears its group from now on. */
void	 conn_ws_join(struct conn *c);
/* Send a close frame and end the conversation. */
void	 conn_ws_close(struct conn *c, enum close_why why, uint16_t code,
	    const char *reason);
void	 conn_ws_ping(struct conn *c);

/* ---- busy.c ---- */
/* Outstanding calls end with ECANCELED; before onclose. */
void	 busy_cancel(struct conn *c);

static inline struct kennel_socket *
conn_socket(struct conn *c)
{
	return ((struct kennel_socket *)c);
}

#endif
