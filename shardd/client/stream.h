/* A connection whose HTTP response goes on: a stream of bytes, or of events. */
#ifndef SHARDD_STREAM_H
#define SHARDD_STREAM_H

#include "common/bytes.h"

struct conn;
struct payload;

/*
 * The head is sent: c is a stream from now on, in chunks or, for HTTP/1.0, until its
 * end.  rest, what the client sent behind its request, is not looked at.  0, or -1:
 * no memory.
 */
int	 stream_start(struct conn *c, struct buf *rest);
int	 stream_start_old(struct conn *c, struct buf *rest);
int	 stream_start_events(struct conn *c, struct buf *rest);
int	 stream_start_events_old(struct conn *c, struct buf *rest);

/* c comes from another process.  0, or -1 with errno. */
int	 stream_thaw(struct conn *c, struct slice state, struct slice early);

enum stream_kind { STREAM_NONE, STREAM_BYTES, STREAM_EVENTS };
enum stream_kind stream_kind(const struct conn *c);
/* What c, a stream, is sent where nothing else is: copied; len 0: nothing.  0, or
 * -1 with errno. */
int	 stream_set_beat(struct conn *c, struct slice beat);
/* The lines of an event, as c, a stream of events, reads it.  NULL with errno. */
struct payload *stream_event(const struct conn *c, struct slice lines);

#endif
