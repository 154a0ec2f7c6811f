/*
 * A lingerer is a client that was answered for the last time: its socket is shut
 * for writing, and what the client still sends is discarded for at most 1 s or
 * 64 KiB, so that the client reads the answer before the connection is reset.
 * From one whose shard has died it may be 32 MiB: it had been served, so that more
 * may be on its way, and more stands before the answer that it has not read: it stays
 * as long as it reads that, PACE_LEAST bytes a second, and 5 s more.  Only while half of
 * the places are free: who reads slowly must not keep others from being told why.
 */
#ifndef GATEWAYD_LINGER_H
#define GATEWAYD_LINGER_H

#include "gatewayd/refusal.h"

struct buf;
struct event_base;
struct lingerers;
struct totals;

/* max: lingerers at a time; more are closed at once.  NULL with errno. */
struct lingerers *linger_new(struct event_base *base, unsigned max,
	    struct totals *totals);
void	 linger_free(struct lingerers *l);		/* closes all */
/* Write the answer, which may be empty, as far as the kernel takes it, and the end.
 * Takes fd, and what is in out.  Never blocks. */
void	 linger_answer(struct lingerers *l, int fd, struct buf *out);
/* The same, to one whose shard has died. */
void	 linger_served(struct lingerers *l, int fd, struct buf *out);
/* Write an error response, likewise, and count it.  status 0 and text NULL: as the
 * table has them. */
void	 linger_refuse(struct lingerers *l, int fd, enum refusal why, int status,
	    const char *text, int head_only);
/* The same as the table has it; raw: write the end only. */
void	 linger_turn_away(struct lingerers *l, int fd, int raw,
	    enum refusal why, int head_only);

#endif
